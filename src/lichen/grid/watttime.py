"""WattTime v3: the marginal operating emissions rate (MOER), every five minutes.

    GET /login                    basic authentication → a token for 30 minutes
    GET /v3/region-from-loc       a place's region
    GET /v3/historical            what was, up to 32 days a request          [lb CO₂/MWh]
    GET /v3/forecast              the newest forecast, up to 72 hours         [lb CO₂/MWh]
    GET /v3/forecast/historical   a forecast as issued some time ago

MARGINAL, and direct: what the plants emit that answer to a little more load. It never stands in for
an average. A zone is looked up by a place in it (`watttime_places.csv`); a zone of several WattTime
regions is priced as the region of that place. A rate in any unit but pounds per megawatt-hour is
refused. The interval is × / ÷ 2, set by hand, as of the static marginal values.

Source: WattTime Data API v3 (docs.watttime.org/openapi.json).
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from lichen.grid.live import Issue
from lichen.grid.live_forecast import LiveForecast
from lichen.grid.point import Point, Wanted, floor, from_lb_per_mwh, moment, number, signal, spread
from lichen.grid.regions import grid_zone
from lichen.grid.shelf import Kept
from lichen.grid.table import rows
from lichen.ledger.errors import SignalUnavailable, UnknownZone
from lichen.ledger.signal import SignalKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.grid.web import Web
    from lichen.ledger.signal import GridSignal

_SIGNAL = "co2_moer"
_UNIT = "lbs_co2_per_mwh"
MARGINAL_FACTOR = 2.0
# A token lasts 30 minutes; it is renewed before, so that none ends on its way.
_TOKEN_LASTS = timedelta(minutes=25)
# Borders of regions move seldom.
_REGION_STANDS = timedelta(days=30)


class WattTime(LiveForecast):
    """WattTime's marginal emissions rate."""

    name: ClassVar[str] = "watttime"
    title: ClassVar[str] = "WattTime"
    url: ClassVar[str] = "https://api.watttime.org"
    needs: ClassVar[tuple[str, ...]] = ("watttime_username", "watttime_password")
    kind: ClassVar[SignalKind] = SignalKind.MARGINAL
    step: ClassVar[timedelta] = timedelta(minutes=5)
    longest: ClassVar[timedelta] = timedelta(days=30)
    settles: ClassVar[timedelta] = timedelta(days=2)
    renewed: ClassVar[timedelta] = timedelta(minutes=5)
    reach: ClassVar[timedelta] = timedelta(hours=72)

    def __init__(self, web: Web, username: str, password: str) -> None:
        super().__init__(web, username, password)
        basic = b64encode(f"{username}:{password}".encode()).decode()
        self._basic = f"Basic {basic}"
        self._fixed_secrets = (basic, password, username)
        web.secrets = self._fixed_secrets
        self._token: tuple[str, datetime] | None = None

    def place(self, zone: str) -> str:
        """Latitude and longitude of a place in the zone.

        Raises:
            UnknownZone: no place of it is known.
        """
        places = {row["zone"]: f"{row['latitude']},{row['longitude']}" for row in _places()}
        code = grid_zone(zone)
        if code not in places:
            near = [known for known in places if known.startswith(code.split("-")[0] + "-")]
            raise UnknownZone(zone, tuple(near[:3]))
        return places[code]

    def actual(self, wanted: Wanted, place: str) -> Sequence[Point]:
        """Five-minute rates that were; both ends of what is asked are in the answer."""
        span = {
            "start": wanted.start.isoformat(),
            "end": (wanted.end - self.step).isoformat(),
        }
        region = self._region(wanted, place)
        answer = self._ask(wanted, "/v3/historical", {**span, **_of(region)})
        self._same(answer["meta"], region)
        return _points(answer["data"])

    def issued(self, wanted: Wanted, place: str) -> Issue:
        """The newest forecast."""
        region = self._region(wanted, place)
        hours = str(int(self.reach.total_seconds()) // 3600)
        answer = self._ask(wanted, "/v3/forecast", {"horizon_hours": hours, **_of(region)})
        self._same(answer["meta"], region)
        return Issue(
            moment(answer["meta"]["generated_at"], "generated_at"), _points(answer["data"])
        )

    def _past(self, wanted: Wanted, place: str, issued_at: datetime) -> GridSignal:
        """The newest forecast that was out at `issued_at`; the whole horizon begins there."""
        begin = floor(issued_at, self.step)
        wanted = wanted._replace(start=begin, end=begin + (wanted.end - wanted.start))
        found = self.checked(wanted, self._as_issued, wanted, place)
        return signal(wanted, {point.start: point for point in found.points}, found.issued_at)

    def _as_issued(self, wanted: Wanted, place: str) -> Issue:
        region = self._region(wanted, place)
        span = {"start": wanted.start.isoformat(), "end": wanted.start.isoformat()}
        answer = self._ask(wanted, "/v3/forecast/historical", {**span, **_of(region)})
        self._same(answer["meta"], region)
        made = answer["data"][-1]
        issued_at = moment(made["generated_at"], "generated_at")
        if issued_at > wanted.start:
            raise ValueError(f"it was issued {issued_at:%F %R}, after what was asked for")
        return Issue(issued_at, _points(made["forecast"]))

    def _region(self, wanted: Wanted, place: str) -> str:
        """The region of a place, asked once a month."""
        kept = self.web.shelf.get(*self.key("region", place))
        now = self.web.now()
        if kept and kept.stands(now) and isinstance(kept.what, str):
            return kept.what
        latitude, longitude = place.split(",")
        asked = {"latitude": latitude, "longitude": longitude, "signal_type": _SIGNAL}
        region = self._ask(wanted, "/v3/region-from-loc", asked)["region"]
        if not isinstance(region, str) or not region:
            raise ValueError(f"region is {region!r}, no name")
        self.web.shelf.put(self.key("region", place), Kept(now, now + _REGION_STANDS, region))
        return region

    def _ask(self, wanted: Wanted, path: str, params: Mapping[str, str]) -> Any:
        """An answer; where the token is refused, once more with a new one."""
        for allowed in ((HTTPStatus.UNAUTHORIZED.value,), ()):
            bearer = {"Authorization": f"Bearer {self._valid_token(wanted)}"}
            reply = self.web.get(str(wanted), path, params, headers=bearer, allowed=allowed)
            if reply.status == HTTPStatus.OK:
                break
            self._token = None
        return self.json(wanted, reply)

    def _valid_token(self, wanted: Wanted) -> str:
        now = self.web.now()
        if self._token and now < self._token[1]:
            return self._token[0]
        reply = self.web.get(str(wanted), "/login", headers={"Authorization": self._basic})
        token = self.json(wanted, reply)["token"]
        if not isinstance(token, str) or not token:
            raise SignalUnavailable(str(wanted), "its login gave no token", "see its status")
        self.web.secrets = (*self._fixed_secrets, token)
        self._token = token, now + _TOKEN_LASTS
        return token

    def _same(self, meta: Any, region: str) -> None:
        """The answer is of what was asked for, in the unit it has always had."""
        said = {"region": region, "signal_type": _SIGNAL, "units": _UNIT}
        for field, expected in said.items():
            if str(meta[field]).lower() != expected.lower():
                raise ValueError(f"its {field} is {meta[field]!r}, not {expected!r}")
        if timedelta(seconds=number(meta["data_point_period_seconds"], "period")) != self.step:
            raise ValueError(f"its step is {meta['data_point_period_seconds']} s, not 300")


def _of(region: str) -> dict[str, str]:
    return {"region": region, "signal_type": _SIGNAL}


def _points(data: Any) -> list[Point]:
    return [
        spread(
            moment(row["point_time"], "point_time"),
            from_lb_per_mwh(number(row["value"], "value")),
            MARGINAL_FACTOR,
        )
        for row in data
    ]


def _places() -> Sequence[Mapping[str, str]]:
    return rows("watttime_places.csv")
