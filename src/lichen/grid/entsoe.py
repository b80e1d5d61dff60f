"""ENTSO-E: European generation by type, life-cycle factors, a forecast from day-ahead data.

    GET /api?documentType=A75&processType=A16      actual generation per type
    GET /api?documentType=A65&processType=A01      load, day ahead
    GET /api?documentType=A69&processType=A01      wind and solar, day ahead

    securityToken: ENTSOE_TOKEN, in the address, as the API will have it

What was is priced by `lichen.grid.mix`: average, by production. What will be comes from a line
through the last seven days:

    I = a + b · s       s = 1 − (wind + solar) / load      residual share      [1]

a, b  by least squares over hours that were, with generation in the place of load
s     of the hours to come, from day-ahead load and day-ahead wind and solar

I is kept within what the seven days showed.

Tried on hourly generation of DE, US-CAL-CISO, PL and SE (a year each, s as it came): the line is
within 0.82 to 1.27 of the day's intensity for 90 % of hours. With the error of day-ahead wind and
sun, the interval is × / ÷ 1.5. Data reach to the end of tomorrow, once published in the evening.

Source: ENTSO-E Transparency Platform RESTful API (documents A65, A69, A75); docs/method/carbon.md.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

from lichen.grid.entsoe_xml import Refusal, hourly, parse, stamp
from lichen.grid.live import Issue
from lichen.grid.live_forecast import LiveForecast
from lichen.grid.mix import Generation, points_of, share_of
from lichen.grid.point import Point, Wanted, floor
from lichen.grid.regions import grid_zone
from lichen.grid.table import rows
from lichen.ledger.errors import SignalUnavailable, UnknownZone
from lichen.ledger.estimate import Basis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.grid.web import Web

# See the head of this file.
RESIDUAL_FACTOR = 1.5
_TYPES = "entsoe_types.csv"
_RENEWABLE = frozenset({"wind", "wind offshore", "solar"})
_FITTED = timedelta(days=7)
# A line through fewer hours than two days' says nothing of a day.
_FEWEST_HOURS = 48
_ACTUAL = {"documentType": "A75", "processType": "A16"}
_LOAD = {"documentType": "A65", "processType": "A01"}
_WIND_AND_SOLAR = {"documentType": "A69", "processType": "A01"}


class Entsoe(LiveForecast):
    """The ENTSO-E Transparency Platform."""

    name: ClassVar[str] = "entsoe"
    title: ClassVar[str] = "the ENTSO-E Transparency Platform"
    url: ClassVar[str] = "https://web-api.tp.entsoe.eu"
    needs: ClassVar[tuple[str, ...]] = ("entsoe_token",)
    longest: ClassVar[timedelta] = timedelta(days=30)
    settles: ClassVar[timedelta] = timedelta(days=7)
    reach: ClassVar[timedelta] = timedelta(hours=48)

    def __init__(self, web: Web, token: str) -> None:
        super().__init__(web, token)
        self._token = token

    def place(self, zone: str) -> str:
        """The EIC code of a country or bidding zone.

        Raises:
            UnknownZone: no code of it is known.
        """
        known = {row["zone"]: row["eic"] for row in rows("entsoe_areas.csv")}
        code = grid_zone(zone)
        if code not in known:
            raise UnknownZone(zone, tuple(n for n in known if n.startswith(f"{code[:2]}-"))[:3])
        return known[code]

    def actual(self, wanted: Wanted, place: str) -> Sequence[Point]:
        """Hours that were."""
        return points_of(self._generation(wanted, place), _TYPES)

    def issued(self, wanted: Wanted, place: str) -> Issue:
        """The line through the last days, along the residual share of the hours to come."""
        now = floor(self.web.now(), self.step)
        past = self._generation(wanted._replace(start=now - _FITTED, end=now), place)
        line = _fit(past)
        ahead = wanted._replace(start=now, end=now + self.reach)
        load = self._ask(ahead, {**_LOAD, "outBiddingZone_Domain": place})
        green = self._ask(ahead, {**_WIND_AND_SOLAR, "in_Domain": place})
        points = []
        for hour in sorted(load.keys() & green.keys()):
            total = sum(load[hour].values())
            if total > 0:
                points.append(line.point(hour, 1 - sum(green[hour].values()) / total))
        return Issue(now, points)

    def _generation(self, wanted: Wanted, place: str) -> Generation:
        return self._ask(wanted, {**_ACTUAL, "in_Domain": place})

    def _ask(self, wanted: Wanted, params: Mapping[str, str]) -> Generation:
        """Energy by hour and type, for the hours that are wanted."""
        span = {"periodStart": stamp(wanted.start), "periodEnd": stamp(wanted.end)}
        # A refusal comes with status 400 or 200, and says its reason in the document.
        reply = self.web.get(
            str(wanted),
            "/api",
            {**params, **span, "securityToken": self._token},
            allowed=(HTTPStatus.BAD_REQUEST.value,),
        )
        try:
            found = hourly(parse(reply.body))
        except Refusal as refusal:
            raise SignalUnavailable(
                str(wanted),
                f"it has none: {self.web.quote(str(refusal))}",
                "ask for another time or zone, or configure another source",
            ) from None
        first, end = wanted.start.timestamp(), wanted.end.timestamp()
        return {hour: kinds for hour, kinds in found.items() if first <= hour < end}


class _Line:
    """I = a + b · s, within the intensities it was drawn through."""

    def __init__(self, shares: Sequence[float], values: Sequence[float]) -> None:
        count = len(shares)
        mean_share, mean = sum(shares) / count, sum(values) / count
        spread = sum((share - mean_share) ** 2 for share in shares)
        both = sum((s - mean_share) * (v - mean) for s, v in zip(shares, values, strict=True))
        self.slope = both / spread if spread > 0 else 0.0
        self.intercept = mean - self.slope * mean_share
        self.values = min(values), max(values)

    def point(self, hour: int, share: float) -> Point:
        value = self.intercept + self.slope * share
        value = min(max(value, self.values[0]), self.values[1])
        low, high = value / RESIDUAL_FACTOR, value * RESIDUAL_FACTOR
        return Point(hour, value, low, high, Basis.MODELLED)


def _fit(past: Generation) -> _Line:
    """The line through hours that were.

    Raises:
        ValueError: there are too few of them.
    """
    pairs = []
    for point in points_of(past, _TYPES):
        share = share_of(past[point.start], _TYPES, _RENEWABLE)
        if share is not None:
            pairs.append((1 - share, point.value))
    if len(pairs) < _FEWEST_HOURS:
        raise ValueError(f"{len(pairs)} of the last 168 hours are whole, too few to draw a line")
    return _Line([share for share, _ in pairs], [value for _, value in pairs])
