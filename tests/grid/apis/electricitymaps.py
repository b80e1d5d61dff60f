"""Speaks Electricity Maps' API v3, in the shape of its reference, with a made-up grid."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lichen.testing.grid_api import Answer, Question

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = timedelta(hours=1)
TOKEN = "em-token-5f0c2d"


def intensity(time: datetime) -> float:
    return 250 + 10 * time.hour


def estimated(time: datetime, now: datetime) -> bool:
    return time > now - timedelta(hours=3)


class ElectricityMapsApi:
    """Latest hours, past spans up to 10 days, forecasts by horizon; needs its token."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def __call__(self, question: Question) -> Answer:
        if question.headers.get("auth-token") != TOKEN:
            return Answer(401, {"status": "error", "message": "Invalid auth-token"})
        zone, verb = question.params["zone"], question.path.removeprefix("/v3/carbon-intensity/")
        if zone not in ("DE", "FR"):
            return Answer(404, {"status": "error", "message": f"Zone '{zone}' does not exist."})
        if question.params["emissionFactorType"] != "lifecycle":
            return Answer(400, {"status": "error", "message": "emissionFactorType"})
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        if verb == "history":
            hours = [hour - HOUR * n for n in range(23, -1, -1)]
            return Answer(body={"zone": zone, "history": [self._row(zone, t) for t in hours]})
        if verb == "past-range":
            return self._past(zone, question)
        return self._forecast(zone, hour, int(question.params["horizonHours"]))

    def _past(self, zone: str, question: Question) -> Answer:
        start = datetime.fromisoformat(question.params["start"])
        end = datetime.fromisoformat(question.params["end"])
        if end - start > timedelta(days=10):
            return Answer(400, {"status": "error", "message": "range too long"})
        hours = [start + HOUR * n for n in range((end - start) // HOUR)]
        rows = [self._row(zone, time) for time in hours if time <= self._now()]
        return Answer(body={"zone": zone, "data": rows})

    def _forecast(self, zone: str, hour: datetime, horizon: int) -> Answer:
        rows = [
            {"carbonIntensity": intensity(hour + HOUR * n), "datetime": _z(hour + HOUR * n)}
            for n in range(horizon + 1)
        ]
        body = {"zone": zone, "forecast": rows, "updatedAt": _z(hour + timedelta(minutes=2))}
        return Answer(body=body)

    def _row(self, zone: str, time: datetime) -> dict[str, Any]:
        is_estimated = estimated(time, self._now())
        return {
            "zone": zone,
            "carbonIntensity": intensity(time),
            "datetime": _z(time),
            "updatedAt": _z(time + HOUR),
            "createdAt": _z(time - HOUR),
            "emissionFactorType": "lifecycle",
            "isEstimated": is_estimated,
            "estimationMethod": "TIME_SLICER_AVERAGE" if is_estimated else None,
        }


def _z(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.000Z"
