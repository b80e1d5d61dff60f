"""Booking: what each call used and spared, as entries of the book and as headers of the answer.

    a call to the upstream   used = its tokens or CPU time, priced         strategy "none"
    a hit                    used = 0, baseline = the stored call, priced  strategy "calls.exact"
    a call that waited       used = 0, baseline = the call waited for  strategy "calls.coalesce"

The gateway's own CPU time is booked apart, as lichen's overhead. Booking never breaks a call: what
cannot be known becomes a counted gap.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.answers import Origin, Stored
from lichen.ledger.entry import NONE, Baseline, Entry, Figures
from lichen.ledger.footprint import Footprint
from lichen.ledger.ids import new_id
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from lichen.calls.exchange import Exchange, Headers, Record
    from lichen.ledger.book import Book

EXACT = "calls.exact"
COALESCE = "calls.coalesce"
# Calls for which a stored answer existed and the policy asked for a new one.
WITHHELD = "none.sampled"
STORED_CALL = "stored-call/1"
SHARED_CALL = "shared-call/1"
_REQUEST = Work(1, "request")
_NO_REQUEST = Work(0, "request")
_MINUTE_US = 60_000_000


class Booker:
    """Writes entries for calls into a book."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._pricer = book.pricer

    def price(self, record: Record) -> None:
        """Read the energy of a finished call from its tokens, where it was not measured."""
        if record.reading is None and record.tokens is not None:
            calls = self._pricer.calls
            record.reading = calls.read(record.model, record.tokens)
            record.method, record.factors = calls.method, calls.factors

    def upstream(self, exchange: Exchange, record: Record) -> Headers:
        """Book a call that the upstream answered; the headers that say what it used."""
        assert record.reading is not None
        assert record.tokens is not None
        made, gaps = self._pricer.footprint(record.reading, record.zone, record.started_us)
        raw: dict[str, float | str] = {"bytes_in": len(exchange.body), "bytes_out": record.size}
        if exchange.key:
            raw["call"], raw["answer"] = exchange.key.hex()[:32], record.digest
        if record.cpu_seconds is not None:
            raw["cpu_seconds"] = record.cpu_seconds
        figures = Figures(
            name=exchange.call.kind if exchange.call else "",
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
        self._add(exchange, record, figures)
        return used_headers(made)

    def _add(self, exchange: Exchange, record: Record, figures: Figures) -> None:
        end_us = time.time_ns() // 1000
        start_us = record.started_us
        self._book.add(Entry(record.entry_id, start_us, end_us, exchange.tenant, figures))

    def unknown(self, exchange: Exchange, record: Record, gap: str) -> None:
        """Book a call whose use nobody can tell: it counts as a gap, not as zero."""
        figures = Figures(
            name=exchange.call.kind if exchange.call else "other",
            strategy=NONE,
            work=_NO_REQUEST,
            footprint=Footprint.zero(),
            method="unknown/1",
            factors="",
            zone=record.zone,
            model=record.model,
            gaps=(gap,),
        )
        self._add(exchange, record, figures)

    def hit(self, stored: Stored, now_us: int, tenant: str) -> bytes:
        """Book a hit and make its header block: one entry, and three pieces of bytes joined."""
        entry_id = self._hit(stored, now_us, tenant)
        age = (now_us - stored.stored_us) // 1_000_000
        return b"%b%b%b%d\r\n" % (stored.head, entry_id.encode(), stored.tail, max(0, age))

    def hit_headers(self, stored: Stored, now_us: int, tenant: str) -> Headers:
        """Book a hit; its headers, but for those of the stored answer."""
        entry_id = self._hit(stored, now_us, tenant)
        age = max(0, (now_us - stored.stored_us) // 1_000_000)
        return [*_hit_notes(stored), (b"x-lichen-id", entry_id.encode()), (b"age", b"%d" % age)]

    def _hit(self, stored: Stored, now_us: int, tenant: str) -> str:
        if now_us >= stored.figures_until_us:
            self._ready(stored, now_us)
        entry_id = new_id(now_us)
        figures = stored.figures
        assert figures is not None
        self._book.add(Entry(entry_id, now_us, now_us, tenant, figures))
        return entry_id

    def _ready(self, stored: Stored, now_us: int) -> None:
        """Price a stored answer for this minute; the figures stay while the grid stays the same."""
        figures = self._instead(stored.origin, now_us, EXACT, STORED_CALL)
        raw = {**figures.raw, "call": stored.key.hex()[:32], "answer": stored.digest}
        figures = replace(figures, raw=raw)
        if stored.figures is None or stored.figures.baseline != figures.baseline:
            stored.figures = figures
            notes = [(b"x-lichen-cache", b"hit"), *_hit_notes(stored)]
            stored.head = block([*stored.headers, *notes]) + b"x-lichen-id: "
            stored.tail = b"\r\nage: "
        stored.figures_until_us = (now_us // _MINUTE_US + 1) * _MINUTE_US

    def shared(self, exchange: Exchange, origin: Origin) -> Headers:
        """Book a call that was answered by another one under way; its headers."""
        figures = self._instead(origin, exchange.started_us, COALESCE, SHARED_CALL)
        figures = replace(figures, raw={**figures.raw, "call": exchange.key.hex()[:32]})
        start_us, end_us = exchange.started_us, time.time_ns() // 1000
        entry = Entry(new_id(start_us), start_us, end_us, exchange.tenant, figures)
        self._book.add(entry)
        assert figures.baseline is not None
        return [
            (b"x-lichen-id", entry.id.encode()),
            *used_headers(figures.footprint),
            *avoided_headers(figures.baseline.footprint),
        ]

    def _instead(self, origin: Origin, at_us: int, strategy: str, method: str) -> Figures:
        """The figures of a call that another call's answer served."""
        again = self._pricer.instead(origin.reading, origin.model, origin.tokens)
        made, gaps = self._pricer.footprint(again, origin.zone, at_us)
        raw: dict[str, float | str] = {}
        if origin.cpu_seconds is not None:
            raw["baseline_cpu_seconds"] = origin.cpu_seconds
        return Figures(
            name=origin.kind,
            strategy=strategy,
            work=_REQUEST,
            footprint=Footprint.zero(),
            method=origin.method,
            factors=origin.factors,
            zone=origin.zone,
            model=origin.model,
            tokens=Tokens(),
            raw=raw,
            baseline=Baseline(made, method, origin.entry_id, origin.tokens),
            gaps=origin.gaps + gaps,
        )


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
    return [
        *used_headers(figures.footprint),
        *avoided_headers(figures.baseline.footprint),
    ]


def used_headers(made: Footprint) -> Headers:
    """What a call used, with the 90 % interval: energy [Wh] and carbon [gCO₂e]."""
    energy, operational, embodied = made.energy, made.operational, made.embodied
    wh = _triple(energy.value.in_wh, energy.low.in_wh, energy.high.in_wh)
    grams = _triple(
        operational.value.amount + embodied.value.amount,
        operational.low.amount + embodied.low.amount,
        operational.high.amount + embodied.high.amount,
    )
    return [(b"x-lichen-energy-wh", wh), (b"x-lichen-carbon-g", grams)]


def avoided_headers(instead: Footprint) -> Headers:
    """What a call spared, with the 90 % interval: energy [Wh] and carbon [gCO₂e]."""
    return [
        (name.replace(b"x-lichen-", b"x-lichen-avoided-"), value)
        for name, value in used_headers(instead)
    ]


def block(headers: Headers) -> bytes:
    """Headers as they go over the wire."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


def _triple(value: float, low: float, high: float) -> bytes:
    """A number with parameters, as RFC 9651 (structured fields) writes it."""
    return b"%.4g; low=%.4g; high=%.4g" % (value, low, high)
