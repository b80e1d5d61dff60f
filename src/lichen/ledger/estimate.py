"""Estimate: a quantity that says how sure it is.

    low ≤ value ≤ high, a 90 % interval, and a basis: measured, modelled or assumed

There is always an interval, so nobody branches on its absence. Errors of a shared factor (a power
table, a grid factor) are fully correlated: sums add lows to lows and highs to highs, which never
makes a total look surer than its parts.

Source: JCGM 100:2008 (GUM) §5.2.2 note 1, fully correlated inputs; docs/method/uncertainty.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar, cast

from lichen.ledger import show
from lichen.ledger.errors import InputError, UnitError
from lichen.ledger.quantities import Carbon, CarbonIntensity, Energy, Quantity

Q = TypeVar("Q", bound=Quantity)
# A difference below this part of what it is between is what rounding left. [1]
_ROUNDING = 1e-9


class Basis(IntEnum):
    """How a number is known; the larger, the weaker."""

    MEASURED = 0
    MODELLED = 1
    ASSUMED = 2


@dataclass(frozen=True, slots=True)
class Estimate(Generic[Q]):
    """A quantity with its 90 % interval and basis.

    Raises:
        InputError: the value lies outside its own interval.
        UnitError: value, low and high are not of one kind.
    """

    value: Q
    low: Q
    high: Q
    basis: Basis

    def __post_init__(self) -> None:
        """Refuse an interval of unlike kinds, or one that does not hold its value."""
        kind = type(self.value)
        if type(self.low) is not kind or type(self.high) is not kind:
            raise UnitError(
                f"an interval is of one kind, got {self.low!r}, {self.value!r}, {self.high!r}"
            )
        if not self.low.amount <= self.value.amount <= self.high.amount:
            raise InputError(
                f"an interval must hold its value: {self.low!r} ≤ {self.value!r} ≤ {self.high!r}"
            )

    @classmethod
    def exact(cls, value: Q, basis: Basis = Basis.MEASURED) -> Estimate[Q]:
        """An estimate of no width."""
        return cls(value, value, value, basis)

    @classmethod
    def around(cls, value: Q, factor: float = 4.0, basis: Basis = Basis.MODELLED) -> Estimate[Q]:
        """The interval from value ÷ factor to value × factor."""
        if factor < 1.0:
            raise InputError(f"an interval's factor is 1 or more, got {factor!r}")
        low, high = sorted((value / factor, value * factor))
        return cls(value, low, high, basis)

    def __add__(self, other: Estimate[Q]) -> Estimate[Q]:
        """Sum, errors fully correlated."""
        return Estimate(
            self.value + other.value,
            self.low + other.low,
            self.high + other.high,
            max(self.basis, other.basis),
        )

    def __mul__(self, scale: float) -> Estimate[Q]:
        """Scale; a negative scale turns the interval round."""
        ends = sorted((self.low * scale, self.high * scale))
        return Estimate(self.value * scale, ends[0], ends[1], self.basis)

    __rmul__ = __mul__

    def minus_shared(self, other: Estimate[Q]) -> Estimate[Q]:
        """Difference of two numbers made with the same factors: low − low, high − high."""
        return self._between(other, self.low, other.low, self.high, other.high)

    def minus(self, other: Estimate[Q]) -> Estimate[Q]:
        """Difference of two numbers made in different ways: the widest interval it can have."""
        return self._between(other, self.low, other.high, self.high, other.low)

    def _between(self, other: Estimate[Q], *ends: Q) -> Estimate[Q]:
        """The difference of the values; its interval is that of `ends`, in pairs."""
        differences = (
            less(self.value.amount, other.value.amount),
            less(ends[0].amount, ends[1].amount),
            less(ends[2].amount, ends[3].amount),
        )
        value, low, high = map(self.value.like, _in_order(*differences))
        return Estimate(value, low, high, max(self.basis, other.basis))

    def __str__(self) -> str:
        return show.estimate(cast("Estimate[Quantity]", self))

    def holds(self, quantity: Q) -> bool:
        """Whether `quantity` lies in the interval."""
        return self.low.amount <= quantity.amount <= self.high.amount


def less(one: float, other: float) -> float:
    """One number less another; 0 where rounding alone keeps them apart.

    What is the same was often added up in another order, and would be told as a saving or a loss.
    """
    made = one - other
    return made if abs(made) > _ROUNDING * max(abs(one), abs(other)) else 0.0


def _in_order(value: float, one: float, other: float) -> tuple[float, float, float]:
    """A value, and the lowest and the highest of the three."""
    return value, min(value, one, other), max(value, one, other)


def price(energy: Estimate[Energy], intensity: Estimate[CarbonIntensity]) -> Estimate[Carbon]:
    """Operational carbon of an energy on a grid: E × I. [gCO₂e]

    Lows multiply lows and highs multiply highs, as if both errors pointed the same way.
    """
    # Written out in plain numbers: every call that is booked passes here.
    kwh = energy.value.in_kwh, energy.low.in_kwh, energy.high.in_kwh
    return Estimate(
        Carbon(kwh[0] * intensity.value.amount),
        Carbon(kwh[1] * intensity.low.amount),
        Carbon(kwh[2] * intensity.high.amount),
        max(energy.basis, intensity.basis),
    )


def zero(kind: type[Q]) -> Estimate[Q]:
    """Exactly none of a kind of quantity."""
    return cast("Estimate[Q]", Estimate.exact(kind.zero()))
