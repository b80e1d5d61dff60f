"""Electricity Maps: hourly average intensity of some 200 zones, by consumption and life cycle.

    GET /v3/carbon-intensity/history      the last 24 hours
    GET /v3/carbon-intensity/past-range   any span of up to 10 days
    GET /v3/carbon-intensity/forecast     24, 48 or 72 hours ahead

    auth-token: ELECTRICITYMAPS_TOKEN

Zone keys are ours. The plan of a token says which zones and requests it covers; history of 24 hours
is in the free one. A value that Electricity Maps estimated has basis ASSUMED and a wider interval;
it is PROVISIONAL for the days in which a measured one may replace it, and ESTIMATED after them.
The sandbox's made-up values are refused, and so is another zone's value: without a zone it knows,
the API may answer for the place the question came from.

Source: Electricity Maps API reference, v3 (app.electricitymaps.com/developer-hub/api/reference).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from lichen.grid.live import Issue
from lichen.grid.live_forecast import LiveForecast
from lichen.grid.point import FORECAST_FACTOR, Point, Wanted, moment, number, spread
from lichen.grid.regions import grid_zone
from lichen.grid.trace import TRACE_FACTOR
from lichen.grid.zones import nearest
from lichen.ledger.errors import UnknownZone
from lichen.ledger.estimate import Basis
from lichen.ledger.signal import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from lichen.grid.web import Web

# A country, a zone of it, or one of a wider region's: DE, SE-SE3, US-CAL-CISO.
_KEY = re.compile(r"[A-Z]{2}(-[A-Z0-9]{2,4}){0,2}")
# Zones of ours that are none of theirs: the EU, US states and Chinese provinces.
_OURS = re.compile(r"EU|US-[A-Z]{2}|CN-[A-Z]{2}")
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_HORIZONS_H = (24, 48, 72)
_HOUR = timedelta(hours=1)


class ElectricityMaps(LiveForecast):
    """Electricity Maps' carbon intensity."""

    name: ClassVar[str] = "electricitymaps"
    title: ClassVar[str] = "Electricity Maps"
    url: ClassVar[str] = "https://api.electricitymaps.com"
    needs: ClassVar[tuple[str, ...]] = ("electricitymaps_token",)
    longest: ClassVar[timedelta] = timedelta(days=10)
    # Estimates are replaced by measured values within days.
    settles: ClassVar[timedelta] = timedelta(days=7)
    renewed: ClassVar[timedelta] = timedelta(minutes=15)
    # `history` gives 24 values, and that of the hour that runs may lack.
    recent: ClassVar[timedelta | None] = timedelta(hours=22)
    reach: ClassVar[timedelta] = timedelta(hours=72)

    def __init__(self, web: Web, token: str) -> None:
        super().__init__(web, token)
        self._headers = {"auth-token": token, "Accept": "application/json"}

    def place(self, zone: str) -> str:
        """The zone key.

        Raises:
            UnknownZone: no zone key looks like it.
        """
        code = grid_zone(zone)
        if not _KEY.fullmatch(code) or _OURS.fullmatch(code):
            raise UnknownZone(zone, tuple(near for near in nearest(zone) if near != code))
        return code

    def actual(self, wanted: Wanted, place: str) -> Sequence[Point]:
        """Hours that were."""
        if self.recent and wanted.start > self.web.now() - self.recent:
            answer = self._ask(wanted, "history", {"zone": place})
            rows = answer["history"]
        else:
            span = {"start": f"{wanted.start:{_MOMENT}}", "end": f"{wanted.end:{_MOMENT}}"}
            answer = self._ask(wanted, "past-range", {"zone": place, **span})
            rows = answer["data"]
        found = _points(answer, rows, place, self.web.now() - self.settles)
        first, end = wanted.start.timestamp(), wanted.end.timestamp()
        return [point for point in found if first <= point.start < end]

    def issued(self, wanted: Wanted, place: str) -> Issue:
        """The newest forecast."""
        hours = (wanted.end - wanted.start) / _HOUR
        horizon = next((h for h in _HORIZONS_H if h >= hours), _HORIZONS_H[-1])
        answer = self._ask(wanted, "forecast", {"zone": place, "horizonHours": str(horizon)})
        _same_zone(answer, place)
        points = [
            spread(
                moment(row["datetime"], "datetime"),
                number(row["carbonIntensity"], "carbonIntensity"),
                FORECAST_FACTOR,
            )
            for row in answer["forecast"]
        ]
        return Issue(moment(answer["updatedAt"], "updatedAt"), points)

    def _ask(self, wanted: Wanted, verb: str, params: Mapping[str, str]) -> Any:
        reply = self.web.get(
            str(wanted),
            f"/v3/carbon-intensity/{verb}",
            {**params, "emissionFactorType": "lifecycle"},
            headers=self._headers,
        )
        answer = self.json(wanted, reply)
        if "sandbox" in str(answer.get("_disclaimer", "")).lower():
            raise ValueError("it is made up: this token is one of the sandbox")
        return answer


def _points(answer: Any, rows: Any, place: str, settled: datetime) -> Iterator[Point]:
    """Hours; an estimate of one that ended after `settled` may yet be replaced."""
    _same_zone(answer, place)
    for row in rows:
        if row["carbonIntensity"] is None:
            continue
        if row.get("emissionFactorType", "lifecycle") != "lifecycle":
            raise ValueError(f"its account is {row['emissionFactorType']!r}, not lifecycle")
        if "SANDBOX" in str(row.get("estimationMethod")):
            raise ValueError("it is made up: this token is one of the sandbox")
        is_estimated = bool(row["isEstimated"])
        start = moment(row["datetime"], "datetime")
        estimate = Standing.ESTIMATED if start + _HOUR <= settled else Standing.PROVISIONAL
        yield spread(
            start,
            number(row["carbonIntensity"], "carbonIntensity"),
            FORECAST_FACTOR if is_estimated else TRACE_FACTOR,
            Basis.ASSUMED if is_estimated else Basis.MODELLED,
            estimate if is_estimated else Standing.ACTUAL,
        )


def _same_zone(answer: Any, place: str) -> None:
    if answer["zone"] != place:
        raise ValueError(f"it is of zone {answer['zone']!r}, not {place!r}")
