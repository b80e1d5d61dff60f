"""Sight: what the book says of a span, read at the price of a glance.

A full reading takes every roll-up of the span: some 40 µs each, so tens of milliseconds. While
somebody looks, the settled part is kept as sums and only the two newest periods are read again;
now and then, and for every page that is asked for, everything is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import reduce
from hashlib import blake2b
from operator import add
from threading import Lock
from typing import TYPE_CHECKING

from lichen.ledger.entry import OWN
from lichen.ledger.estimate import Basis, Estimate, Q
from lichen.ledger.footprint import Footprint
from lichen.ledger.quantities import Carbon
from lichen.ledger.rollup import Period
from lichen.ledger.summary import Summary
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work
from lichen.operate.watch.span import SPANS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry, Figures
    from lichen.ledger.rollup import Totals
    from lichen.operate.watch.span import Span

REQUEST = "request"
Sums = list[float]
# Numbers of a bar: calls, hits, then value, low and high of what was used and avoided.
_WIDTH = 8
# How often to look for what other processes wrote into the book.
_OTHERS = timedelta(seconds=10)
# Entries looked at for the list of the latest, and for the gaps they name.
LATEST = 100


def spared_the_model(row: Totals) -> bool:
    """Whether these entries asked no model: they spared tokens and used none."""
    return row.spared.total > 0 and row.tokens.total == 0


def is_of_a_call(row: Totals) -> bool:
    """Whether these entries are of work, done or failed; not lichen's own, nor an idle model's."""
    return row.strategy != OWN and (row.work.amount > 0 or row.model != "")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the chart: requests, those of them no model was asked for, and carbon."""

    calls: float
    hits: float
    used: Estimate[Carbon]
    avoided: Estimate[Carbon]


@dataclass(frozen=True, slots=True)
class View:
    """A span as it stands: sums, bars, the latest entries."""

    span: Span
    now: datetime
    since: datetime
    summary: Summary
    bars: tuple[Bar, ...]
    latest: tuple[Entry, ...]

    @property
    def has_work(self) -> bool:
        """Whether any work was booked, done or failed."""
        return any(map(is_of_a_call, self.summary.rows))

    @property
    def calls(self) -> float:
        """Requests answered."""
        return sum(bar.calls for bar in self.bars)

    @property
    def hits(self) -> float:
        """Requests answered without asking a model."""
        return sum(bar.hits for bar in self.bars)

    @property
    def unit(self) -> str | None:
        """The functional unit in which SCI is told; None where no work was done."""
        units = self.summary.units
        return REQUEST if REQUEST in units else next(iter(units), None)


@dataclass(frozen=True, slots=True)
class _Settled:
    read_at: datetime
    since: datetime
    until: datetime
    rows: tuple[Totals, ...]
    bars: list[Sums]


class Sight:
    """Reads views of a book. Safe to share among threads."""

    def __init__(self, book: Book, clock: Callable[[], datetime]) -> None:
        self.book = book
        self.clock = clock
        self._lock = Lock()
        self._settled: dict[str, _Settled] = {}
        self._looked: tuple[int, datetime, str] | None = None

    def version(self) -> str:
        """Changes when the totals of these days or the counted gaps do.

        Lichen's own use is left out: showing it costs some, so a page would never come to rest.
        While this process writes nothing, what others write is looked for now and then.
        """
        writer, now = self.book.writer, self.clock()
        if writer is None:
            return self._version()
        looked, written = self._looked, writer.written
        if looked is None or looked[0] != written or now - looked[1] > _OTHERS:
            self._looked = looked = (written, now, self._version())
        return looked[2]

    def _version(self) -> str:
        store = self.book.store
        days = store.totals(Period.DAY, since=SPANS[1].since(self.clock()).replace(hour=0))
        seen = [
            (row.start, row.strategy, row.model, row.entries, row.gaps, row.used.energy.value)
            for row in days
            if is_of_a_call(row)
        ]
        gaps = [(gap.what, gap.count) for gap in store.gaps()]
        return blake2b(repr((seen, gaps)).encode(), digest_size=6).hexdigest()

    def view(self, span: Span) -> View:
        """Everything, read again."""
        with self._lock:
            self._settled.pop(span.name, None)
            return self._view(span)

    def glance(self, span: Span) -> View:
        """What is new, over what is settled."""
        with self._lock:
            return self._view(span)

    def first_with_work(self) -> View:
        """The shortest span in which anything happened; the longest where nothing ever did."""
        for span in SPANS:
            view = self.view(span)
            if view.has_work:
                break
        return view

    def has_any_work(self) -> bool:
        """Whether any work was booked in the longest span."""
        rows = self.book.store.totals(Period.DAY, since=SPANS[-1].since(self.clock()))
        return any(map(is_of_a_call, rows))

    def _view(self, span: Span) -> View:
        now = self.clock()
        settled = self._settled.get(span.name)
        if settled is None or _is_stale(settled, span, now):
            settled = self._read(span, now)
            self._settled[span.name] = settled
        store = self.book.store
        new = store.totals(span.period, since=settled.until)
        bars = [list(sums) for sums in settled.bars]
        _add_to(bars, new, span, settled.since)
        return View(
            span,
            now,
            settled.since,
            Summary(merged([*settled.rows, *new]), store.gaps()),
            tuple(map(_bar, bars)),
            self._latest(),
        )

    def _read(self, span: Span, now: datetime) -> _Settled:
        since, until = span.since(now), span.settled(now)
        rows = self.book.store.totals(span.period, since=since, until=until)
        bars = [[0.0] * _WIDTH for _ in range(span.count)]
        _add_to(bars, rows, span, since)
        return _Settled(now, since, until, tuple(merged(rows)), bars)

    def _latest(self) -> tuple[Entry, ...]:
        entries = self.book.store.entries(newest=LATEST)
        return tuple(entry for entry in entries if _is_a_call(entry.figures))


