"""The unit of a trace, as the name of its column tells it.

    I [gCO₂e/kWh] = value × grams / kilowatt-hours      such as 1,000 g / 1 kWh of "kgCO2e/kWh"

A mass (g, kg, lb, t) and an energy (kWh, MWh, GWh) with or without CO₂ between them are a unit:
"gco2_per_kwh", "kgCO2e/kWh", "lbs CO2/MWh", "Carbon Intensity gCO₂eq/kWh (LCA)". A name without
one, such as a zone's, says nothing. A mass that means several things (ton, mg) is refused.

Source: BIPM, The International System of Units, 9th edition; 1 lb = 0.45359237 kg exactly
(international yard and pound agreement, 1959).
"""

from __future__ import annotations

import re

from lichen.ledger.errors import InputError

_GRAMS = {"g": 1.0, "kg": 1e3, "lb": 453.59237, "lbs": 453.59237, "t": 1e6}
_KILOWATT_HOURS = {"kwh": 1.0, "mwh": 1e3, "gwh": 1e6}
_UNIT = re.compile(
    r"(?<![a-z])(?P<mass>kg|mg|g|lbs?|t|tons?|tonnes?)"
    r"[ _.-]*(?:of[ _])?(?:(?:co|c)2)?[ _.-]*(?:equivalent|eq|e)?"
    r"[ _.·-]*(?:/|per)?[ _.-]*(?P<energy>[kmg]wh)"
)
# How a column is named so that its unit is known.
NAMES = "gCO2e/kWh, kgCO2e/kWh, kgCO2e/MWh or lbCO2e/MWh"


def grams_per_kwh(column: str, where: str) -> float | None:
    """What one of the column's unit is in gCO₂e/kWh; None where its name tells no unit.

    `where` is the file it stands in.

    Raises:
        InputError: it tells a unit that lichen does not know.
    """
    found = _UNIT.search(column.lower().replace("₂", "2"))
    if found is None:
        return None
    grams = _GRAMS.get(found["mass"])
    if grams is None:
        raise InputError(f"{where}: the unit of the column {column!r} is not known: write {NAMES}")
    return grams / _KILOWATT_HOURS[found["energy"]]
