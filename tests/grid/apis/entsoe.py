"""Speaks the ENTSO-E Transparency Platform's API, in the shape of its guide, with a made-up mix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from lichen.testing.grid_api import Answer, Question

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
TOKEN = "b1a2c3d4-entsoe-e5f6"
AREA = "10Y1001A1001A83F"
NAMESPACE = "urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0"


def power(kind: str, time: datetime) -> int:
    """Power of a type, load being "". [MW]"""
    sun = max(0, 4000 * (6 - abs(time.hour - 12)))
    wind = 12000 + 500 * ((time.day * 24 + time.hour) % 17)
    if kind == "":
        return 55000 + 600 * (12 - abs(time.hour - 12))
    rest = power("", time) - sun - wind - 4000
    by_kind = {"B16": sun, "B19": wind, "B11": 2000, "B01": 2000}
    return by_kind.get(kind, rest // 2)


class EntsoeApi:
    """Actual generation by quarter-hours, load and renewables day ahead; needs its token."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def __call__(self, question: Question) -> Answer:
        params = question.params
        if params.get("securityToken") != TOKEN:
            return Answer(401, f"<html>Unauthorized {params.get('securityToken')}</html>")
        area = params.get("in_Domain") or params.get("outBiddingZone_Domain")
        what = params["documentType"], params["processType"]
        start, end = _read(params["periodStart"]), _read(params["periodEnd"])
        if area != AREA or what not in (("A75", "A16"), ("A65", "A01"), ("A69", "A01")):
            return acknowledgement("No matching data found")
        if end - start > timedelta(days=366):
            return acknowledgement("The amount of requested data exceeds allowed limit", 400)
        if what[0] == "A75":
            end = min(end, self._now().replace(minute=0, second=0, microsecond=0))
            kinds = ("B01", "B04", "B05", "B11", "B16", "B19")
            parts = [series(kind, Span(start, end, QUARTER)) for kind in kinds]
            # What a pumped store takes in stands beside what it gives back.
            parts.append(series("B10", Span(start, end, QUARTER), consumed=True))
            return document("A75", parts)
        # Day-ahead data end with the local day after this one.
        midnight = self._now().replace(hour=23, minute=0, second=0, microsecond=0)
        end = min(end, midnight + timedelta(days=1))
        if what[0] == "A65":
            return document("A65", [series("", Span(start, end, QUARTER))])
        return document("A69", [series(kind, Span(start, end, HOUR)) for kind in ("B16", "B19")])


class Span(NamedTuple):
    """When a series begins and ends, and its step."""

    start: datetime
    end: datetime
    step: timedelta


def series(kind: str, span: Span, *, consumed: bool = False) -> str:
    """A series with curve type A03: a position that repeats the one before is left out."""
    points, before = [], None
    for position in range(1, (span.end - span.start) // span.step + 1):
        value = power(kind, span.start + span.step * (position - 1))
        if value != before:
            points.append((position, value))
        before = value
    return series_of(points, kind, span, consumed=consumed)


def series_of(
    points: list[tuple[int, int]],
    kind: str,
    span: Span,
    *,
    consumed: bool = False,
    curve: str = "A03",
) -> str:
    """A series of given positions."""
    way = "outBiddingZone_Domain" if consumed or not kind else "inBiddingZone_Domain"
    of_kind = f"<MktPSRType><psrType>{kind}</psrType></MktPSRType>" if kind else ""
    rows = "".join(
        f"<Point><position>{position}</position><quantity>{value}</quantity></Point>"
        for position, value in points
    )
    start, end = f"{span.start:%Y-%m-%dT%H:%MZ}", f"{span.end:%Y-%m-%dT%H:%MZ}"
    return (
        f"<TimeSeries><mRID>1</mRID><businessType>A01</businessType>"
        f'<{way}.mRID codingScheme="A01">{AREA}</{way}.mRID>'
        f"<quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name>"
        f"<curveType>{curve}</curveType>{of_kind}<Period><timeInterval>"
        f"<start>{start}</start><end>{end}</end></timeInterval>"
        f"<resolution>PT{int(span.step.total_seconds()) // 60}M</resolution>{rows}"
        "</Period></TimeSeries>"
    )


def document(kind: str, parts: list[str], namespace: str = NAMESPACE) -> Answer:
    """A generation and load document."""
    head = f'<?xml version="1.0" encoding="UTF-8"?><GL_MarketDocument xmlns="{namespace}">'
    return Answer(body=f"{head}<type>{kind}</type>{''.join(parts)}</GL_MarketDocument>")


def acknowledgement(text: str, status: int = 200) -> Answer:
    """Why there is no document."""
    name = "urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"
    return Answer(
        status,
        f'<?xml version="1.0" encoding="UTF-8"?><Acknowledgement_MarketDocument xmlns="{name}">'
        f"<mRID>ack</mRID><Reason><code>999</code><text>{text}</text></Reason>"
        "</Acknowledgement_MarketDocument>",
    )


def _read(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC)
