"""Period: the hour, day or month that a moment lies in, by the calendar of a time zone.

    [start, end)    whole seconds since 1970 UTC

A day has 23, 24 or 25 hours, a month 28 to 31 such days: both are as long as the clocks on the wall
say. An hour is 3,600 seconds, also where the clocks repeat one.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

PERIODS = ("hour", "day", "month")
_HOUR = 3600


class Period(NamedTuple):
    """From a second up to another. [s since 1970]"""

    start: int
    end: int


def period_of(per: str, zone: ZoneInfo, now: float) -> Period:
    """The hour, day or month of a moment [s since 1970]."""
    here = datetime.fromtimestamp(now, zone)
    if per == "hour":
        past = here.minute * 60 + here.second
        start = int(now) - past
        return Period(start, start + _HOUR)
    first = here.date() if per == "day" else here.date().replace(day=1)
    after = first + timedelta(days=1) if per == "day" else _next_month(first)
    return Period(_midnight(first, zone), _midnight(after, zone))


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """When a day begins: at its first midnight, or where clocks skip that, when they go on."""
    return int(datetime.combine(day, time(), zone).timestamp())
