"""Show: quantities as people read them, the same in the terminal, the page and `str()`.

    0.31 Wh (0.08 – 1.2)        best estimate, then the 90 % interval

The prefix is chosen by the best estimate and kept for its interval, three significant digits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lichen.ledger.quantities import (
    JOULES_PER_WH,
    Carbon,
    CarbonIntensity,
    Energy,
    Money,
    Power,
    Quantity,
    Water,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.ledger.estimate import Estimate

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_CARBON_UNITS = (
    (1e6, "tCO₂e"),
    (1e3, "kgCO₂e"),
    (1.0, "gCO₂e"),
    (1e-3, "mgCO₂e"),
    (1e-6, "µgCO₂e"),
)
_DIGITS = 3


def number(amount: float) -> str:
    """Three significant digits, without an exponent where people can do without."""
    if amount == 0:
        return "0"
    digits = _DIGITS - 1 - math.floor(math.log10(abs(amount)))
    if digits > 9:  # noqa: PLR2004 (beyond nine places an exponent reads better)
        return minus(f"{amount:.2e}")
    return minus(f"{round(amount, digits):,.{max(digits, 0)}f}")


def minus(told: str) -> str:
    """A number with a minus sign where it begins with a hyphen."""
    return f"\N{MINUS SIGN}{told[1:]}" if told.startswith("-") else told


def percent(share: float, digits: int = 0) -> str:
    """A share [1] in hundredths, as everywhere in lichen: 33 %."""
    return minus(f"{100 * share:.{digits}f} %")


def quantity(amount: Quantity) -> str:
    """One quantity with the unit that suits its size."""
    size, unit = _scale(amount)
    return f"{number(_base(amount) / size)} {unit}"


def estimate(known: Estimate[Quantity]) -> str:
    """Best estimate and its interval, in one unit."""
    size, unit = _scale(known.value if _base(known.value) else known.high)
    value, low, high = (number(_base(q) / size) for q in (known.value, known.low, known.high))
    if value == low == high:
        return f"{value} {unit}"
    return f"{value} {unit} ({low} – {high})"


def count(amount: float) -> str:
    """A count with thousands separated."""
    return f"{amount:,.0f}" if float(amount).is_integer() else number(amount)


def _base(amount: Quantity) -> float:
    return amount.amount / JOULES_PER_WH if isinstance(amount, Energy) else amount.amount


def _scale(amount: Quantity) -> tuple[float, str]:
    size = abs(_base(amount))
    if isinstance(amount, Carbon):
        return _pick(size, _CARBON_UNITS)
    if isinstance(amount, Money):
        return 1.0, amount.currency
    if isinstance(amount, CarbonIntensity):
        return 1.0, "gCO₂e/kWh"
    base = {Energy: "Wh", Power: "W", Water: "L"}[type(amount)]
    return _pick(size, [(factor, prefix + base) for factor, prefix in _PREFIXES])


def _pick(size: float, units: Sequence[tuple[float, str]]) -> tuple[float, str]:
    if size == 0:
        return next(unit for unit in units if unit[0] == 1.0)
    return next((unit for unit in units if size >= unit[0]), units[-1])
