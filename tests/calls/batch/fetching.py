"""Downloads of results of a provider's batch, for tests of what sees them pass."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lichen.calls.batch.fetched.booking import LINE
from lichen.calls.batch.results import IN_BATCH
from lichen.calls.exchange import Answer, Exchange
from lichen.ledger.tokens import Tokens
from lichen.testing.batch_results import (
    lines,
    openai_failed,
    openai_line,
)
from lichen.testing.upstreams import ScriptedStream, chat_answer, chat_usage

if TYPE_CHECKING:
    import asyncio

    from lichen.testing.callers import HeardRequest, House
    from lichen.testing.upstreams import Act

FILE = b"/v1/files/file-1/content"
RESULTS = lines(
    openai_line("a", chat_answer("one", model="gpt-4o", usage=chat_usage(20, 7))),
    openai_failed("b"),
    openai_line("c", chat_answer("two", model="gpt-4o", usage=chat_usage(9, 1))),
)


async def fetched(house: House, target: bytes = FILE, **headers: str) -> HeardRequest:
    """Some results as a client gets them."""
    return await house.ask(b"", target=target, method=b"GET", **headers)


async def booked(house: House) -> list[tuple[Any, Tokens]]:
    """What the house has booked of batches, once it has closed."""
    await house.gateway.layers.close()
    return [
        (entry.figures.raw[LINE], entry.figures.tokens)
        for entry in house.entries
        if IN_BATCH in entry.figures.raw
    ]


def parts(content: bytes = RESULTS, size: int = 7) -> list[bytes]:
    """Content in small chunks."""
    places = [*range(0, len(content), size), len(content)]
    return [content[a:b] for a, b in pairwise(places)]


def as_is(
    *said: bytes | Exception | asyncio.Event, length: int | None = None, **headers: str
) -> Act:
    """A download of some parts, whose length is told."""

    async def act(_exchange: Exchange) -> Answer:
        named = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
        return Answer(200, named, stream=ScriptedStream(said), length=length)

    return act


BOTH = [(1, Tokens(prefill=20, decode=7)), (3, Tokens(prefill=9, decode=1))]
