"""Reading: the book opened to be read, and what a report takes from it.

A report needs a store and nothing else: no meter, no grid, so that it works where those are wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lichen.calls.similar.seen import Learnt, learnt
from lichen.cli import naming
from lichen.ledger.dry import DrySums, dry_runs
from lichen.ledger.entry import NONE, OWN, TRIAL
from lichen.ledger.errors import InputError
from lichen.ledger.summary import Line, Summary
from lichen.ledger.trial import Trial, trials
from lichen.operate.watch import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lichen.cli.moment import Span
    from lichen.ledger.entry import Entry
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.ports import Store
    from lichen.ledger.rollup import Totals
    from lichen.ledger.sci import SCI

# The newest entries whose gaps are told by name; roll-ups only count them.
NAMED = 1000
# How many times as many entries are looked at where too few of them are work. [1]
_MORE = 16
REQUEST = "request"


def _hour(row: Totals) -> str:
    return row.start.replace(minute=0).isoformat(timespec="minutes")


KEYS: dict[str, Callable[[Totals], str]] = {
    "strategy": words.strategy_of,
    "model": lambda row: row.model,
    "hour": _hour,
}


@dataclass(frozen=True)
class Report:
    """What the book says about a time.

    `named` counts the gaps of the newest `looked_at` entries by name.
    """

    where: str
    span: Span
    summary: Summary
    named: Counter[str]
    looked_at: int
    entries: tuple[Entry, ...] = ()
    trials: Sequence[Trial] = ()
    dry: Mapping[str, DrySums] = field(default_factory=dict)
    similar: Sequence[Learnt] = ()

    @property
    def calls(self) -> float:
        """Calls that were answered; what was booked without an answer is a gap, not a call."""
        rows = self.summary.rows
        return sum(row.work.amount for row in rows if row.work.unit == REQUEST)

    @property
    def jobs(self) -> dict[str, float]:
        """Work beside calls, by its unit: trainings, runs of a command."""
        made = defaultdict[str, float](float)
        for row in self.summary.rows:
            if row.work.amount and row.work.unit != REQUEST:
                made[row.work.unit] += row.work.amount
        return dict(sorted(made.items()))

    @property
    def only_measured(self) -> bool:
        """Whether all of it is work that no strategy had a hand in, as `lichen measure` books.

        Then there is nothing to be with or without lichen.
        """
        strategies = {row.strategy for row in self.summary.rows}
        return bool(self.jobs) and not self.calls and strategies <= {NONE, OWN}

    @property
    def hits(self) -> float:
        """Calls that no model had to answer."""
        return sum(self.hits_by["strategy"].values())

    @property
    def withheld(self) -> Line:
        """Calls for which an answer was stored and the policy asked the model anew."""
        return self.summary.of_strategy(naming.WITHHELD)

    def used_per(self, unit: str) -> Footprint:
        """What was used in that unit of work, overhead included."""
        return Line.of(unit, (row for row in self.summary.rows if row.work.unit == unit)).used

    @property
    def sci(self) -> list[SCI]:
        """SCI in each unit in which work was done."""
        return [self.summary.sci(unit) for unit in self.summary.units]

    @property
    def by(self) -> dict[str, list[Line]]:
        """Lines by each key a report can be cut by."""
        return {name: self.summary.by(key) for name, key in KEYS.items()}

    @property
    def hits_by(self) -> dict[str, defaultdict[str, float]]:
        """Hits by each key."""
        counted = {name: defaultdict[str, float](float) for name in KEYS}
        for row in self.summary.rows:
            if naming.is_hit(row.strategy):
                for name, key in KEYS.items():
                    counted[name][key(row)] += row.work.amount
        return counted


def read(where: str, span: Span, newest: int = 0, *, state: str = "") -> Report:
    """The report of a ledger over a time, with its `newest` entries of calls and other work.

    `state` is the folder that steps keep their files in, empty for beside the ledger.

    Raises:
        InputError: there is no such ledger.
        StoreUnavailable: it cannot be read.
    """
    from lichen.calls.steps import Place

    kept = Place(where, state).file("similar")
    with closing(existing(where)) as store:
        rows = store.totals(span.period, since=span.since, until=span.until)
        looked = store.entries(since=span.since, until=span.until, newest=NAMED)
        entries = [entry for entry in looked if not entry.figures.strategy.startswith(TRIAL)]
        named = Counter(gap for entry in entries for gap in entry.figures.gaps)
        sums = _sums(store, rows, span)
        return Report(
            where,
            span,
            Summary(rows, store.gaps()),
            named,
            len(entries),
            _newest(store, {row.strategy for row in rows}, span, newest),
            trials(sums),
            dry_runs(sums),
            () if kept is None else tuple(learnt(kept)),
        )


def _newest(store: Store, strategies: Iterable[str], span: Span, newest: int) -> tuple[Entry, ...]:
    """The newest entries, newest first, that are no use of lichen's own and no sums of trials.

    A service books its own use every few seconds: each strategy is asked for by its name, so that
    a night of that hides no call.
    """
    found: list[Entry] = []
    for strategy in strategies:
        if newest and strategy != OWN and not strategy.startswith(TRIAL):
            found += _of_work(store, strategy, span, newest)
    return tuple(sorted(found, key=lambda entry: entry.id, reverse=True)[:newest])


def _of_work(store: Store, strategy: str, span: Span, newest: int) -> list[Entry]:
    """The newest entries of a strategy but those of an embedded model that answers nobody."""
    asked = newest
    while True:
        looked = list(
            store.entries(since=span.since, until=span.until, strategy=strategy, newest=asked)
        )
        found = [entry for entry in looked if not words.is_idle(entry.figures)]
        if len(found) >= newest or len(looked) < asked:
            return found[:newest]
        asked *= _MORE


def _sums(store: Store, rows: Iterable[Totals], span: Span) -> list[Entry]:
    """The sums of holdouts and of dry runs; each strategy's are a few entries a minute."""
    names = sorted({row.strategy for row in rows if row.strategy.startswith(TRIAL)})
    return [
        entry
        for name in names
        for entry in store.entries(since=span.since, until=span.until, strategy=name)
    ]


def existing(where: str) -> Store:
    """The store of a ledger that is there: reading never makes one.

    Raises:
        InputError: there is none.
    """
    from lichen.assemble import open_store

    if "://" not in where and where != "memory:" and not Path(where).exists():
        raise InputError(
            f"there is no ledger at {where}: `lichen serve`, `run` and `measure` make one, "
            "--ledger or LICHEN_LEDGER names another"
        )
    return open_store(where)


def shown(where: str) -> str:
    """A ledger's place as it may be shown: without the password of a database."""
    parts = urlsplit(where)
    if not parts.password:
        return where
    return where.replace(f":{parts.password}@", ":…@", 1)


def no_trace_here(what: str) -> str:
    """What to say where history may have been priced by a trace that this shell does not name."""
    return (
        f"lichen: {what} prices by yearly averages: where the service has a recorded trace or "
        "another zone (LICHEN_TRACE, LICHEN_ZONE, lichen.toml), give the same here: --trace, --zone"
    )
