"""Amounts as people write them in a limit: "5 J", "0.2 mWh", "30 mg", "1.5 kg"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError
from lichen.ledger.quantities import JOULES_PER_WH, Carbon, Energy

if TYPE_CHECKING:
    from collections.abc import Mapping

_AMOUNT = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-zµ]+)\s*")
# Source: SI Brochure, 9th edition, table 7 (prefixes).
_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9}
_ENERGY = {
    f"{prefix}{unit}": factor * size
    for prefix, factor in _PREFIXES.items()
    for unit, size in (("J", 1.0), ("Wh", JOULES_PER_WH))
}
_CARBON = {f"{prefix}g": factor for prefix, factor in _PREFIXES.items()}


def energy(text: str) -> Energy:
    """An energy such as "5 J" or "0.2 mWh".

    Raises:
        InputError: it is none.
    """
    return Energy.joules(_amount(text, _ENERGY, "an energy such as '5 J' or '0.2 mWh'"))


def carbon(text: str) -> Carbon:
    """Carbon such as "30 mg", of CO₂e.

    Raises:
        InputError: it is none.
    """
    return Carbon.grams(_amount(text, _CARBON, "carbon such as '30 mg' or '1.5 kg'"))


def _amount(text: object, units: Mapping[str, float], wanted: str) -> float:
    found = _AMOUNT.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[2] not in units:
        raise InputError(f"{text!r} is not {wanted}")
    return float(found[1]) * units[found[2]]
