"""Sends the soak's traffic at a steady rate, whether or not the answers keep up, and checks each.

Calls that would be under way beyond a bound are not sent and are counted: a service that falls
behind shows, and this program does not grow with it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.soak.traffic import EXPECTED, MODEL, Traffic
from lichen.calls import directives
from lichen.calls.exchange import Call, Exchange
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.upstream import HttpUpstream
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.soak.traffic import Sent
    from lichen.calls.exchange import Answer

# Calls under way beyond which none is sent.
_MOST = 800
_TICK_S = 0.01


@dataclass(slots=True)
class Seen:
    """What came back: how long each took [s], how many by kind, and what should not have been."""

    took: list[float] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    not_sent: int = 0
    strangers: int = 0

    @property
    def count(self) -> int:
        """Calls that were answered."""
        return len(self.took)


async def load(
    url: str, *, rate: float, seconds: float, seed: int, each: Callable[[float, Seen], None]
) -> None:
    """Send `rate` calls a second for `seconds`; `each` second hears what came in it."""
    client, traffic = HttpUpstream(url, timeout=30), Traffic(seed)
    seen, began, sent = Seen(), time.monotonic(), 0
    tasks: set[asyncio.Task[None]] = set()
    told = 1.0
    while (now := time.monotonic() - began) < seconds:
        due = int(now * rate) - sent
        sent += due
        for _ in range(due):
            if len(tasks) >= _MOST:
                seen.not_sent += 1
                continue
            task = asyncio.create_task(_one(client, traffic.next(), seen))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if now >= told:
            each(now, seen)
            _begin_anew(seen)
            told += 1.0
        await asyncio.sleep(_TICK_S)
    await asyncio.gather(*tasks)
    each(seconds, seen)
    await client.close()


def _begin_anew(seen: Seen) -> None:
    for part in (seen.took, seen.kinds, seen.statuses, seen.unexpected):
        part.clear()
    seen.not_sent = 0


async def _one(client: HttpUpstream, sent: Sent, seen: Seen) -> None:
    began = time.monotonic()
    try:
        answer = await client.send(_exchange(sent))
        body = await _read(answer, leaves=sent.kind == "leave")
    except UpstreamError as error:
        if sent.kind != "break":
            seen.unexpected[f"{sent.kind}: {error.code}"] += 1
        return
    seen.took.append(time.monotonic() - began)
    seen.kinds[sent.kind] += 1
    seen.statuses[answer.status] += 1
    if answer.status not in EXPECTED[sent.kind]:
        seen.unexpected[f"{sent.kind}: {answer.status}"] += 1
    elif answer.ok and sent.mark not in body:
        seen.strangers += 1


def _exchange(sent: Sent) -> Exchange:
    call = Call(
        "chat", {}, MODEL, sent.is_stream, deterministic=True, reusable=True, dialect=OPENAI
    )
    headers = [
        (b"authorization", b"Bearer " + sent.key.encode()),
        (b"content-type", b"application/json"),
    ]
    return Exchange(
        "POST", "/v1/chat/completions", headers, sent.body, "", 0, directives.NO_WISHES, call
    )


async def _read(answer: Answer, *, leaves: bool) -> bytes:
    if answer.stream is None:
        return answer.body
    read = b""
    async for chunk in answer.stream:
        read += chunk
        if leaves:
            await answer.stream.aclose()
            break
    return read
