"""Tap: a stream seen as it passes.

The bytes go on as they came. How the stream ended is told once and however it ends: at its own end,
broken off, or left by whoever read it, even before the first chunk. So nothing that is booked or
kept hangs on when Python collects a generator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from lichen.calls.exchange import Stream


class Tap:
    """A stream around another; what it sees goes to `saw`, then to `finished` or `cut`."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._open = True

    def saw(self, chunk: bytes) -> None:
        """A chunk passes."""

    def finished(self) -> None:
        """The stream has come to its own end."""

    def cut(self) -> None:
        """The stream broke off or was left."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._stream.__anext__()
        except StopAsyncIteration:
            if self._open:
                self._open = False
                self.finished()
            raise
        except BaseException:
            self._break()
            raise
        self.saw(chunk)
        return chunk

    async def aclose(self) -> None:
        """Close the stream within, then tell that it was left."""
        try:
            await self._stream.aclose()
        finally:
            self._break()

    def _break(self) -> None:
        if self._open:
            self._open = False
            self.cut()
