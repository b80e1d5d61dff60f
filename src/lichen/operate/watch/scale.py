"""Scales: one unit for all numbers of a column, so that they can be compared by eye.

The unit suits the largest best estimate; numbers have three significant digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.show import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lichen.ledger.estimate import Estimate

_WH = (
    *((1e9, "GWh"), (1e6, "MWh"), (1e3, "kWh"), (1.0, "Wh")),
    *((1e-3, "mWh"), (1e-6, "µWh"), (1e-9, "nWh")),
)
_CARBON = ((1e6, "tCO₂e"), (1e3, "kgCO₂e"), (1.0, "gCO₂e"), (1e-3, "mgCO₂e"), (1e-6, "µgCO₂e"))
NO_BREAK = "\N{NO-BREAK SPACE}"
_Units = tuple[tuple[float, str], ...]


def plain(amount: Energy | Carbon) -> float:
    """An amount in Wh or gCO₂e."""
    return amount.in_wh if isinstance(amount, Energy) else amount.in_grams


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit, and how many Wh or gCO₂e it is."""

    size: float
    unit: str

    @classmethod
    def of(cls, known: Iterable[Estimate[Energy] | Estimate[Carbon]]) -> Scale:
        """The unit for a column of estimates of one kind."""
        column = list(known)
        values = max((abs(plain(one.value)) for one in column), default=0.0)
        largest = values or max((plain(one.high) for one in column), default=0.0)
        is_energy = bool(column) and isinstance(column[0].value, Energy)
        return cls(*_pick(largest, _WH if is_energy else _CARBON))

    def number(self, amount: Energy | Carbon) -> str:
        """An amount in this unit, without its name."""
        return number(plain(amount) / self.size).replace("-", "−")

    def interval(self, known: Estimate[Energy] | Estimate[Carbon]) -> str:
        """Low and high in this unit; nothing where the interval has no width."""
        if known.low == known.high:
            return ""
        return f"{self.number(known.low)} – {self.number(known.high)}"

    def whole(self, known: Estimate[Energy] | Estimate[Carbon]) -> str:
        """Best estimate and interval."""
        interval = self.interval(known)
        return f"{self.number(known.value)} ({interval})" if interval else self.number(known.value)


def _pick(largest: float, units: _Units) -> tuple[float, str]:
    if largest == 0:
        return next(unit for unit in units if unit[0] == 1.0)
    return next((unit for unit in units if largest >= unit[0]), units[-1])


def told(known: Estimate[Energy] | Estimate[Carbon]) -> str:
    """One estimate by itself: value, unit and interval, as everywhere in lichen."""
    return str(known).replace("-", "−")


def held(known: Estimate[Energy] | Estimate[Carbon]) -> str:
    """As `told`, for a narrow column: no line ends inside the interval."""
    value, there, interval = told(known).partition(" (")
    return f"{value}{there}{interval.replace(' ', NO_BREAK)}"
