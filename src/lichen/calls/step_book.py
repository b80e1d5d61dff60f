"""StepBook: what the steps of a call write into the book beside the call's own entry.

a line for each act     what the step spared of this call      work 0, used 0, a baseline
a cost                  CPU time that a step spent             work 0, used, no baseline
a trial's sums          what held and treated calls took       neither; see ledger/trial.py
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from lichen.calls.acts import Call, Use, lines
from lichen.calls.trials import Trials
from lichen.ledger.entry import Entry, Figures
from lichen.ledger.ids import new_id
from lichen.ledger.quantities import Energy
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.calls.acts import Act
    from lichen.calls.exchange import Exchange, Record
    from lichen.ledger.book import Book

LINES_LOST = "what steps did to a call could not be booked"
# As lichen.meter.host names it; a test holds the two together.
OF_CPU = "process/1"
_NO_REQUEST = Work(0, "request")


class StepBook:
    """Writes for the steps; `tell` hears what could not be written."""

    def __init__(self, book: Book, tell: Callable[[Exception], None]) -> None:
        self._book = book
        self._tell = tell
        self._claimed = 0.0
        self.trials = Trials(book, tell)

    def book(self, exchange: Exchange, record: Record, entry_id: str, used: Energy) -> None:
        """Book what the steps did to a call that was answered, and the trials it was part of."""
        noted = exchange.noted
        assert noted is not None
        try:
            for figures in self._lines(noted.acts, exchange, record, entry_id):
                now_us = time.time_ns() // 1000
                entry = Entry(
                    new_id(record.started_us), record.started_us, now_us, exchange.tenant, figures
                )
                self._book.add(entry)
            self.trials.note(noted.held, Energy.joules(used.in_joules + noted.beside))
        except Exception as error:  # noqa: BLE001 (the call itself is booked)
            self._tell(error)
            with suppress(Exception):
                self._book.note_gap(LINES_LOST)

    def _lines(
        self, acts: Sequence[Act], exchange: Exchange, record: Record, entry_id: str
    ) -> list[Figures]:
        if not acts or record.tokens is None or record.reading is None:
            return []
        pricer = self._book.pricer
        modelled = pricer.calls.read(record.model, record.tokens).energy.value.amount
        measured = record.reading.energy.value.amount
        kind = exchange.call.kind if exchange.call else "other"
        call = Call(entry_id, kind, measured / modelled if modelled else 1.0)
        use = Use(record.model, record.tokens, record.started_us, record.zone)
        return lines(acts, use, call, pricer)

    def cost(self, strategy: str, cpu_seconds: float) -> None:
        """Book CPU time of this process that a step spent: used by it, for no work. [s]

        It is claimed, so that lichen's own overhead does not count it again.
        """
        now_us = time.time_ns() // 1000
        book = self._book
        try:
            raw = {"cpu_seconds": cpu_seconds}
            reading = book.pricer.reading(OF_CPU, raw)
            if reading is None:
                return
            made, gaps = book.pricer.footprint(reading, book.zone, now_us)
            figures = Figures(
                name="cost",
                strategy=strategy,
                work=_NO_REQUEST,
                footprint=made,
                method=OF_CPU,
                factors=reading.factors,
                zone=book.zone,
                raw=raw,
                gaps=gaps,
            )
            book.add(Entry(new_id(now_us), now_us, now_us, "", figures))
        except Exception as error:  # noqa: BLE001 (it stays in lichen's overhead)
            self._tell(error)
        else:
            self._claimed += cpu_seconds

    def claimed(self) -> float:
        """CPU time that steps booked since last asked. [s]"""
        claimed, self._claimed = self._claimed, 0.0
        return claimed
