"""Roll-ups: sums by minute, hour and day, kept when entries are written.

A report reads a few hundred of these rows instead of every entry. One row is the sum of the entries
of one period that share a strategy, a model and a functional unit; intervals add lows to lows and
highs to highs (see estimate.py). Of the bases the weakest stands, for what was used and for what
was saved: a hit that used nothing is measured, its saving is as modelled as its baseline.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.ledger.entry import ACROSS_ZONES
from lichen.ledger.estimate import Basis, Estimate, Q, less
from lichen.ledger.footprint import Footprint
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.sci import SCI
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work, from_microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from lichen.ledger.entry import Entry, Figures

_TRIPLES = (
    "energy",
    "operational",
    "embodied",
    "saved_energy",
    "saved_operational",
    "saved_embodied",
)
COUNTS = (
    "entries",
    "gaps",
    "prefill",
    "cache_read",
    "cache_write",
    "decode",
    "reasoning",
    "spared_prefill",
    "spared_cache_read",
    "spared_cache_write",
    "spared_decode",
    "spared_reasoning",
)
# Column order of a roll-up row: counts, work, value, low and high of each sum, then the bases.
SUMS = (
    *COUNTS,
    "work",
    *(f"{name}{end}" for name in _TRIPLES for end in ("", "_low", "_high")),
)
BASES = ("basis", "saved_basis")
FIRST_TRIPLE = len(COUNTS) + 1
MINUTE_US = 60_000_000


class Period(IntEnum):
    """The length of a roll-up. [s]"""

    MINUTE = 60
    HOUR = 3600
    DAY = 86400


class RollupKey(NamedTuple):
    """What the entries of one roll-up row share; `start` is in seconds since 1970 UTC."""

    period: int
    start: int
    strategy: str
    model: str
    unit: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over entries: how many, their work, tokens and footprints, and what could not be known.

    `saved` is the sum of the entries' savings (baseline − used), before lichen's own overhead.
    `spared` are the tokens of the baselines, that is, those not computed again.
    """

    start: datetime
    period: Period
    strategy: str
    model: str
    work: Work
    entries: int
    gaps: int
    tokens: Tokens
    spared: Tokens
    used: Footprint
    saved: Footprint

    @property
    def sci(self) -> SCI:
        """Carbon per unit of these entries' work.

        Raises:
            NoWorkDone: they did none.
        """
        return SCI(self.used.carbon, self.work)


def sums_of(figures: Figures) -> tuple[float, ...]:
    """What one entry with these figures adds to a roll-up, in the order of `SUMS`."""
    tokens, used, baseline = figures.tokens, figures.footprint, figures.baseline
    spared = _NO_TOKENS if baseline is None else baseline.tokens
    energy, operational, embodied = used.energy, used.operational, used.embodied
    return (
        1,
        len(figures.gaps),
        tokens.prefill,
        tokens.cache_read,
        tokens.cache_write,
        tokens.decode,
        tokens.reasoning,
        spared.prefill,
        spared.cache_read,
        spared.cache_write,
        spared.decode,
        spared.reasoning,
        figures.work.amount,
        *energy.numbers,
        *operational.numbers,
        *embodied.numbers,
        *(_NOTHING_SAVED if baseline is None else _saved(baseline.footprint, figures)),
    )


def _saved(baseline: Footprint, figures: Figures) -> tuple[float, ...]:
    """`Figures.saving` as plain numbers: this runs once for every entry written."""
    used = figures.footprint
    if used.energy.numbers == used.operational.numbers == used.embodied.numbers == _NONE:
        # As it is with every answer from a store.
        return (
            *baseline.energy.numbers,
            *baseline.operational.numbers,
            *baseline.embodied.numbers,
        )
    across = _less_across if ACROSS_ZONES in figures.gaps else _less
    return (
        *_less(baseline.energy, used.energy),
        *across(baseline.operational, used.operational),
        *_less(baseline.embodied, used.embodied),
    )


def _less(one: Estimate[Q], other: Estimate[Q]) -> tuple[float, float, float]:
    """`Estimate.minus_shared` as plain numbers."""
    value, low, high = map(less, one.numbers, other.numbers)
    if low > high:
        low, high = high, low
    if low <= value <= high:
        return value, low, high
    return (value, value, high) if value < low else (value, low, value)


def _less_across(one: Estimate[Q], other: Estimate[Q]) -> tuple[float, float, float]:
    """`Estimate.minus` as plain numbers."""
    (of, least, most), (without, without_least, without_most) = one.numbers, other.numbers
    value, low, high = less(of, without), less(least, without_most), less(most, without_least)
    return value, min(low, value), max(high, value)


