"""Speaks the EIA's API v2, in the shape of its documentation, with a made-up fuel mix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lichen.testing.grid_api import Answer, Question

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = timedelta(hours=1)
KEY = "eia-key-c0ffee"
FUELS = ("BAT", "COL", "GEO", "NG", "NUC", "OIL", "OTH", "PS", "SUN", "WAT", "WND")
MOST = 5000


def generation(fuel: str, start: datetime) -> int | None:
    """Energy in the hour that begins at `start`. [MWh]"""
    by_fuel = {"NG": 8000 + 100 * start.hour, "NUC": 2200, "WAT": 1500, "WND": 3000}
    if fuel == "SUN":
        return max(0, 900 * (6 - abs(start.hour - 12)))
    if fuel in ("BAT", "PS"):
        return -400 if start.hour < 12 else 400
    return by_fuel.get(fuel, -1 if fuel == "OIL" else 40)


class EiaApi:
    """Hourly generation by fuel, paged; hours come an hour late; needs its key."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def __call__(self, question: Question) -> Answer:
        params = question.params
        if params.get("api_key") != KEY:
            error = {"code": "API_KEY_INVALID", "message": f"bad key {params.get('api_key')}"}
            return Answer(403, {"error": error})
        if question.path != "/v2/electricity/rto/fuel-type-data/data/":
            return Answer(404, {"error": "Not found", "code": 404})
        ends = _read(params["start"])
        last = min(_read(params["end"]), self._now() - HOUR)
        table: list[dict[str, Any]] = []
        while ends <= last:
            table += [_row(params["facets[respondent][]"], fuel, ends) for fuel in FUELS]
            ends += HOUR
        offset, length = int(params["offset"]), min(int(params["length"]), MOST)
        response = {
            "total": str(len(table)),
            "dateFormat": 'YYYY-MM-DD"T"HH24',
            "frequency": "hourly",
            "data": table[offset : offset + length],
        }
        return Answer(body={"response": response, "request": {}, "apiVersion": "2.1.12"})


def _row(respondent: str, fuel: str, ends: datetime) -> dict[str, Any]:
    value = generation(fuel, ends - HOUR)
    return {
        "period": f"{ends:%Y-%m-%dT%H}",
        "respondent": respondent,
        "respondent-name": "California Independent System Operator",
        "fueltype": fuel,
        "type-name": fuel,
        "value": None if value is None else str(value),
        "value-units": "megawatthours",
    }


def _read(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC)
