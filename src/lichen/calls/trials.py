"""Trials: what held and treated calls used, summed in memory and booked about once a minute.

Each arm of each strategy becomes an entry without footprint, with its sums as raw quantities; what
they say is read by `lichen.ledger.trial`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from lichen.ledger.trial import Sums, trial_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.ledger.book import Book
    from lichen.ledger.quantities import Energy

_EVERY_US = 60_000_000


class Trials:
    """Counts what calls of both arms used, and books the sums."""

    def __init__(self, book: Book, on_error: Callable[[Exception], None]) -> None:
        self._book = book
        self._on_error = on_error
        self._sums: dict[tuple[str, bool], Sums] = defaultdict(Sums)
        self._due_us = 0

    def note(self, held: Mapping[str, bool], used: Energy) -> None:
        """A call was answered: by strategy, whether it was held, and what it took."""
        for strategy, was_held in held.items():
            self._sums[strategy, was_held].add(used)
        now_us = time.time_ns() // 1000
        if self._due_us == 0:
            self._due_us = now_us + _EVERY_US
        elif now_us >= self._due_us:
            self.book()

    def tend(self) -> None:
        """Write sums that have waited long enough, though no more calls come."""
        if self._sums and time.time_ns() // 1000 >= self._due_us:
            self.book()

    def book(self) -> None:
        """Write the sums so far as entries; what cannot be written is told and let go."""
        now_us, sums = time.time_ns() // 1000, self._sums
        self._sums, self._due_us = defaultdict(Sums), now_us + _EVERY_US
        for (strategy, held), had in sums.items():
            try:
                self._book.add(trial_entry(strategy, had, now_us, held=held))
            except Exception as error:  # noqa: BLE001 (a broken ledger must not break a call)
                with suppress(Exception):
                    self._on_error(error)