def bases_of(figures: Figures) -> tuple[int, int]:
    """The weakest basis among an entry's energy and carbon, and among its saving's."""
    used, baseline = figures.footprint, figures.baseline
    basis = max(used.energy.basis, used.operational.basis, used.embodied.basis)
    if baseline is None:
        return basis, Basis.MEASURED
    instead = baseline.footprint
    return basis, max(
        basis, instead.energy.basis, instead.operational.basis, instead.embodied.basis
    )


class Sums:
    """Entries on their way into the roll-ups, counted one by one as they come."""

    def __init__(self) -> None:
        # By minute and figures' identity: how many entries, and what one of them adds.
        self._groups: dict[tuple[int, int], list[Any]] = {}

    def add(self, minute: int, figures: Figures, count: int = 1) -> None:
        """So many more entries with these figures, begun in that minute since 1970."""
        key = (minute, id(figures))
        group = self._groups.get(key)
        if group is None:
            adds = (*sums_of(figures), *bases_of(figures))
            # The figures are kept, so that their identity is nobody else's.
            self._groups[key] = [count, figures, adds]
        else:
            group[0] += count

    def rows(self) -> dict[RollupKey, list[float]]:
        """Sums by minute, hour and day, each row in the order of `SUMS` and `BASES`."""
        minutes: dict[tuple[int, str, str, str], list[tuple[float, ...]]] = defaultdict(list)
        for (minute, _), (count, figures, adds) in self._groups.items():
            minutes[minute, figures.strategy, figures.model, figures.work.unit].append(
                adds if count == 1 else _times(count, adds)
            )
        rows = {
            RollupKey(60, minute * 60, *names): _sum(parts)
            for (minute, *names), parts in minutes.items()
        }
        longer: dict[RollupKey, list[Sequence[float]]] = defaultdict(list)
        for key, row in rows.items():
            for period in (Period.HOUR, Period.DAY):
                start = key.start // period * period
                longer[key._replace(period=int(period), start=start)].append(row)
        return rows | {key: _sum(parts) for key, parts in longer.items()}


def _times(count: int, adds: tuple[float, ...]) -> tuple[float, ...]:
    """What so many entries add that each add this much; bases are as weak as one's."""
    return (*(count * add for add in adds[: len(SUMS)]), *adds[len(SUMS) :])


def roll_up(entries: Iterable[Entry]) -> dict[RollupKey, list[float]]:
    """Sums over entries by minute, hour and day."""
    sums = Sums()
    for entry in entries:
        sums.add(entry.start_us // MINUTE_US, entry.figures)
    return sums.rows()


def merged(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Two roll-up rows as one."""
    return _sum((one, other))


def _sum(rows: Sequence[Sequence[float]]) -> list[float]:
    """Column sums; of each basis the weakest."""
    columns = list(zip(*rows, strict=True))
    sums, bases = columns[: len(SUMS)], columns[len(SUMS) :]
    return [*(sum(column) for column in sums), *(int(max(column)) for column in bases)]


def totals_of(key: RollupKey, row: Sequence[float]) -> Totals:
    """The totals a roll-up row stands for; `row` in the order of `SUMS`, then `BASES`."""
    counts = dict(zip(COUNTS, (int(n) for n in row), strict=False))
    ends = [row[i : i + 3] for i in range(FIRST_TRIPLE, len(SUMS), 3)]
    used, saved = (
        Footprint(
            _estimate(Energy, energy, Basis(int(basis))),
            _estimate(Carbon, operational, Basis(int(basis))),
            _estimate(Carbon, embodied, Basis(int(basis))),
        )
        for (energy, operational, embodied), basis in zip(
            (ends[:3], ends[3:]), row[len(SUMS) :], strict=True
        )
    )
    return Totals(
        start=from_microseconds(key.start * 1_000_000),
        period=Period(key.period),
        strategy=key.strategy,
        model=key.model,
        work=Work(row[len(COUNTS)], key.unit),
        entries=counts["entries"],
        gaps=counts["gaps"],
        tokens=_tokens(counts, ""),
        spared=_tokens(counts, "spared_"),
        used=used,
        saved=saved,
    )


def _tokens(counts: Mapping[str, int], prefix: str) -> Tokens:
    names = ("prefill", "cache_read", "cache_write", "decode", "reasoning")
    return Tokens(*(counts[prefix + name] for name in names))


def _estimate(kind: type[Q], triple: Sequence[float], basis: Basis) -> Estimate[Q]:
    value, low, high = triple
    # Adding many floats rounds each sum on its own; the interval must still hold its value.
    return Estimate(kind(value), kind(min(low, value)), kind(max(high, value)), basis)


_NO_TOKENS = Tokens()
_NOTHING_SAVED = (0.0,) * 9
_NONE = (0.0, 0.0, 0.0)
