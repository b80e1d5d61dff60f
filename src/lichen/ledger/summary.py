"""Summary: what the book says about a time, from its roll-ups alone.

used     what the work took, with what lichen itself took apart
avoided  Σ (baseline − used) over the entries where a strategy acted
net      avoided − lichen's own overhead
SCI      Σ carbon of all entries, overhead included / Σ work
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING

from lichen.ledger.entry import OWN, TRIAL
from lichen.ledger.errors import NoWorkDone
from lichen.ledger.footprint import Footprint
from lichen.ledger.sci import SCI
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lichen.ledger.ports import Gap
    from lichen.ledger.rollup import Totals


# The unit in which calls are counted.
REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Line:
    """The sum of some totals under one name.

    `work` adds amounts of whatever units the rows have: ask for it where they have one; `calls` are
    requests alone.
    """

    name: str
    entries: int
    work: float
    calls: float
    tokens: Tokens
    spared: Tokens
    used: Footprint
    saved: Footprint
    gaps: int

    @classmethod
    def of(cls, name: str, rows: Iterable[Totals]) -> Line:
        """Add up rows; none of them is a line of zeros."""
        rows = list(rows)
        return cls(
            name=name,
            entries=sum(row.entries for row in rows),
            work=sum(row.work.amount for row in rows),
            calls=sum(row.work.amount for row in rows if row.work.unit == REQUEST),
            tokens=reduce(Tokens.__add__, (row.tokens for row in rows), Tokens()),
            spared=reduce(Tokens.__add__, (row.spared for row in rows), Tokens()),
            used=reduce(Footprint.__add__, (row.used for row in rows), Footprint.zero()),
            saved=reduce(Footprint.__add__, (row.saved for row in rows), Footprint.zero()),
            gaps=sum(row.gaps for row in rows),
        )


@dataclass(frozen=True)
class Summary:
    """Roll-up rows of a time and the gaps counted beside them."""

    rows: Sequence[Totals]
    gaps: Sequence[Gap] = ()

    def __post_init__(self) -> None:
        """Leave out the sums of trials, which say again what other entries have said."""
        kept = [row for row in self.rows if not row.strategy.startswith(TRIAL)]
        object.__setattr__(self, "rows", kept)

    @cached_property
    def work(self) -> Line:
        """All entries but lichen's own."""
        return Line.of("all", (row for row in self.rows if row.strategy != OWN))

    @cached_property
    def overhead(self) -> Line:
        """What lichen itself used."""
        return Line.of(OWN, (row for row in self.rows if row.strategy == OWN))

    @cached_property
    def net(self) -> Footprint:
        """Avoided minus overhead; the two are known in different ways, so intervals widen."""
        return self.work.saved.minus(self.overhead.used)

    @cached_property
    def used(self) -> Footprint:
        """All that was used, overhead included."""
        return self.work.used + self.overhead.used

    def by(self, key: Callable[[Totals], str]) -> list[Line]:
        """Lines of the rows that share a key, lichen's own left out, in order of their names."""
        names = sorted({key(row) for row in self.rows if row.strategy != OWN})
        return [
            Line.of(name, (r for r in self.rows if r.strategy != OWN and key(r) == name))
            for name in names
        ]

    def of_strategy(self, strategy: str) -> Line:
        """The line of a strategy and all under it: "calls" covers "calls.exact"."""
        under = strategy + "."
        return Line.of(
            strategy,
            (r for r in self.rows if r.strategy == strategy or r.strategy.startswith(under)),
        )

    @property
    def units(self) -> list[str]:
        """Functional units in which work was done."""
        return sorted({row.work.unit for row in self.rows if row.work.amount})

    def sci(self, per: str) -> SCI:
        """Carbon per unit of work, lichen's own overhead in that unit included.

        Raises:
            NoWorkDone: nothing was done in that unit.
        """
        rows = [row for row in self.rows if row.work.unit == per]
        line = Line.of(per, rows)
        if line.work == 0:
            raise NoWorkDone(per, self.units)
        return SCI(line.used.carbon, Work(line.work, per))
