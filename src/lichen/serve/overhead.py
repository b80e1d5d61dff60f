"""Overhead: what lichen itself uses, booked beside what it saves, so that savings are net.

The service's own CPU time, dashboard and ledger writer included, is read every few seconds and
booked as an entry of strategy "lichen". The embedded model's idle time belongs to no call; it is
booked as the upstream's own, not as lichen's.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from lichen.ledger.entry import NONE, OWN, Entry, Figures
from lichen.ledger.errors import InputError, LichenError
from lichen.ledger.ids import new_id
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.book import Book
    from lichen.ledger.ports import CallReading

# Less CPU time than this is left for the next reading: an idle service writes nothing. [s]
_LEAST_S = 0.005
# The gap where no entry can have the time that this machine says.
NOT_BOOKED = "lichen's own use not booked: this machine's clock is before 2024"


class CpuReading(Protocol):
    """Gives the CPU time since it was last asked."""

    method: str
    factors: str

    def spent(self) -> float:
        """CPU time since the last call. [s]"""
        ...

    def reading(self, cpu_seconds: float) -> CallReading:
        """Energy and embodied carbon of a CPU time."""
        ...


class Overhead:
    """Books CPU time that no call asked for: the service's own, or an idle upstream's."""

    def __init__(
        self,
        book: Book,
        source: CpuReading,
        *,
        zone: str,
        on_error: Callable[[LichenError], None],
    ) -> None:
        self._book = book
        self._source = source
        self._zone = zone
        self._on_error = on_error
        self._since_us = time.time_ns() // 1000
        self._spent = 0.0
        self.cpu_seconds = 0.0

    def book(self, name: str = "overhead", strategy: str = OWN) -> None:
        """Book what was spent since the last time."""
        try:
            self._spent += self._source.spent()
            if self._spent >= _LEAST_S:
                self._write(name, strategy)
        except InputError as error:
            self._on_error(error)
            with suppress(LichenError):
                self._book.note_gap(NOT_BOOKED)
        except LichenError as error:
            self._on_error(error)

    def book_idle(self) -> None:
        """Book an upstream's time outside any call."""
        self.book("idle", NONE)

    def _write(self, name: str, strategy: str) -> None:
        spent, self._spent = self._spent, 0.0
        start_us, self._since_us = self._since_us, time.time_ns() // 1000
        made, gaps = self._book.pricer.footprint(self._source.reading(spent), self._zone, start_us)
        figures = Figures(
            name=name,
            strategy=strategy,
            work=Work(0, "request"),
            footprint=made,
            method=self._source.method,
            factors=self._source.factors,
            zone=self._zone,
            raw={"cpu_seconds": spent},
            gaps=gaps,
        )
        self._book.add(Entry(new_id(start_us), start_us, self._since_us, "", figures))
        self.cpu_seconds += spent
