"""NESO: Great Britain's carbon intensity, national and of 17 regions, by half-hours. No key.

    GET /intensity/{from}/{to}                            forecast and actual
    GET /intensity/{from}/fw48h                           forecast, 48 h
    GET /regional/intensity/{from}/{to}/regionid/{id}     forecast only
    GET /regional/intensity/{from}/fw48h/regionid/{id}

Zone GB is the nation; GB-1 to GB-17 are the regions by NESO's number (`neso_regions.csv`). Average,
and direct: CO₂ of generation, with imports and losses, without fuel supply and building. Where a
half-hour of the nation has no actual value yet, its last forecast stands and is PROVISIONAL. NESO
publishes no actual values of regions: there the last forecast stands and is ESTIMATED. Either has
the interval of a forecast. It is not said when a forecast was issued; it is remade every half-hour,
so the half-hour that runs is taken. Past forecasts are overwritten, not kept.

Source: Carbon Intensity API definitions v2 (carbon-intensity.github.io/api-definitions), CC BY 4.0.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from lichen.grid.live import Issue
from lichen.grid.live_forecast import LiveForecast
from lichen.grid.point import FORECAST_FACTOR, Point, Wanted, floor, moment, number, spread
from lichen.grid.regions import grid_zone
from lichen.grid.table import rows
from lichen.grid.trace import TRACE_FACTOR
from lichen.ledger.errors import NotOfThisSource
from lichen.ledger.signal import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

_MOMENT = "%Y-%m-%dT%H:%MZ"
_NATION = "GB"


class Neso(LiveForecast):
    """NESO's carbon intensity API."""

    name: ClassVar[str] = "neso"
    title: ClassVar[str] = "the carbon intensity API of NESO"
    url: ClassVar[str] = "https://api.carbonintensity.org.uk"
    step: ClassVar[timedelta] = timedelta(minutes=30)
    # The API gives 14 days at most; a day less, since it may add a half-hour before.
    longest: ClassVar[timedelta] = timedelta(days=13)
    # Metered values are corrected for some days.
    settles: ClassVar[timedelta] = timedelta(days=2)
    reach: ClassVar[timedelta] = timedelta(hours=48)

    def place(self, zone: str) -> str:
        """The nation's code, or the number of a region.

        Raises:
            UnknownZone: it is neither.
        """
        code = grid_zone(zone)
        if code == _NATION:
            return code
        known = {row["zone"]: row["regionid"] for row in rows("neso_regions.csv")}
        if code not in known:
            raise NotOfThisSource(
                zone,
                "NESO",
                "GB (Great Britain) and its regions GB-1 to GB-17",
                "for other zones put electricitymaps, entsoe or watttime in LICHEN_GRID",
            )
        return known[code]

    def actual(self, wanted: Wanted, place: str) -> Sequence[Point]:
        """Half-hours that were."""
        points = self._read(wanted, place, f"{wanted.end:{_MOMENT}}")
        return [point for point in points if point.start < wanted.end.timestamp()]

    def issued(self, wanted: Wanted, place: str) -> Issue:
        """The next 48 hours."""
        return Issue(floor(self.web.now(), self.step), self._read(wanted, place, "fw48h"))

    def _read(self, wanted: Wanted, place: str, span: str) -> list[Point]:
        # A minute past its start lies in one half-hour only; the start itself ends the one before.
        path = f"/intensity/{wanted.start + timedelta(minutes=1):{_MOMENT}}/{span}"
        if place != _NATION:
            path = f"/regional{path}/regionid/{place}"
        reply = self.web.get(str(wanted), path, headers={"Accept": "application/json"})
        data = self.json(wanted, reply)["data"]
        if place != _NATION:
            if str(data["regionid"]) != place:
                raise ValueError(f"it is of region {data['regionid']!r}, not {place}")
            data = data["data"]
        forecast = Standing.PROVISIONAL if place == _NATION else Standing.ESTIMATED
        return [point for start, point in _points(data, forecast) if start >= wanted.start]


def _points(data: Any, forecast: Standing) -> Iterator[tuple[datetime, Point]]:
    for row in data:
        start, said = moment(row["from"], "from"), row["intensity"]
        if moment(row["to"], "to") - start != Neso.step:
            raise ValueError(f"{row['from']} to {row['to']} is no half-hour")
        if said.get("actual") is not None:
            yield start, spread(start, number(said["actual"], "actual"), TRACE_FACTOR)
        elif said["forecast"] is not None:
            value = number(said["forecast"], "forecast")
            yield start, spread(start, value, FORECAST_FACTOR, standing=forecast)
