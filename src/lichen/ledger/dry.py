"""Dry runs: what rules would have spared had they acted, as the book has it.

    would have spared = Σ energy of calls that ran and that a rule would have spared   [J], 90 %

The sums stand in entries of strategy "trial.dry." and a name, without work or footprint: the calls
themselves are in the book as used, and no total of savings has what was not saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lichen.ledger.entry import TRIAL, Entry, Figures
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.footprint import Footprint
from lichen.ledger.ids import new_id
from lichen.ledger.quantities import Energy
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Iterable

DRY = f"{TRIAL}dry."
_METHOD = "dry/1"
_NO_WORK = Work(0, "request")


@dataclass(slots=True)
class DrySums:
    """How many calls, and the sums of their energy and of its ends. [J]"""

    n: int = 0
    joules: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def add(self, energy: Estimate[Energy]) -> None:
        """One more call."""
        low, value, high = (each.in_joules for each in (energy.low, energy.value, energy.high))
        self.merge(1, value, low, high)

    def merge(self, n: int, joules: float, low: float, high: float) -> None:
        """More calls, by their sums."""
        self.n += n
        self.joules += joules
        self.low += low
        self.high += high

    @property
    def energy(self) -> Estimate[Energy]:
        """What would have been spared."""
        return Estimate(
            Energy.joules(self.joules),
            Energy.joules(self.low),
            Energy.joules(self.high),
            Basis.MODELLED,
        )


def dry_entry(name: str, sums: DrySums, at_us: int) -> Entry:
    """Sums of a dry run as an entry."""
    figures = Figures(
        name="dry",
        strategy=f"{DRY}{name}",
        work=_NO_WORK,
        footprint=Footprint.zero(),
        method=_METHOD,
        factors="",
        zone="",
        raw={"n": sums.n, "joules": sums.joules, "low": sums.low, "high": sums.high},
    )
    return Entry(new_id(at_us), at_us, at_us, "", figures)


def dry_runs(entries: Iterable[Entry]) -> dict[str, DrySums]:
    """The dry runs that entries tell of, in order of their names."""
    found: dict[str, DrySums] = {}
    for entry in entries:
        if entry.figures.strategy.startswith(DRY):
            name = entry.figures.strategy.removeprefix(DRY)
            raw = entry.figures.raw
            ends = (float(raw["joules"]), float(raw["low"]), float(raw["high"]))
            found.setdefault(name, DrySums()).merge(int(raw["n"]), *ends)
    return dict(sorted(found.items()))
