"""ENTSO-E documents: power over time by type, out of XML.

A document holds series, a series periods, a period a start, a resolution and points by position.

    start of a point = start of its period + (position − 1) × resolution

Curve type A01 gives every position, and one that lacks is missing. A03 gives a position only where
the value changes: it stands until the next one, or the end of the period. An acknowledgement
instead of a document says in a reason why there is none.

Source: ENTSO-E Transparency Platform RESTful API; IEC 62325-451-6 (generation and load document),
62325-351 (curve types).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from xml.etree.ElementTree import Element, ParseError, fromstring

from lichen.grid.point import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESOLUTION = re.compile(r"PT(?:(\d{1,4})M|(\d{1,2})H)")
_UNIT = "MAW"
_HOUR_S = 3600
# Two positions a minute for a year: more is no period of this platform.
_MOST_POINTS = 1_051_200


class Refusal(Exception):  # noqa: N818
    """An acknowledgement: there is no document, for this reason."""


class Reading(NamedTuple):
    """Mean power of a type from a start for a while. `seconds` [s], `power` [MW]"""

    kind: str
    start: int
    seconds: int
    power: float


def parse(body: bytes) -> list[Reading]:
    """All readings of a generation or load document; what was consumed is left out.

    Raises:
        Refusal: it is an acknowledgement.
        ValueError: it is no such document.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ValueError("its XML declares entities, which no document of ENTSO-E does")
    try:
        root = fromstring(body)  # noqa: S314 (no entities: looked for above)
    except ParseError as error:
        raise ValueError(f"it is no XML: {error}") from None
    name = _local(root)
    if name == "Acknowledgement_MarketDocument":
        raise Refusal(" ".join(_text(root, "text").split()) or "no reason given")
    if name != "GL_MarketDocument":
        raise ValueError(f"it is a {name}, not a GL_MarketDocument")
    return [reading for series in _all(root, "TimeSeries") for reading in _series(series)]


def hourly(readings: list[Reading]) -> dict[int, dict[str, float]]:
    """Energy by hour and type; an hour of which a part is missing is left out. [MWh]"""
    covered: dict[tuple[int, str], int] = {}
    energy: dict[int, dict[str, float]] = {}
    for kind, start, seconds, power in readings:
        for begin in range(start, start + seconds, _HOUR_S) if seconds > _HOUR_S else (start,):
            hour = begin // _HOUR_S * _HOUR_S
            part = min(seconds, _HOUR_S)
            covered[hour, kind] = covered.get((hour, kind), 0) + part
            of_hour = energy.setdefault(hour, {})
            of_hour[kind] = of_hour.get(kind, 0.0) + power * part / _HOUR_S
    for (hour, kind), seconds in covered.items():
        if seconds > _HOUR_S:
            raise ValueError(f"{kind or 'a value'} is there twice for one time")
        if seconds < _HOUR_S:
            del energy[hour][kind]
    return {hour: kinds for hour, kinds in energy.items() if kinds}


def _series(series: Element) -> Iterator[Reading]:
    if next(_all(series, "outBiddingZone_Domain.mRID"), None) is not None and _kind(series):
        # Generation that went out of the zone's grid into a store: consumption.
        return
    unit = _text(series, "quantity_Measure_Unit.name")
    if unit not in ("", _UNIT):
        raise ValueError(f"its unit is {unit!r}, not {_UNIT!r}")
    steps_back = _text(series, "curveType") == "A03"
    for period in _all(series, "Period"):
        yield from _period(period, _kind(series), stands=steps_back)


def _period(period: Element, kind: str, *, stands: bool) -> Iterator[Reading]:
    start, end = moment(_text(period, "start"), "start"), moment(_text(period, "end"), "end")
    step = _resolution(_text(period, "resolution"))
    count = (end - start) // step
    if not 0 < count <= _MOST_POINTS:
        raise ValueError(f"a period runs from {start:%F %R} to {end:%F %R} in steps of {step}")
    given = {
        int(_text(point, "position")): float(_text(point, "quantity"))
        for point in _all(period, "Point")
    }
    if any(not 0 < position <= count for position in given):
        raise ValueError(f"a position lies outside its period of {count}")
    power: float | None = None
    for position in range(1, count + 1):
        power = given.get(position, power if stands else None)
        if power is not None:
            begins = int((start + step * (position - 1)).timestamp())
            yield Reading(kind, begins, int(step.total_seconds()), power)


def _resolution(text: str) -> timedelta:
    found = _RESOLUTION.fullmatch(text)
    if not found:
        raise ValueError(f"its resolution is {text!r}, no minutes or hours")
    step = timedelta(minutes=int(found[1] or 0), hours=int(found[2] or 0))
    if not timedelta(0) < step <= timedelta(hours=1) or timedelta(hours=1) % step:
        raise ValueError(f"its resolution is {text!r}, no part of an hour")
    return step


def _kind(series: Element) -> str:
    return _text(series, "psrType")


def _all(element: Element, name: str) -> Iterator[Element]:
    return (found for found in element.iter() if _local(found) == name)


def _text(element: Element, name: str) -> str:
    found = next(_all(element, name), None)
    return "" if found is None or found.text is None else found.text.strip()


def _local(element: Element) -> str:
    """An element's name without its namespace, whose version changes now and then."""
    return element.tag.rpartition("}")[2]


def stamp(time: datetime) -> str:
    """A time as the platform writes it."""
    return f"{time:%Y%m%d%H%M}"
