"""Mix: intensity of a generation mix, by the life-cycle factor of each fuel.

    I(t) = Σ over fuels of G(fuel, t) × f(fuel)  /  Σ over fuels of G(fuel, t)      [gCO₂e/kWh]

G  generation, own consumption taken for none      [MWh]
f  life-cycle emissions per generation, with the range of published plants      [gCO₂e/kWh]

Average, by production: imports are not in it. What a store gives back was generated before and is
counted then, so stores are left out. Lows add to lows and highs to highs: a factor that is wrong is
wrong everywhere. An hour that lacks a fuel which most other hours report is no hour of this mix: it
is left out, and so missing, since the rest of it would be some other grid's intensity.

Source: fuels.csv, row by row: IPCC AR5 WG III Annex III where it has one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from lichen.grid.point import Point
from lichen.grid.table import rows
from lichen.ledger.estimate import Basis

if TYPE_CHECKING:
    from collections.abc import Mapping

# By the start of an hour [s] and the type a source names: energy generated in it. [MWh]
Generation = dict[int, dict[str, float]]

STORAGE = "storage"
OTHER = "other"
# With more than this share of the energy on assumed factors, the whole is assumed.
_MOST_ASSUMED = 0.1
# It may be reported by day only.
_SOLAR = "solar"


class Fuel(NamedTuple):
    """Life-cycle emissions of a fuel's generation, with their range. [gCO₂e/kWh]"""

    value: float
    low: float
    high: float
    basis: Basis


@cache
def fuels() -> Mapping[str, Fuel]:
    """All fuels by name."""
    return {
        row["fuel"]: Fuel(
            float(row["g_per_kwh"]),
            float(row["low"]),
            float(row["high"]),
            Basis[row["basis"].upper()],
        )
        for row in rows("fuels.csv")
    }


@cache
def fuel_of(table: str) -> Mapping[str, str]:
    """The fuel of each type that a source names, from its table."""
    return {row["type"]: row["fuel"] for row in rows(table)}


def points_of(generation: Generation, table: str) -> list[Point]:
    """Intensity of each whole hour, in order; a type that no table knows counts as `other`."""
    known = fuel_of(table)
    usual = _usual(generation, known)
    made = []
    for start in sorted(generation):
        hour = generation[start]
        if usual <= hour.keys():
            point = _point(start, {kind: known.get(kind, OTHER) for kind in hour}, hour)
            made += [] if point is None else [point]
    return made


def _usual(generation: Generation, known: Mapping[str, str]) -> set[str]:
    """The types that most hours report."""
    counts: dict[str, int] = {}
    for hour in generation.values():
        for kind in hour:
            counts[kind] = counts.get(kind, 0) + 1
    return {
        kind
        for kind, count in counts.items()
        if 2 * count > len(generation) and known.get(kind) not in (STORAGE, _SOLAR)
    }


def _point(start: int, names: Mapping[str, str], hour: Mapping[str, float]) -> Point | None:
    burnt = [
        (energy, fuels()[names[kind]])
        for kind, energy in hour.items()
        if names[kind] != STORAGE and energy > 0
    ]
    total = sum(energy for energy, _ in burnt)
    if total <= 0:
        return None
    value = sum(energy * fuel.value for energy, fuel in burnt) / total
    low = sum(energy * fuel.low for energy, fuel in burnt) / total
    high = sum(energy * fuel.high for energy, fuel in burnt) / total
    assumed = sum(energy for energy, fuel in burnt if fuel.basis is Basis.ASSUMED) / total
    basis = Basis.ASSUMED if assumed > _MOST_ASSUMED else Basis.MODELLED
    # Rounding of the sums must not push a value out of its own interval.
    return Point(start, value, min(low, value), max(high, value), basis)


def share_of(hour: Mapping[str, float], table: str, names: frozenset[str]) -> float | None:
    """The share of some fuels in an hour's generation without stores; None where there is none."""
    known = fuel_of(table)
    parts = {kind: max(energy, 0.0) for kind, energy in hour.items() if known.get(kind) != STORAGE}
    total = sum(parts.values())
    if total <= 0:
        return None
    return sum(energy for kind, energy in parts.items() if known.get(kind) in names) / total
