"""EIA: hourly generation by fuel of US balancing authorities, priced by life-cycle factors.

    GET /v2/electricity/rto/fuel-type-data/data/      5,000 rows a page      [MWh]

    api_key: EIA_API_KEY, in the address, as the API will have it

Average, by production, made by `lichen.grid.mix`. A period is an hour in UTC named by its END:
2026-01-01T05 is the hour from 04:00 to 05:00. Values come some hours late and are corrected for
days. EIA publishes no forecast of generation by fuel, so this source has none.

Source: EIA API v2 technical documentation; Form EIA-930 instructions (hour ending).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from lichen.grid.live import LiveSource
from lichen.grid.mix import Generation, points_of
from lichen.grid.point import Point, Wanted, number
from lichen.grid.regions import grid_zone
from lichen.grid.table import rows
from lichen.ledger.errors import UnknownZone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.grid.web import Web

_PATH = "/v2/electricity/rto/fuel-type-data/data/"
_PERIOD = "%Y-%m-%dT%H"
_HOUR = timedelta(hours=1)
_PAGE = 5000
# Thirty days of sixteen fuels are three pages; more is an answer that never ends.
_PAGES = 12
_UNIT = "megawatthours"


class Eia(LiveSource):
    """The US Energy Information Administration's hourly electric grid monitor."""

    name: ClassVar[str] = "eia"
    title: ClassVar[str] = "the EIA's hourly electric grid monitor"
    url: ClassVar[str] = "https://api.eia.gov"
    needs: ClassVar[tuple[str, ...]] = ("eia_api_key",)
    longest: ClassVar[timedelta] = timedelta(days=30)
    settles: ClassVar[timedelta] = timedelta(days=7)

    def __init__(self, web: Web, api_key: str) -> None:
        super().__init__(web, api_key)
        self._key_of_api = api_key

    def place(self, zone: str) -> str:
        """The respondent: a balancing authority, or US48.

        Raises:
            UnknownZone: none reports of this zone.
        """
        known = {row["zone"]: row["respondent"] for row in rows("eia_respondents.csv")}
        code = grid_zone(zone)
        if code not in known:
            near = [name for name in known if code and name.endswith(code.rpartition("-")[2])]
            raise UnknownZone(zone, tuple(near[:3]))
        return known[code]

    def actual(self, wanted: Wanted, place: str) -> Sequence[Point]:
        """Hours that were."""
        generation: Generation = {}
        for page in range(_PAGES):
            answer = self._page(wanted, place, page * _PAGE)
            before = ""
            for row in answer["data"]:
                if row["period"] < before:
                    raise ValueError(f"its times are out of order: {row['period']} after {before}")
                before = row["period"]
                _add(generation, row, place)
            if (page + 1) * _PAGE >= int(answer["total"]):
                return points_of(generation, "eia_types.csv")
            if not answer["data"]:
                raise ValueError(f"page {page + 1} of {answer['total']} rows is empty")
        raise ValueError(f"{answer['total']} rows are more than it was asked for")

    def _page(self, wanted: Wanted, place: str, offset: int) -> Any:
        params = {
            "api_key": self._key_of_api,
            "frequency": "hourly",
            "data[0]": "value",
            "facets[respondent][]": place,
            "start": f"{wanted.start + _HOUR:{_PERIOD}}",
            "end": f"{wanted.end:{_PERIOD}}",
            "sort[0][column]": "period",
            "sort[0][direction]": "asc",
            "offset": str(offset),
            "length": str(_PAGE),
        }
        return self.json(wanted, self.web.get(str(wanted), _PATH, params))["response"]


def _add(generation: Generation, row: Any, place: str) -> None:
    """One row: an hour's generation of one fuel. A value that is null is not there."""
    if row["respondent"] != place:
        raise ValueError(f"it is of {row['respondent']!r}, not {place!r}")
    if row["value-units"] != _UNIT:
        raise ValueError(f"its unit is {row['value-units']!r}, not {_UNIT!r}")
    if row["value"] is None:
        return
    # Numbers come as text since API 2.1.6.
    value = float(row["value"]) if isinstance(row["value"], str) else row["value"]
    ends = datetime.strptime(row["period"], _PERIOD).replace(tzinfo=UTC)
    hour = generation.setdefault(int((ends - _HOUR).timestamp()), {})
    if row["fueltype"] in hour:
        raise ValueError(f"{row['fueltype']} of {row['period']} is there twice")
    hour[row["fueltype"]] = number(value, "value")
