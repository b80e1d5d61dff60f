"""Roll-ups: sums by minute, hour and day, kept when entries are written.

A report reads a few hundred of these rows instead of every entry. One row is the sum of the entries
of one period that share a strategy, a model and a functional unit; intervals add lows to lows and
highs to highs (see estimate.py), and `basis` is the weakest among them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.estimate import Basis, Estimate, Q
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
# Column order of a roll-up row: counts, work, then value, low and high of each sum.
SUMS = (
    *COUNTS,
    "work",
    *(f"{name}{end}" for name in _TRIPLES for end in ("", "_low", "_high")),
)
FIRST_TRIPLE = len(COUNTS) + 1
_MINUTE_US = 60_000_000


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
        energy.value.amount,
        energy.low.amount,
        energy.high.amount,
        operational.value.amount,
        operational.low.amount,
        operational.high.amount,
        embodied.value.amount,
        embodied.low.amount,
        embodied.high.amount,
        *(_NOTHING_SAVED if baseline is None else _saved(baseline.footprint, used)),
    )


def _saved(baseline: Footprint, used: Footprint) -> tuple[float, ...]:
    """`Figures.saving` as plain numbers: this runs once for every entry written."""
    return (
        *_less(baseline.energy, used.energy),
        *_less(baseline.operational, used.operational),
        *_less(baseline.embodied, used.embodied),
    )


def _less(one: Estimate[Q], other: Estimate[Q]) -> tuple[float, float, float]:
    """`Estimate.minus_shared` as plain numbers."""
    value = one.value.amount - other.value.amount
    low, high = one.low.amount - other.low.amount, one.high.amount - other.high.amount
    if low > high:
        low, high = high, low
    if low <= value <= high:
        return value, low, high
    return (value, value, high) if value < low else (value, low, value)


def basis_of(figures: Figures) -> int:
    """The weakest basis among an entry's energy and carbon."""
    used = figures.footprint
    return max(used.energy.basis, used.operational.basis, used.embodied.basis)


def roll_up(entries: Iterable[Entry]) -> dict[RollupKey, list[float]]:
    """Sums by minute, hour and day; the last number of each row is the weakest basis."""
    counts: dict[tuple[int, int], int] = {}
    figures: dict[int, Figures] = {}
    for entry in entries:
        said = entry.figures
        key = (entry.start_us // _MINUTE_US, id(said))
        if key in counts:
            counts[key] += 1
        else:
            counts[key] = 1
            figures[key[1]] = said
    return roll_up_counted((minute, figures[key], n) for (minute, key), n in counts.items())


def roll_up_counted(groups: Iterable[tuple[int, Figures, int]]) -> dict[RollupKey, list[float]]:
    """Sums over groups of (minute since 1970, figures, how many entries)."""
    minutes: dict[tuple[int, str, str, str], list[tuple[float, ...]]] = defaultdict(list)
    for minute, figures, count in groups:
        adds = (*sums_of(figures), basis_of(figures))
        if count > 1:
            adds = (*[count * add for add in adds[:-1]], adds[-1])
        minutes[minute, figures.strategy, figures.model, figures.work.unit].append(adds)
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


def _sum(rows: Sequence[Sequence[float]]) -> list[float]:
    """Column sums; the last column is a basis, of which the weakest counts."""
    columns = list(zip(*rows, strict=True))
    return [*(sum(column) for column in columns[:-1]), max(columns[-1])]


def totals_of(key: RollupKey, sums: Sequence[float]) -> Totals:
    """The totals a roll-up row stands for; `sums` in the order of `SUMS`, then the basis."""
    counts = dict(zip(COUNTS, (int(n) for n in sums), strict=False))
    basis = Basis(int(sums[-1]))
    ends = [sums[i : i + 3] for i in range(FIRST_TRIPLE, len(SUMS), 3)]
    used, saved = (
        Footprint(
            _estimate(Energy, energy, basis),
            _estimate(Carbon, operational, basis),
            _estimate(Carbon, embodied, basis),
        )
        for energy, operational, embodied in (ends[:3], ends[3:])
    )
    return Totals(
        start=from_microseconds(key.start * 1_000_000),
        period=Period(key.period),
        strategy=key.strategy,
        model=key.model,
        work=Work(sums[len(COUNTS)], key.unit),
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
