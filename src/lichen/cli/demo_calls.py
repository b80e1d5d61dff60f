"""The demo's calls: prompts of a support desk, sent with the official OpenAI client.

One line of the prompt file is one call: {"id", "messages", "temperature", "max_tokens", "stream"}.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError, LichenError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from openai import AsyncOpenAI

# What a call may say besides its id.
_FIELDS = ("messages", "temperature", "max_tokens", "stream", "seed")
# Calls under way at the same time.
_AT_ONCE = 2
_TIMEOUT_S = 120.0
# What x-lichen-cache says of a call that the model answered.
_ASKED = ("", "miss", "bypass")


@dataclass(frozen=True, slots=True)
class Told:
    """What came back for one call: whether from the store, and what that avoided. [Wh]"""

    id: str
    hit: bool
    avoided_wh: float
    error: str = ""


def prompts(path: Path | None = None) -> list[dict[str, Any]]:
    """The calls of a prompt file, the bundled one by default.

    Raises:
        InputError: a line is no call.
    """
    source = path or files("lichen.cli").joinpath("support_desk.jsonl")
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the prompts in {source} cannot be read: {error}") from error
    return [_call(line, f"{source}, line {n}") for n, line in enumerate(lines, 1) if line.strip()]


def _call(line: str, where: str) -> dict[str, Any]:
    try:
        call = json.loads(line)
        messages = call["messages"]
    except (ValueError, KeyError, TypeError):
        messages = None
    if not isinstance(messages, list) or not messages:
        raise InputError(
            f'{where}: a call is {{"id": ..., "messages": [{{"role": ..., "content": ...}}]}}, '
            f"got {line[:60]!r}"
        )
    return dict(call)


def send(url: str, calls: Sequence[dict[str, Any]], told: Callable[[Told], None]) -> None:
    """Send calls to a service, a few at a time, and tell of each as it is answered.

    Raises:
        LichenError: the OpenAI client is not installed.
    """
    try:
        import openai
    except ImportError:
        raise LichenError("the demo calls with the official client: pip install openai") from None
    asyncio.run(_send(openai, url, calls, told))


async def _send(
    openai: Any, url: str, calls: Sequence[dict[str, Any]], told: Callable[[Told], None]
) -> None:
    turns = asyncio.Semaphore(_AT_ONCE)
    # A proxy set for the outside is not asked about this machine's own address.
    direct = openai.DefaultAsyncHttpxClient(trust_env=False)
    async with openai.AsyncOpenAI(
        base_url=f"{url}/v1", api_key="demo", timeout=_TIMEOUT_S, http_client=direct
    ) as client:
        model = (await client.models.list()).data[0].id

        async def one(call: dict[str, Any]) -> None:
            async with turns:
                try:
                    answer = await _ask(client, model, call)
                except openai.OpenAIError as error:
                    answer = Told(
                        str(call.get("id", "")), hit=False, avoided_wh=0, error=str(error)
                    )
            told(answer)

        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(one(call))


async def _ask(client: AsyncOpenAI, model: str, call: dict[str, Any]) -> Told:
    wants = {name: call[name] for name in _FIELDS if name in call}
    if wants.get("stream"):
        # Else a stream says nothing of its tokens, and they are estimated.
        wants["stream_options"] = {"include_usage": True}
    raw = await client.chat.completions.with_raw_response.create(model=model, **wants)
    answer: Any = raw.parse()
    if wants.get("stream"):
        async for _ in answer:
            pass
    cache = raw.headers.get("x-lichen-cache", "")
    avoided = raw.headers.get("x-lichen-avoided-energy-wh", "0").partition(";")[0]
    return Told(str(call.get("id", "")), cache not in _ASKED, float(avoided))
