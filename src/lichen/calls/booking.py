"""Booking: what each call used and spared, as entries of the book and as headers of the answer.

    a call to the upstream   used = its tokens or CPU time, priced         strategy "none"
    a hit                    used = 0, baseline = the stored call, priced  strategy "calls.exact"
    a call that waited       used = 0, baseline = the call waited for  strategy "calls.coalesce"

The gateway's own CPU time is booked apart, as lichen's overhead. Booking never breaks a call: what
cannot be known becomes a counted gap.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.reuse import NOT_PRICED, UNKNOWN, instead, not_priced
from lichen.calls.step_book import StepBook
from lichen.calls.stored import Origin, Stored
from lichen.calls.telling import avoided_headers, used_headers
from lichen.ledger.entry import NONE, Baseline, Entry, Figures
from lichen.ledger.errors import InputError
from lichen.ledger.footprint import Footprint
from lichen.ledger.ids import new_id
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Exchange, Headers, Record
    from lichen.ledger.book import Book

EXACT = "calls.exact"
COALESCE = "calls.coalesce"
# Calls for which a stored answer existed and the policy asked for a new one.
WITHHELD = "none.sampled"
STORED_CALL = "stored-call/1"
SHARED_CALL = "shared-call/1"
# Counted apart from entries: no entry can have that time.
CLOCK_WRONG = "calls not booked: this machine's clock is before 2024"

_REQUEST = Work(1, "request")
_NO_REQUEST = Work(0, "request")
_NOTHING = Footprint.zero()
_MINUTE_US = 60_000_000
_HIT = (b"x-lichen-cache", b"hit")


class Booker:
    """Writes entries for calls into a book. `on_error` hears what could not be booked, and why."""

    def __init__(
        self, book: Book, *, on_error: Callable[[object], None] = lambda _error: None
    ) -> None:
        self._book = book
        self._pricer = book.pricer
        self._on_error = on_error
        self.steps = StepBook(book, self.tell)

    def new_id(self, at_us: int) -> str | None:
        """An id for a call at that time; None, and a counted gap, where no entry can have it."""
        try:
            return new_id(at_us)
        except InputError as error:
            self.tell(error)
            with suppress(Exception):
                self._book.note_gap(CLOCK_WRONG)
            return None

    def begun(self) -> None:
        """A call begins that will be booked: until then a kill is to count it."""
        try:  # noqa: SIM105 (`suppress` costs every call 0.4 µs)
            self._book.under_way(1)
        except Exception:  # noqa: BLE001, S110 (the call goes on)
            pass

    def ended(self) -> None:
        """It has been booked."""
        try:  # noqa: SIM105 (as above)
            self._book.under_way(-1)
        except Exception:  # noqa: BLE001, S110 (as above)
            pass

    def upstream(self, exchange: Exchange, record: Record) -> Headers:
        """Book a call that the upstream answered; the headers that say what it used."""
        try:
            figures = self._used(exchange, record)
        except Exception as error:  # noqa: BLE001 (the call was answered: it becomes a gap)
            self.tell(error)
            self.unknown(exchange, record, NOT_PRICED)
            return []
        self._add(exchange, record, figures)
        if exchange.noted is not None:
            self.steps.book(exchange, record, record.entry_id, figures.footprint.energy.value)
        return used_headers(figures.footprint)

    def _used(self, exchange: Exchange, record: Record) -> Figures:
        assert record.tokens is not None
        reading = record.reading
        if reading is None:
            # Not measured, or not measurable this time: from its tokens.
            calls = self._pricer.calls
            reading = record.reading = calls.read(record.model, record.tokens)
            record.method, record.factors = calls.method, calls.factors
        made, gaps = self._pricer.footprint(reading, record.zone, record.started_us)
        raw: dict[str, float | str] = {"bytes_in": len(exchange.body), "bytes_out": record.size}
        if exchange.key:
            raw["call"], raw["answer"] = exchange.key.hex()[:32], record.digest
        if record.cpu_seconds is not None:
            raw["cpu_seconds"] = record.cpu_seconds
        if exchange.noted is not None:
            raw.update(exchange.noted.raw)
            if "call" in raw:
                raw["answer"] = record.digest
        return Figures(
            name=exchange.call.kind if exchange.call else "other",
            strategy=WITHHELD if exchange.withheld else NONE,
            work=_REQUEST,
            footprint=made,
            method=record.method,
            factors=record.factors,
            zone=record.zone,
            model=record.model,
            tokens=record.tokens,
            raw=raw,
            gaps=record.gaps + gaps,
        )

    def unknown(self, exchange: Exchange, record: Record, gap: str) -> None:
        """Book a call whose use nobody can tell: it counts as a gap, not as zero.

        What was measured of it counts as used all the same, for no work.
        """
        made: Footprint = _NOTHING
        gaps: tuple[str, ...] = ()
        raw: dict[str, float | str] = {}
        if record.reading is not None and record.cpu_seconds is not None:
            with suppress(Exception):
                made, gaps = self._pricer.footprint(record.reading, record.zone, record.started_us)
                raw["cpu_seconds"] = record.cpu_seconds
        figures = Figures(
            name=exchange.call.kind if exchange.call else "other",
            strategy=NONE,
            work=_NO_REQUEST,
            footprint=made,
            method=record.method if raw else UNKNOWN,
            factors=record.factors if raw else "",
            zone=record.zone,
            model=record.model,
            raw=raw,
            gaps=(gap, *gaps),
        )
        self._add(exchange, record, figures)

    def _add(self, exchange: Exchange, record: Record, figures: Figures) -> None:
        end_us = time.time_ns() // 1000
        self._put(Entry(record.entry_id, record.started_us, end_us, exchange.tenant, figures))

    def _put(self, entry: Entry) -> None:
        try:
            self._book.add(entry)
        except Exception as error:  # noqa: BLE001 (a broken ledger must not break the call)
            self.tell(error)

    def tell(self, error: Exception) -> None:
        """Something could not be booked; the call goes on."""
        with suppress(Exception):
            self._on_error(error)

    def hit(self, stored: Stored, now_us: int, tenant: str) -> bytes:
        """Book a hit and make its header block: one entry, and three pieces of bytes joined."""
        entry_id = self._hit(stored, now_us, tenant)
        if entry_id is None:
            return block([*stored.headers, _HIT])
        age = (now_us - stored.stored_us) // 1_000_000
        return b"%b%b%b%d\r\n" % (stored.head, entry_id.encode(), stored.tail, max(0, age))

    def hit_headers(self, stored: Stored, now_us: int, tenant: str) -> Headers:
        """Book a hit; its headers, but for those of the stored answer."""
        entry_id = self._hit(stored, now_us, tenant)
        if entry_id is None:
            return []
        age = max(0, (now_us - stored.stored_us) // 1_000_000)
        return [*_hit_notes(stored), (b"x-lichen-id", entry_id.encode()), (b"age", b"%d" % age)]

    def _hit(self, stored: Stored, now_us: int, tenant: str) -> str | None:
        """The id of a hit that was booked; None where it could not be."""
        entry_id = self.new_id(now_us)
        if entry_id is None:
            return None
        try:
            if now_us >= stored.figures_until_us:
                self._ready(stored, now_us)
            figures = stored.figures
            assert figures is not None
            self._book.add(Entry(entry_id, now_us, now_us, tenant, figures))
        except Exception as error:  # noqa: BLE001 (the answer is at hand: it is given)
            self.tell(error)
            if now_us >= stored.figures_until_us:  # no price could be had
                self._put(Entry(entry_id, now_us, now_us, tenant, not_priced(stored.origin, EXACT)))
            return None
        return entry_id

    def _ready(self, stored: Stored, now_us: int) -> None:
        """Price a stored answer for this minute; the figures stay while the grid stays the same."""
        figures = instead(self._pricer, stored.origin, now_us, (EXACT, STORED_CALL))
        raw = {**figures.raw, "call": stored.key.hex()[:32], "answer": stored.digest}
        figures = replace(figures, raw=raw)
        if stored.figures != figures:
            stored.figures = figures
            stored.head = block([*stored.headers, _HIT, *_hit_notes(stored)]) + b"x-lichen-id: "
            stored.tail = b"\r\nage: "
        stored.figures_until_us = (now_us // _MINUTE_US + 1) * _MINUTE_US

    def shared(
        self,
        exchange: Exchange,
        record: Record,
        entry_id: str,
        *,
        strategy: str = COALESCE,
        method: str = SHARED_CALL,
    ) -> Headers:
        """Book a call that was answered by another one under way, or just before; its headers."""
        start_us, end_us = exchange.started_us, time.time_ns() // 1000
        origin = origin_of(exchange, record)
        if origin is None:
            # The call it waited for is a gap already, and so is this one.
            self.unknown(exchange, replace(record, entry_id=entry_id, reading=None), NOT_PRICED)
            return []
        try:
            figures = instead(self._pricer, origin, start_us, (strategy, method))
        except Exception as error:  # noqa: BLE001 (the call was answered: it becomes a gap)
            self.tell(error)
            figures = not_priced(origin, strategy)
        else:
            noted = exchange.noted.raw if exchange.noted is not None else {}
            call = exchange.key.hex()[:32] or noted.get("call", "")
            raw = {**figures.raw, "call": call, "answer": record.digest}
            figures = replace(figures, raw=raw)
        self._put(Entry(entry_id, start_us, end_us, exchange.tenant, figures))
        if exchange.noted is not None:
            self.steps.book(exchange, record, entry_id, figures.footprint.energy.value)
        return [] if figures.baseline is None else both_headers(figures, figures.baseline)


def origin_of(exchange: Exchange, record: Record) -> Origin | None:
    """The origin of answers that reuse this call; None while or where its use is not known."""
    if record.reading is None or record.tokens is None or exchange.call is None:
        return None
    return Origin(
        record.entry_id,
        exchange.call.kind,
        record.model,
        record.zone,
        record.method,
        record.factors,
        record.tokens,
        record.reading,
        record.cpu_seconds,
        record.gaps,
    )


def _hit_notes(stored: Stored) -> Headers:
    figures = stored.figures
    assert figures is not None
    assert figures.baseline is not None
    return both_headers(figures, figures.baseline)


def both_headers(figures: Figures, baseline: Baseline) -> Headers:
    """What a call used and what it spared."""
    return [*used_headers(figures.footprint), *avoided_headers(baseline.footprint)]


def block(headers: Headers) -> bytes:
    """Headers as they go over the wire."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
