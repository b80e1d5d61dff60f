"""Speaks NESO's carbon intensity API, in the shape of its definitions, with a made-up grid."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lichen.testing.grid_api import Answer, Question

if TYPE_CHECKING:
    from collections.abc import Callable

HALF_HOUR = timedelta(minutes=30)
_PATH = re.compile(
    r"(/regional)?/intensity/([^/]+)/(fw48h|[^/]+?)(?:/regionid/(\d+))?$",
)


def actual(time: datetime) -> float:
    return 120 + time.hour * 5 + time.minute // 10


def forecast(time: datetime) -> float:
    return actual(time) + 7


class NesoApi:
    """National and regional intensity; a half-hour has its actual value when it is over."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def __call__(self, question: Question) -> Answer:
        found = _PATH.fullmatch(question.path)
        if not found:
            return _bad("Please enter a valid path")
        regional, first, span, region = found.groups()
        start = _read(first)
        end = start + timedelta(hours=48) if span == "fw48h" else _read(span)
        # The half-hour that ends at `from` is in the answer.
        begin = _floor(start - timedelta(seconds=1))
        if end - start > timedelta(days=14):
            return _bad("The duration should not be longer than 14 days")
        rows = [self._row(time, regional) for time in _times(begin, end)]
        if not regional:
            return Answer(body={"data": rows})
        name = {"regionid": int(region), "dnoregion": "UKPN London", "shortname": "London"}
        return Answer(body={"data": {**name, "data": rows}})

    def _row(self, time: datetime, regional: str | None) -> dict[str, Any]:
        said: dict[str, Any] = {"forecast": forecast(time), "index": "moderate"}
        if regional:
            return {**_span(time), "intensity": said, "generationmix": []}
        over = time + HALF_HOUR <= self._now()
        return {**_span(time), "intensity": {**said, "actual": actual(time) if over else None}}


def _span(time: datetime) -> dict[str, str]:
    return {"from": f"{time:%Y-%m-%dT%H:%MZ}", "to": f"{time + HALF_HOUR:%Y-%m-%dT%H:%MZ}"}


def _times(start: datetime, end: datetime) -> list[datetime]:
    return [start + HALF_HOUR * n for n in range(-((start - end) // HALF_HOUR))]


def _floor(time: datetime) -> datetime:
    return time.replace(minute=time.minute // 30 * 30, second=0, microsecond=0)


def _read(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)


def _bad(message: str) -> Answer:
    return Answer(400, {"error": {"code": "400 Bad Request", "message": message}})
