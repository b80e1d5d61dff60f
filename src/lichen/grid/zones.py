"""Static carbon intensity of grid zones: one yearly value, with the spread of its hours.

    I(zone, any hour of any year) ∈ [low, high]      90 % interval   [gCO₂e/kWh]

A yearly mean stands here for an hour nobody measured, so its interval holds what hours do, how far
accounts of one grid differ, and a few years' drift; docs/method/carbon.md shows how it was made. A
zone has an average intensity, and some have a marginal one; the two never mix.

A zone that is not known is an error that names the nearest known ones, never a guess. Where none
is configured it is WORLD: the world's average, wide, and flagged in every entry.

Source: zones.csv (average) and zones_marginal.csv (marginal, under a licence of its own), row by
row. Codes are those of Electricity Maps (ISO 3166 and bidding zones).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from lichen.grid.regions import grid_zone, regions
from lichen.ledger.errors import InputError, SignalUnavailable, UnknownZone
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import CarbonIntensity
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.ledger.window import Window, aware

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORLD = "WORLD"
# What an entry says when nobody configured its zone.
ZONE_ASSUMED = "zone-assumed"
# How many near names an UnknownZone gives: a line's worth.
_NEAREST = 3
# Letters from which on a name counts as the beginning of a longer one.
_BEGINNING = 3
# How alike a name must be to a known one to be a slip of it, and from how many letters on: of two
# or three letters nobody can tell which two or three were meant. [1], [letter]
_ALIKE = 0.75
_SLIP = 4
# A longer name is no typing slip, and comparing it costs time.
_LONGEST_NAME = 64
# Marginal values stand in a file of their own: their licence asks that what is made from them be
# shared alike (NOTICE).
_TABLES = ("zones.csv", "zones_marginal.csv")


@dataclass(frozen=True, slots=True)
class ZoneFactor:
    """One row of the tables: a zone's yearly intensity and where it comes from.

    `account` is "lifecycle" (fuel supply and building of plants included) or "direct" (what the
    plants emit); `also` are the zone's other names.
    """

    zone: str
    name: str
    also: tuple[str, ...]
    intensity: Estimate[CarbonIntensity]
    kind: SignalKind
    account: str
    year: int
    source: str
    licence: str
    retrieved: datetime


class StaticZones:
    """The static zone table as a source of intensity, average unless asked for marginal."""

    def __init__(self, *, kind: SignalKind = SignalKind.AVERAGE) -> None:
        self.kind = kind

    def intensity(self, zone: str, window: Window) -> GridSignal:
        """The zone's yearly intensity, constant over the window. [gCO₂e/kWh]

        `zone` may be a cloud region such as "aws:eu-north-1"; the signal names its grid zone.

        Raises:
            UnknownZone: no such zone or region; the error carries the nearest known ones.
            SignalUnavailable: the table has no intensity of this kind for it.
        """
        found = factor(zone, kind=self.kind)
        return GridSignal(
            zone=found.zone,
            kind=found.kind,
            basis=found.intensity.basis,
            source=f"{found.source} ({found.year})",
            issued_at=found.retrieved,
            start=window.start,
            # A window of no length still has an intensity.
            step=window.duration or timedelta.resolution,
            values=(found.intensity.value.in_g_per_kwh,),
            lows=(found.intensity.low.in_g_per_kwh,),
            highs=(found.intensity.high.in_g_per_kwh,),
        )

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        """The zone's yearly intensity, the same for every hour to come. [gCO₂e/kWh]

        A planner finds nothing in it to wait for, and runs now.

        Raises:
            UnknownZone: no such zone or region; the error carries the nearest known ones.
            SignalUnavailable: the table has no intensity of this kind for it.
            InputError: the horizon is not positive.
        """
        if horizon <= timedelta(0):
            raise InputError(f"a forecast's horizon must be positive, got {horizon}")
        start = aware(issued_at or datetime.now(UTC))
        return self.intensity(zone, Window(start, start + horizon, zone))


def factor(zone: str, *, kind: SignalKind = SignalKind.AVERAGE) -> ZoneFactor:
    """The row of a zone, or of the zone a cloud region stands in.

    Raises:
        UnknownZone: no such zone or region; the error carries the nearest known ones.
        SignalUnavailable: the table has no intensity of this kind for it.
    """
    code = grid_zone(zone)
    found = _table().get((code, kind))
    if found is not None:
        return found
    if code not in zones():
        raise UnknownZone(zone, nearest(zone))
    country = code.split("-")[0]
    wider = country if (country, kind) in _table() else None
    raise SignalUnavailable(
        f"{kind.value} intensity of {zone}",
        "the static table has none",
        f"use zone {wider!r} or a recorded trace" if wider else "use a recorded trace",
    )


@cache
def zones() -> tuple[str, ...]:
    """The codes of all zones with an average intensity, sorted."""
    return tuple(sorted(zone for zone, kind in _table() if kind is SignalKind.AVERAGE))


def default_zone(configured: str | None) -> tuple[str, tuple[str, ...]]:
    """The zone to book under and what had to be assumed: WORLD, flagged, where none is configured.

    Raises:
        UnknownZone: the configured one is no known zone or cloud region.
    """
    if configured is None or not configured.strip():
        return WORLD, (ZONE_ASSUMED,)
    zone = configured.strip()
    if grid_zone(zone) not in zones():
        raise UnknownZone(zone, nearest(zone))
    return zone, ()


def nearest(name: str) -> tuple[str, ...]:
    """Known zones and regions that `name` may stand for, best first; empty where none is near.

    It is compared with codes, other codes (ISO alpha-3, region names without their provider),
    names of zones and places of regions, whatever their case.
    """
    wanted = name.strip().casefold()[:_LONGEST_NAME]
    names = _names()
    if wanted in names:
        return names[wanted][:_NEAREST]
    begun = [known for known in names if len(wanted) >= _BEGINNING and known.startswith(wanted)]
    close = get_close_matches(wanted, names, _NEAREST, _ALIKE) if len(wanted) >= _SLIP else []
    # A part of a country that the tables do not know, such as GB-1, lies in the country.
    country = wanted.partition("-")[0]
    wider = [country.upper()] if country != wanted and country.upper() in zones() else []
    codes = dict.fromkeys([*(code for match in begun + close for code in names[match]), *wider])
    return tuple(codes)[:_NEAREST]


@cache
def _table() -> Mapping[tuple[str, SignalKind], ZoneFactor]:
    folder = files("lichen.grid")
    tables = (folder.joinpath(name).read_text(encoding="utf-8") for name in _TABLES)
    rows = (_factor(row) for table in tables for row in csv.DictReader(table.splitlines()))
    return {(row.zone, row.kind): row for row in rows}


@cache
def _names() -> Mapping[str, tuple[str, ...]]:
    """Zones and regions by every name they go by, in small letters."""
    names: dict[str, list[str]] = {}
    for name, code in _known_by():
        codes = names.setdefault(name.casefold(), [])
        if code not in codes:
            codes.append(code)
    return {name: tuple(codes) for name, codes in names.items()}


def _known_by() -> Iterator[tuple[str, str]]:
    for row in _table().values():
        for name in (row.zone, row.name, *row.also):
            yield name, row.zone
    for region in regions().values():
        for name in (region.name, region.name.partition(":")[2], region.location):
            yield name, region.name


def _factor(row: Mapping[str, str]) -> ZoneFactor:
    made = CarbonIntensity.g_per_kwh
    # The world's mean says how little is known of the place, not how the place is.
    basis = Basis.ASSUMED if row["zone"] == WORLD else Basis.MODELLED
    return ZoneFactor(
        zone=row["zone"],
        name=row["name"],
        also=tuple(filter(None, row["also"].split("|"))),
        intensity=Estimate(
            made(float(row["g_per_kwh"])), made(float(row["low"])), made(float(row["high"])), basis
        ),
        kind=SignalKind.of(row["kind"]),
        account=row["account"],
        year=int(row["year"]),
        source=row["source"],
        licence=row["licence"],
        retrieved=datetime.fromisoformat(row["retrieved"]).replace(tzinfo=UTC),
    )
