"""Body: a streamed answer's body between the upstream's connection and whoever reads it.

What has come and was not read yet waits in memory; beyond a bound the upstream is held up until it
is read. Chunks that came meanwhile are given as one piece.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol, Self

from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    import asyncio

    from lichen.calls.exchange import Answer

# Bytes that wait for their reader before the upstream is held up. [byte]
_MOST = 256 * 1024

# An error's text; what is longer is none. [byte]
_LONGEST_ERROR = 1024 * 1024


class Source(Protocol):
    """Where a body comes from: see `lichen.calls.line`."""

    def hold(self, *, on: bool) -> None:
        """Hold the upstream up, or let it go on."""
        ...

    def fail(self, why: str) -> None:
        """Hang up."""
        ...


class Body:
    """A streamed body: what has come and was not read yet; leaving early closes the line."""

    def __init__(self, line: Source, loop: asyncio.AbstractEventLoop) -> None:
        self._line: Source | None = line
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size = 0
        self._why = ""
        self._news: asyncio.Future[None] | None = None
        self.is_full = False

    def add(self, piece: bytes) -> None:
        """A piece came in."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _MOST and not self.is_full and self._line is not None:
            self.is_full = True
            self._line.hold(on=True)
        self._tell()

    def end(self) -> None:
        """It came to its end; the line is free for others."""
        self._let_go()
        self._tell()

    def break_off(self, why: str) -> None:
        """It will never come to its end."""
        self._why = why
        self._let_go()
        self._tell()

    def _let_go(self) -> None:
        line, self._line = self._line, None
        if line is not None and self.is_full:
            self.is_full = False
            line.hold(on=False)

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._line is None:
                if not self._why:
                    raise StopAsyncIteration
                raise UpstreamError(
                    f"the upstream broke off in the middle of its answer ({self._why}); send the "
                    "call again",
                    code="upstream_broke_off",
                )
            self._news = self._loop.create_future()
            await self._news
        pieces, self._pieces, self._size = self._pieces, [], 0
        if self.is_full and self._line is not None:
            self.is_full = False
            self._line.hold(on=False)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def aclose(self) -> None:
        """Read no more: an upstream that is not done is hung up on."""
        line, self._line = self._line, None
        self._pieces = []
        if line is not None:
            line.fail("it was left")


async def whole_of(answer: Answer) -> bytes:
    """An error's body, whole: errors are short, and none is ever streamed on.

    Raises:
        UpstreamError: it broke off, or is longer than any error.
    """
    stream, answer.stream = answer.stream, None
    if stream is None:
        return answer.body
    parts, size = [], 0
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size > _LONGEST_ERROR:
                raise UpstreamError(
                    f"the upstream answered {answer.status} with more than {_LONGEST_ERROR:,} bytes"
                )
    return b"".join(parts)
