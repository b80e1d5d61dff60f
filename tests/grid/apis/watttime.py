"""Speaks WattTime's API v3, in the shape of its OpenAPI document, with a made-up grid."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lichen.testing.grid_api import Answer, Question

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = timedelta(minutes=5)
USERNAME, PASSWORD = "grid-user", "pa:ss-77aa"
REGION = "CAISO_NORTH"


def pounds(time: datetime) -> float:
    """The rate at a time. [lb/MWh]"""
    return 700.0 + 10 * time.hour + time.minute


class WattTimeApi:
    """Login, regions, rates and forecasts; a token ends after half an hour."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.tokens: dict[str, datetime] = {}
        self.units = "lbs_co2_per_mwh"

    def __call__(self, question: Question) -> Answer:
        if question.path == "/login":
            return self._login(question)
        token = question.headers.get("authorization", "").removeprefix("Bearer ")
        if self._now() >= self.tokens.get(token, self._now()):
            return Answer(401, {"error": "Unauthorized", "message": "JWTExpiredError"})
        if question.path == "/v3/region-from-loc":
            full = {"region": REGION, "region_full_name": "California ISO Northern"}
            return Answer(body={**full, "signal_type": question.params["signal_type"]})
        if question.params["region"] != REGION:
            return Answer(403, {"error": "FORBIDDEN", "message": "not in your plan"})
        return self._rates(question)

    def _rates(self, question: Question) -> Answer:
        if question.path == "/v3/forecast":
            issued = self._floor()
            hours = int(question.params["horizon_hours"])
            return self._answer(_series(issued, issued + timedelta(hours=hours)), issued)
        start = datetime.fromisoformat(question.params["start"])
        end = datetime.fromisoformat(question.params["end"])
        if question.path == "/v3/historical":
            if end - start > timedelta(days=32):
                return Answer(400, {"message": "more than 32 days"})
            last = min(end, self._floor() - STEP)
            return self._answer(_series(start, last + STEP), None)
        made = _series(start, start + timedelta(hours=72))
        return self._answer([{"generated_at": start.isoformat(), "forecast": made}], None)

    def _login(self, question: Question) -> Answer:
        said = b64decode(question.headers["authorization"].removeprefix("Basic ")).decode()
        if said != f"{USERNAME}:{PASSWORD}":
            return Answer(401, {"error": "Unauthorized"})
        token = f"token-{len(self.tokens)}-9b1e"
        self.tokens[token] = self._now() + timedelta(minutes=30)
        return Answer(body={"token": token})

    def _answer(self, data: list[dict[str, Any]], issued: datetime | None) -> Answer:
        meta: dict[str, Any] = {
            "data_point_period_seconds": 300,
            "region": REGION,
            "warnings": [],
            "signal_type": "co2_moer",
            "model": {"date": "2026-03-01"},
            "units": self.units,
        }
        if issued is not None:
            meta |= {"generated_at_period_seconds": 300, "generated_at": issued.isoformat()}
        return Answer(body={"data": data, "meta": meta})

    def _floor(self) -> datetime:
        now = self._now()
        return now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0)


def _series(start: datetime, end: datetime) -> list[dict[str, Any]]:
    times = [start + STEP * n for n in range((end - start) // STEP)]
    return [{"point_time": time.isoformat(), "value": pounds(time)} for time in times]
