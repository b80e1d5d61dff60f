"""Estimate: a quantity that says how sure it is.

    low ≤ value ≤ high, a 90 % interval, and a basis: measured, modelled or assumed

There is always an interval, so nobody branches on its absence. Errors of a shared factor (a power
table, a grid factor) are fully correlated: sums add lows to lows and highs to highs, which never
makes a total look surer than its parts.

Source: JCGM 100:2008 (GUM) §5.2.2 note 1, fully correlated inputs; docs/method/uncertainty.md.
"""

from __future__ import annotations

from enum import IntEnum
from math import inf
from typing import Generic, Self, TypeVar, cast

from lichen.ledger import show
from lichen.ledger.errors import InputError, UnitError
from lichen.ledger.quantities import JOULES_PER_KWH, Carbon, CarbonIntensity, Energy, Quantity

Q = TypeVar("Q", bound=Quantity)
# A difference below this part of what it is between is what rounding left. [1]
_ROUNDING = 1e-9


class Basis(IntEnum):
    """How a number is known; the larger, the weaker."""

    MEASURED = 0
    MODELLED = 1
    ASSUMED = 2


_set, _new = object.__setattr__, object.__new__


class Estimate(Generic[Q]):
    """A quantity with its 90 % interval and basis; frozen.

    Attributes:
        numbers: value, low and high as plain numbers of the base unit.
        basis: how they are known.

    Raises:
        InputError: the value lies outside its own interval.
        UnitError: value, low and high are not of one kind.
    """

    # Plain numbers of one kind: every call makes three of these, and quantities are seldom asked.
    __slots__ = ("_kind", "basis", "numbers")

    _kind: type[Q]
    numbers: tuple[float, float, float]
    basis: Basis

    def __init__(self, value: Q, low: Q, high: Q, basis: Basis) -> None:
        """Refuse an interval of unlike kinds, or one that does not hold its value."""
        kind = type(value)
        if type(low) is not kind or type(high) is not kind:
            raise UnitError(f"an interval is of one kind, got {low!r}, {value!r}, {high!r}")
        if not low.amount <= value.amount <= high.amount:
            raise InputError(f"an interval must hold its value: {low!r} ≤ {value!r} ≤ {high!r}")
        _set(self, "_kind", kind)
        _set(self, "numbers", (value.amount, low.amount, high.amount))
        _set(self, "basis", basis)

    @classmethod
    def of(cls, kind: type[Q], value: float, low: float, high: float, basis: Basis) -> Estimate[Q]:
        """An estimate from plain numbers of the kind's base unit, in half the time."""
        if not (low <= value <= high and high - low < inf):
            return cls(kind(value), kind(low), kind(high), basis)
        made = _new(cls)
        _set(made, "_kind", kind)
        _set(made, "numbers", (value, low, high))
        _set(made, "basis", basis)
        return made

    @property
    def value(self) -> Q:
        """What it is taken to be."""
        return self._kind(self.numbers[0])

    @property
    def low(self) -> Q:
        """The low end of the interval."""
        return self._kind(self.numbers[1])

    @property
    def high(self) -> Q:
        """The high end of the interval."""
        return self._kind(self.numbers[2])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an estimate is frozen: cannot set {name} to {value!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an estimate is frozen: cannot delete {name}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Estimate):
            return NotImplemented
        return (
            self.numbers == other.numbers
            and self.basis == other.basis
            and self._kind is other._kind
        )

    def __hash__(self) -> int:
        return hash((self._kind, self.numbers, self.basis))

    def __repr__(self) -> str:
        return f"Estimate({self.value!r}, {self.low!r}, {self.high!r}, {self.basis!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[Q, Q, Q, Basis]]:
        return type(self), (self.value, self.low, self.high, self.basis)

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
        if self._kind is not other._kind:
            raise UnitError(f"cannot add {self!r} and {other!r}: they are of two kinds")
        one, two = self.numbers, other.numbers
        basis = max(self.basis, other.basis)
        return Estimate.of(self._kind, one[0] + two[0], one[1] + two[1], one[2] + two[2], basis)

    def __mul__(self, scale: float) -> Estimate[Q]:
        """Scale; a negative scale turns the interval round."""
        ends = sorted((self.low * scale, self.high * scale))
        return Estimate(self.value * scale, ends[0], ends[1], self.basis)

    __rmul__ = __mul__

    def minus_shared(self, other: Estimate[Q]) -> Estimate[Q]:
        """Difference of two numbers made with the same factors: low − low, high − high."""
        (_, low, high), (_, less_low, less_high) = self.numbers, other.numbers
        return self._between(other, (low, less_low), (high, less_high))

    def minus(self, other: Estimate[Q]) -> Estimate[Q]:
        """Difference of two numbers made in different ways: the widest interval it can have."""
        (_, low, high), (_, less_low, less_high) = self.numbers, other.numbers
        return self._between(other, (low, less_high), (high, less_low))

    def _between(self, other: Estimate[Q], *ends: tuple[float, float]) -> Estimate[Q]:
        """The difference of the values; its interval is that of each two `ends`."""
        if self._kind is not other._kind:
            raise UnitError(f"cannot subtract {other!r} from {self!r}: they are of two kinds")
        value, one, two = less(self.numbers[0], other.numbers[0]), less(*ends[0]), less(*ends[1])
        low, high = min(value, one, two), max(value, one, two)
        return Estimate.of(self._kind, value, low, high, max(self.basis, other.basis))

    def __str__(self) -> str:
        return show.estimate(cast("Estimate[Quantity]", self))

    def holds(self, quantity: Q) -> bool:
        """Whether `quantity` lies in the interval."""
        return self.numbers[1] <= quantity.amount <= self.numbers[2]


def less(one: float, other: float) -> float:
    """One number less another; 0 where rounding alone keeps them apart.

    What is the same was often added up in another order, and would be told as a saving or a loss.
    """
    made = one - other
    return made if abs(made) > _ROUNDING * max(abs(one), abs(other)) else 0.0


def price(energy: Estimate[Energy], intensity: Estimate[CarbonIntensity]) -> Estimate[Carbon]:
    """Operational carbon of an energy on a grid: E × I. [gCO₂e]

    Lows multiply lows and highs multiply highs, as if both errors pointed the same way.
    """
    # Written out in plain numbers: every call that is booked passes here.
    value, low, high = energy.numbers
    per_kwh, least, most = intensity.numbers
    return Estimate.of(
        Carbon,
        value / JOULES_PER_KWH * per_kwh,
        low / JOULES_PER_KWH * least,
        high / JOULES_PER_KWH * most,
        max(energy.basis, intensity.basis),
    )


def zero(kind: type[Q]) -> Estimate[Q]:
    """Exactly none of a kind of quantity."""
    return cast("Estimate[Q]", Estimate.exact(kind.zero()))
