r"""Lines: a file of lines taken apart as it passes, one line in memory at a time.

lines = b"".join(chunks).split(b"\n")        whatever the chunks, and no line longer than `most`
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MARK = b"\xef\xbb\xbf"


class Lines:
    """Gives each line that is not blank to `take`, with its place from 1; None for one too long.

    `most` is the longest line that is held. [byte]
    """

    def __init__(self, take: Callable[[int, bytes | None], None], most: float) -> None:
        self._take, self._most = take, most
        self._parts: list[bytes] = []
        self._size = 0
        self._place = 1

    def feed(self, chunk: bytes) -> None:
        """Some more bytes."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._hold(chunk[start:end])
            self._ended()
            start = end + 1
        self._hold(chunk[start:])

    def end(self) -> tuple[int, bytes | None] | None:
        """There are no more: the last line, where no break ends it and it is not blank."""
        return self._line()

    def _hold(self, piece: bytes) -> None:
        if not piece:
            return
        self._size += len(piece)
        if self._size > self._most:
            self._parts.clear()
        else:
            self._parts.append(piece)

    def _ended(self) -> None:
        line = self._line()
        if line is not None:
            self._take(*line)

    def _line(self) -> tuple[int, bytes | None] | None:
        place, size, parts = self._place, self._size, self._parts
        self._place, self._size, self._parts = place + 1, 0, []
        if size > self._most:
            return place, None
        line = b"".join(parts)
        line = (line.removeprefix(_MARK) if place == 1 else line).strip()
        return (place, line) if line else None
