"""Footprint: what a piece of work used.

    carbon = operational + embodied = E × I + M   [gCO₂e]

Footprints add and have a zero (a commutative monoid). Water and money are None where nobody
assessed them: unknown is not zero, and a total says of how much it speaks by counting gaps.

Source: ISO/IEC 21031:2024, clause 7.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lichen.ledger.estimate import Estimate, zero
from lichen.ledger.quantities import Carbon, Energy, Money, Water


@dataclass(frozen=True, slots=True)
class Footprint:
    """Energy, operational and embodied carbon; water and money where assessed."""

    energy: Estimate[Energy]
    operational: Estimate[Carbon]
    embodied: Estimate[Carbon]
    water: Estimate[Water] | None = None
    money: Money | None = None

    @classmethod
    def zero(cls) -> Footprint:
        """Nothing used."""
        return _ZERO

    @property
    def carbon(self) -> Estimate[Carbon]:
        """Operational plus embodied. [gCO₂e]"""
        return self.operational + self.embodied

    def __str__(self) -> str:
        return f"{self.energy} · {self.carbon}"

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(
            self.energy + other.energy,
            self.operational + other.operational,
            self.embodied + other.embodied,
            _plus(self.water, other.water),
            other.money if self.money is None else _money(self.money, other.money),
        )

    def minus_shared(self, other: Footprint) -> Footprint:
        """Difference of two footprints made with the same factors (may be negative)."""
        return Footprint(
            self.energy.minus_shared(other.energy),
            self.operational.minus_shared(other.operational),
            self.embodied.minus_shared(other.embodied),
        )

    def minus_across(self, other: Footprint) -> Footprint:
        """Difference of one work on two grids: only the errors of the grids are not shared."""
        return replace(
            self.minus_shared(other), operational=self.operational.minus(other.operational)
        )

    def minus(self, other: Footprint) -> Footprint:
        """Difference of two footprints made in different ways (may be negative)."""
        return Footprint(
            self.energy.minus(other.energy),
            self.operational.minus(other.operational),
            self.embodied.minus(other.embodied),
        )


def _plus(one: Estimate[Water] | None, other: Estimate[Water] | None) -> Estimate[Water] | None:
    if one is None:
        return other
    return one if other is None else one + other


def _money(one: Money, other: Money | None) -> Money:
    return one if other is None else one + other


_ZERO = Footprint(zero(Energy), zero(Carbon), zero(Carbon))