def _is_a_call(figures: Figures) -> bool:
    return figures.strategy != OWN and (figures.work.amount > 0 or figures.model != "")


def _is_stale(settled: _Settled, span: Span, now: datetime) -> bool:
    moved = settled.since != span.since(now)
    return moved or (now - settled.read_at).total_seconds() > span.fresh


def _add_to(bars: list[Sums], rows: Iterable[Totals], span: Span, since: datetime) -> None:
    """Add roll-ups to their bars; a clock that was wrong may have booked some in the future."""
    for row in rows:
        number = min(span.bar_of(row.start, since), len(bars) - 1)
        bars[number] = list(map(add, bars[number], _amounts(row)))


def _amounts(row: Totals) -> Sums:
    """What a roll-up adds to its bar, in the order in which `_bar` reads it."""
    calls = row.work.amount if row.work.unit == REQUEST and row.strategy != OWN else 0.0
    hits = calls if spared_the_model(row) else 0.0
    return [calls, hits, *_carbon(row.used), *_carbon(row.saved)]


def _carbon(made: Footprint) -> tuple[float, float, float]:
    """`Footprint.carbon` as plain numbers: this runs once for every roll-up. [gCO₂e]"""
    one, other = made.operational, made.embodied
    return (
        one.value.amount + other.value.amount,
        one.low.amount + other.low.amount,
        one.high.amount + other.high.amount,
    )


def _bar(sums: Sums) -> Bar:
    return Bar(sums[0], sums[1], _estimate(*sums[2:5]), _estimate(*sums[5:8]))


def merged(rows: Iterable[Totals]) -> list[Totals]:
    """Sums over time: one roll-up for each strategy, model and unit."""
    alike: dict[tuple[str, str, str], list[Totals]] = defaultdict(list)
    for row in rows:
        alike[row.strategy, row.model, row.work.unit].append(row)
    return [_merge(some) for some in alike.values()]


def _merge(rows: list[Totals]) -> Totals:
    return replace(
        rows[0],
        work=Work(sum(row.work.amount for row in rows), rows[0].work.unit),
        entries=sum(row.entries for row in rows),
        gaps=sum(row.gaps for row in rows),
        tokens=reduce(Tokens.__add__, [row.tokens for row in rows]),
        spared=reduce(Tokens.__add__, [row.spared for row in rows]),
        used=_footprint([row.used for row in rows]),
        saved=_footprint([row.saved for row in rows]),
    )


def _footprint(made: list[Footprint]) -> Footprint:
    """Their sum, as `Footprint` adds, but in plain numbers: hundreds of them at a time."""
    return Footprint(
        _total([one.energy for one in made]),
        _total([one.operational for one in made]),
        _total([one.embodied for one in made]),
    )


def _total(known: list[Estimate[Q]]) -> Estimate[Q]:
    kind = known[0].value.like
    value, low, high = (
        sum([one.value.amount for one in known]),
        sum([one.low.amount for one in known]),
        sum([one.high.amount for one in known]),
    )
    basis = max(one.basis for one in known)
    # Sums of many floats are rounded each on its own; the interval still holds its value.
    return Estimate(kind(value), kind(min(low, value)), kind(max(high, value)), basis)


def _estimate(value: float, low: float, high: float) -> Estimate[Carbon]:
    ends = Carbon.grams(min(low, value)), Carbon.grams(max(high, value))
    return Estimate(Carbon.grams(value), *ends, Basis.MODELLED)
