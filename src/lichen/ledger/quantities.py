"""Quantities: numbers that know their unit and multiply as physics does.

    Energy          [J]         one watt for one second; 1 Wh = 3,600 J
    Power           [W]
    Carbon          [gCO₂e]
    CarbonIntensity [gCO₂e/kWh]
    Water           [L]
    Money           [currency]

Each holds one base unit and is made only by a named constructor (`Energy.wh(3)`). Unlike things do
not add: mypy says so before the program runs and `UnitError` says so while it does.

Source: BIPM, The International System of Units (SI), 9th edition; ISO/IEC 21031:2024 for gCO₂e.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Self, overload

from lichen.ledger.errors import InputError, UnitError

_set = object.__setattr__
JOULES_PER_WH = 3600.0
JOULES_PER_KWH = 3_600_000.0


class Quantity:
    """A number of one base unit: adds to its own kind, scales by plain numbers."""

    __slots__ = ("amount",)

    amount: float  # in the base unit
    _unit = ""

    def __init__(self, amount: float) -> None:
        """Hold `amount` base units; use the named constructors instead."""
        # inf - inf and nan - nan are both nan, the one number that differs from itself.
        if amount - amount != 0.0:
            raise InputError(
                f"{type(self).__name__} must be a finite number, got {amount!r}: "
                "an unknown quantity is a gap, not a number"
            )
        _set(self, "amount", float(amount))

    @classmethod
    def zero(cls) -> Self:
        """None of it."""
        return cls(0.0)

    def like(self, amount: float) -> Self:
        """The same kind of quantity with another amount of the base unit."""
        return type(self)(amount)

    def _same(self, other: object, verb: str) -> float:
        if type(other) is not type(self):
            raise UnitError(
                f"cannot {verb} {self!r} and {other!r}: {type(self).__name__} goes only with "
                f"{type(self).__name__}"
            )
        return other.amount

    def __add__(self, other: Self) -> Self:
        return self.like(self.amount + self._same(other, "add"))

    def __sub__(self, other: Self) -> Self:
        return self.like(self.amount - self._same(other, "subtract"))

    def __neg__(self) -> Self:
        return self.like(-self.amount)

    def __mul__(self, other: float) -> Self:
        if isinstance(other, bool) or not isinstance(other, (int, float)):
            raise UnitError(f"cannot multiply {self!r} by {other!r}")
        return self.like(self.amount * other)

    __rmul__ = __mul__

    @overload
    def __truediv__(self, other: Self) -> float: ...
    @overload
    def __truediv__(self, other: float) -> Self: ...
    def __truediv__(self, other: Self | float) -> Self | float:
        if isinstance(other, (int, float)):
            return self.like(self.amount / other)
        return self.amount / self._same(other, "divide")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.amount == other.amount

    def __lt__(self, other: Self) -> bool:
        return self.amount < self._same(other, "compare")

    def __le__(self, other: Self) -> bool:
        return self.amount <= self._same(other, "compare")

    def __gt__(self, other: Self) -> bool:
        return self.amount > self._same(other, "compare")

    def __ge__(self, other: Self) -> bool:
        return self.amount >= self._same(other, "compare")

    def __hash__(self) -> int:
        return hash((type(self), self.amount))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set {name} to {value!r}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.amount:g} {self._unit})"

    def __reduce__(self) -> tuple[type[Self], tuple[float]]:
        return type(self), (self.amount,)


class Energy(Quantity):
    """Energy. [J]"""

    __slots__ = ()
    _unit = "J"

    @classmethod
    def joules(cls, amount: float) -> Energy:
        """Energy from joules. [J]"""
        return cls(amount)

    @classmethod
    def wh(cls, amount: float) -> Energy:
        """Energy from watt-hours. [Wh]"""
        return cls(amount * JOULES_PER_WH)

    @classmethod
    def kwh(cls, amount: float) -> Energy:
        """Energy from kilowatt-hours. [kWh]"""
        return cls(amount * JOULES_PER_KWH)

    @property
    def in_joules(self) -> float:
        """[J]"""
        return self.amount

    @property
    def in_wh(self) -> float:
        """[Wh]"""
        return self.amount / JOULES_PER_WH

    @property
    def in_kwh(self) -> float:
        """[kWh]"""
        return self.amount / JOULES_PER_KWH

    @overload  # type: ignore[override]
    def __mul__(self, other: CarbonIntensity) -> Carbon: ...
    @overload
    def __mul__(self, other: float) -> Energy: ...
    def __mul__(self, other: CarbonIntensity | float) -> Carbon | Energy:
        if isinstance(other, CarbonIntensity):
            return Carbon(self.in_kwh * other.in_g_per_kwh)
        return super().__mul__(other)

    __rmul__ = __mul__


class Power(Quantity):
    """Power. [W]"""

    __slots__ = ()
    _unit = "W"

    @classmethod
    def watts(cls, amount: float) -> Power:
        """Power from watts. [W]"""
        return cls(amount)

    @property
    def in_watts(self) -> float:
        """[W]"""
        return self.amount

    @overload  # type: ignore[override]
    def __mul__(self, other: timedelta) -> Energy: ...
    @overload
    def __mul__(self, other: float) -> Power: ...
    def __mul__(self, other: timedelta | float) -> Energy | Power:
        if isinstance(other, timedelta):
            return Energy(self.amount * other.total_seconds())
        return super().__mul__(other)

    __rmul__ = __mul__


class Carbon(Quantity):
    """Carbon dioxide equivalent. [gCO₂e]"""

    __slots__ = ()
    _unit = "gCO2e"

    @classmethod
    def grams(cls, amount: float) -> Carbon:
        """Carbon from grams. [gCO₂e]"""
        return cls(amount)

    @classmethod
    def kg(cls, amount: float) -> Carbon:
        """Carbon from kilograms. [kgCO₂e]"""
        return cls(amount * 1000.0)

    @property
    def in_grams(self) -> float:
        """[gCO₂e]"""
        return self.amount


class CarbonIntensity(Quantity):
    """Carbon per unit of electricity. [gCO₂e/kWh]"""

    __slots__ = ()
    _unit = "gCO2e/kWh"

    @classmethod
    def g_per_kwh(cls, amount: float) -> CarbonIntensity:
        """Intensity from grams per kilowatt-hour. [gCO₂e/kWh]"""
        return cls(amount)

    @property
    def in_g_per_kwh(self) -> float:
        """[gCO₂e/kWh]"""
        return self.amount

    @overload  # type: ignore[override]
    def __mul__(self, other: Energy) -> Carbon: ...
    @overload
    def __mul__(self, other: float) -> CarbonIntensity: ...
    def __mul__(self, other: Energy | float) -> Carbon | CarbonIntensity:
        if isinstance(other, Energy):
            return other * self
        return super().__mul__(other)

    __rmul__ = __mul__


class Water(Quantity):
    """Water consumed. [L]"""

    __slots__ = ()
    _unit = "L"

    @classmethod
    def litres(cls, amount: float) -> Water:
        """Water from litres. [L]"""
        return cls(amount)

    @property
    def in_litres(self) -> float:
        """[L]"""
        return self.amount


class Money(Quantity):
    """An amount of one currency. Two currencies do not add: no exchange rate is guessed."""

    __slots__ = ("currency",)
    currency: str  # ISO 4217 code

    def __init__(self, amount: float, currency: str = "USD") -> None:
        """Hold `amount` of `currency` (ISO 4217 code)."""
        super().__init__(amount)
        _set(self, "currency", currency)

    @classmethod
    def of(cls, amount: float, currency: str) -> Money:
        """An amount of a currency by its ISO 4217 code."""
        return cls(amount, currency)

    def like(self, amount: float) -> Self:
        """The same currency with another amount."""
        return type(self)(amount, self.currency)

    def _same(self, other: object, verb: str) -> float:
        amount = super()._same(other, verb)
        if isinstance(other, Money) and other.currency != self.currency:
            raise UnitError(f"cannot {verb} {self!r} and {other!r}: convert to one currency first")
        return amount

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Money) and self.currency == other.currency
        return same and super().__eq__(other) is True

    def __hash__(self) -> int:
        return hash((Money, self.amount, self.currency))

    def __repr__(self) -> str:
        return f"Money({self.amount:g} {self.currency})"

    def __reduce__(self) -> tuple[type[Self], tuple[float, str]]:  # type: ignore[override]
        return type(self), (self.amount, self.currency)
