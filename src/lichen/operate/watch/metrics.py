"""Metrics: the book as counters in base units, for Prometheus.

    SCI = sum(rate(lichen_carbon_grams_total{flow=~"used|overhead"}[1h]))
        / sum(rate(lichen_functional_units_total{unit="request"}[1h]))

Best estimates have the plain names; the ends of the 90 % interval have names of their own (`_low`,
`_high`), so that a sum over labels never adds an end to its value. A counter must not fall, so a
loss (avoided < 0) is counted as flow="lost", day by day: what strategies brought is avoided − lost.

Labels come from a bounded set: no prompt, no user, and models beyond `MODELS` are "other".

Source: Prometheus text exposition format 0.0.4.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

from lichen.ledger.entry import OWN
from lichen.ledger.rollup import Period
from lichen.operate.watch.gauge_words import GAUGES
from lichen.operate.watch.span import floor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from lichen.ledger.footprint import Footprint
    from lichen.ledger.ports import Gap, Store
    from lichen.ledger.rollup import Totals

KIND = "text/plain; version=0.0.4; charset=utf-8"
MODELS = 100
OTHER = "other"
INSIDE = "inside entries"

Labels = tuple[tuple[str, str], ...]
Series = dict[Labels, float]

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_]")
_LABELLED = re.compile(r'([^{]+)\{([a-z_]+)="([^"]*)"\}')
_TOKENS = ("prefill", "cache_read", "cache_write", "decode", "reasoning")
_ENDS: tuple[tuple[str, str, str], ...] = (
    ("", "value", "best estimate"),
    ("_low", "low", "low end of a 90 % interval"),
    ("_high", "high", "high end of a 90 % interval"),
)
_FLOWS = (
    "flow used: by the work; overhead: by lichen itself; avoided and lost: baseline minus used, "
    "above and below zero, day by day."
)
_SCI = "SCI is the rate of flows used and overhead over the rate of lichen_functional_units_total."
_HELP = {
    **{
        f"lichen_energy_joules{end}_total": f"Energy, {what} [J]; {_FLOWS}"
        for end, _, what in _ENDS
    },
    **{
        f"lichen_carbon_grams{end}_total": f"Carbon, {what} [gCO2e]; {_FLOWS} {_SCI}"
        for end, _, what in _ENDS
    },
    "lichen_functional_units_total": "Work done, R [functional unit, as labelled].",
    "lichen_tokens_total": (
        "Tokens by class [token]; flow spared: those of baselines, not computed again. prefill "
        "excludes cache_read and cache_write, decode excludes reasoning."
    ),
    "lichen_entries_total": "Lines in the ledger, by strategy [entry].",
    "lichen_gaps_total": (
        f"What should be known and is not, by name [gap]; {INSIDE!r} are assumptions that lines "
        "carry."
    ),
}
# Sums over the days before yesterday serve this long: a line may be written days after it began.
_FRESH = timedelta(minutes=15)


class Names:
    """The first `most` names met keep a label of their own, in this process for good."""

    def __init__(self, most: int = MODELS) -> None:
        self._most = most
        self._known: set[str] = set()

    def label(self, name: str) -> str:
        """The name, or "other"."""
        if name not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(name)
        return name


class Metrics:
    """Reads a store's counters. Safe to share among threads."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._lock = Lock()
        self._models, self._gaps = Names(), Names()
        self._settled: dict[str, Series] = {}
        self._read_at: datetime | None = None

    def text(self, gauges: Mapping[str, float]) -> str:
        """All metrics in the text format; `gauges` are of this service, by name.

        One whose name ends in `_total` only grows, and is told as a counter.

        A name may have a label: `lichen_upstream_retries_total{provider="gemini"}`.
        """
        with self._lock:
            now = self._clock()
            yesterday = floor(now, Period.DAY) - timedelta(days=1)
            if self._read_at is None or self._is_stale(now):
                before = self._store.totals(Period.DAY, until=yesterday)
                self._settled = _counted(before, self._models)
                self._read_at = now
            new = _counted(self._store.totals(Period.DAY, since=yesterday), self._models)
            made = {name: _added(self._settled[name], new[name]) for name in new}
            made["lichen_gaps_total"] |= self._noted(self._store.gaps())
        lines = [
            line for name in made for line in _family(name, "counter", _HELP[name], made[name])
        ]
        for name, series in sorted(_by_family(gauges).items()):
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += _family(name, kind, GAUGES.get(name, _untold(name)), series)
        return "\n".join(lines) + "\n"

    def _is_stale(self, now: datetime) -> bool:
        assert self._read_at is not None
        new_day = floor(now, Period.DAY) != floor(self._read_at, Period.DAY)
        return new_day or now - self._read_at > _FRESH

    def _noted(self, gaps: Iterable[Gap]) -> Series:
        return _sum(((("what", self._gaps.label(gap.what)),), gap.count) for gap in gaps)


