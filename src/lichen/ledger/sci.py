"""Software Carbon Intensity: carbon per unit of work.

    SCI = (E × I + M) / R

E  energy the software used               [kWh]
I  carbon intensity of that energy        [gCO₂e/kWh]
M  embodied carbon of the hardware share  [gCO₂e]
R  the work done, in functional units     [request, training run, ...]

Over many entries it is ΣC / ΣR, never a mean of ratios.

Source: ISO/IEC 21031:2024, Software Carbon Intensity specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lichen.ledger.errors import NoWorkDone, UnitError
from lichen.ledger.estimate import Estimate, zero
from lichen.ledger.quantities import Carbon
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lichen.ledger.entry import Entry


@dataclass(frozen=True, slots=True)
class SCI:
    """A rate: carbon per functional unit. [gCO₂e per unit]

    Raises:
        NoWorkDone: R is 0.
    """

    carbon: Estimate[Carbon]
    work: Work

    def __post_init__(self) -> None:
        """A rate over nothing has no value."""
        if self.work.amount == 0:
            raise NoWorkDone(self.work.unit)

    @property
    def per_unit(self) -> Estimate[Carbon]:
        """Carbon of one unit of work. [gCO₂e]"""
        return self.carbon * (1.0 / self.work.amount)

    @property
    def grams_per_unit(self) -> float:
        """The best estimate as a plain number. [gCO₂e per unit]"""
        return self.carbon.value.in_grams / self.work.amount

    def __str__(self) -> str:
        return f"{self.per_unit} per {self.work.unit}"

    def __add__(self, other: SCI) -> SCI:
        """The rate of both together: ΣC / ΣR."""
        if self.work.unit != other.work.unit:
            raise UnitError(f"SCI per {self.work.unit} and per {other.work.unit} do not add")
        work = Work(self.work.amount + other.work.amount, self.work.unit)
        return SCI(self.carbon + other.carbon, work)


def sci(entries: Iterable[Entry], *, per: str) -> SCI:
    """Carbon per `per` over these entries. [gCO₂e per unit]

    Raises:
        NoWorkDone: no entry did any work counted in `per`.
    """
    carbon, amount, known = zero(Carbon), 0.0, set[str]()
    for entry in entries:
        figures = entry.figures
        known.add(figures.work.unit)
        if figures.work.unit == per:
            carbon += figures.footprint.carbon
            amount += figures.work.amount
    if amount == 0:
        raise NoWorkDone(per, sorted(known))
    return SCI(carbon, Work(amount, per))
