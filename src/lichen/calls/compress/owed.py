"""Owed: CPU time that shortening took of this process, booked as its cost once there is enough.

    owed = Σ thread time of each piece of work    [s]

Most prompts take a fraction of a millisecond: an entry for each would cost more than it tells.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# CPU time that is booked in one entry. [s]
_ENOUGH_S = 0.1


class Owed:
    """CPU time not yet booked; `book` books some of it. [s] Of one thread: the event loop's."""

    def __init__(self, book: Callable[[float], None]) -> None:
        self._book = book
        self._seconds = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Owe what the block takes of this thread; it must not await."""
        begun = time.thread_time()
        try:
            yield
        finally:
            self.add(time.thread_time() - begun)

    def add(self, seconds: float) -> None:
        """Owe CPU time, and book all that is owed once it is enough. [s]"""
        self._seconds += seconds
        if self._seconds >= _ENOUGH_S:
            self.settle()

    def settle(self) -> None:
        """Book what is owed, if anything is."""
        seconds, self._seconds = self._seconds, 0.0
        if seconds > 0:
            self._book(seconds)