def _counted(rows: list[Totals], names: Names) -> dict[str, Series]:
    """The counters of some roll-ups, by the name of the metric."""
    made = {name: Series() for name in _HELP}
    labelled = [(row, names.label(row.model)) for row in rows]
    for end, which, _ in _ENDS:
        made[f"lichen_energy_joules{end}_total"] = _sum(_flows(labelled, _joules(which)))
        made[f"lichen_carbon_grams{end}_total"] = _sum(_flows(labelled, _grams(which)))
    made["lichen_functional_units_total"] = _sum(
        ((("unit", row.work.unit),), row.work.amount) for row in rows
    )
    made["lichen_tokens_total"] = _sum(_tokens(rows))
    made["lichen_entries_total"] = _sum(
        ((("strategy", row.strategy),), row.entries) for row in rows
    )
    made["lichen_gaps_total"] = {(("what", INSIDE),): sum(row.gaps for row in rows)}
    return made


def _joules(which: str) -> Callable[[Footprint], float]:
    return lambda made: float(getattr(made.energy, which).in_joules)


def _grams(which: str) -> Callable[[Footprint], float]:
    return lambda made: float(getattr(made.carbon, which).in_grams)


def _flows(
    rows: Iterable[tuple[Totals, str]], read: Callable[[Footprint], float]
) -> Iterator[tuple[Labels, float]]:
    for row, model in rows:
        labels = (("strategy", row.strategy), ("model", model))
        saved = read(row.saved)
        yield (("flow", "overhead" if row.strategy == OWN else "used"), *labels), read(row.used)
        if saved:
            yield (("flow", "avoided" if saved > 0 else "lost"), *labels), abs(saved)


def _tokens(rows: Iterable[Totals]) -> Iterator[tuple[Labels, float]]:
    for row in rows:
        for flow, tokens in (("used", row.tokens), ("spared", row.spared)):
            for name in _TOKENS:
                yield (("class", name), ("flow", flow)), getattr(tokens, name)


def _sum(series: Iterable[tuple[Labels, float]]) -> Series:
    sums: Series = defaultdict(float)
    for labels, amount in series:
        sums[labels] += amount
    return dict(sums)


def _added(one: Series, other: Series) -> Series:
    return _sum([*one.items(), *other.items()])


def _by_family(gauges: Mapping[str, float]) -> dict[str, Series]:
    """The gauges by their names without labels."""
    made: dict[str, Series] = defaultdict(dict)
    for full, amount in gauges.items():
        labelled = _LABELLED.fullmatch(full)
        name = labelled[1] if labelled else full
        labels = ((labelled[2], labelled[3]),) if labelled else ()
        made[_gauge_name(name)][labels] = amount
    return made


def _untold(name: str) -> str:
    return f"{name.removeprefix('lichen_').replace('_', ' ')}, as the plug-in that tells it counts."


def _gauge_name(name: str) -> str:
    plain = _NOT_IN_A_NAME.sub("_", name)
    return plain if plain.startswith("lichen_") else f"lichen_{plain}"


def _family(name: str, kind: str, meaning: str, series: Series) -> list[str]:
    head = [f"# HELP {name} {_escaped(meaning)}", f"# TYPE {name} {kind}"]
    return [*head, *(f"{name}{_written(on)} {amount!r}" for on, amount in series.items())]


def _written(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_quoted(value)}"' for name, value in labels)
    return "{" + ",".join(pairs) + "}"


def _quoted(value: str) -> str:
    return _escaped(value).replace('"', '\\"')


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
