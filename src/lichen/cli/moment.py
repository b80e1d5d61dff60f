"""Moments as people give them: "1h" ago, "today", a day, or an ISO time with its zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from lichen.ledger.errors import InputError
from lichen.ledger.rollup import Period
from lichen.ledger.window import aware

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)")
_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# Beyond these spans a finer roll-up shows nothing more and reads many more rows.
_MINUTES_UP_TO, _HOURS_UP_TO = timedelta(days=2), timedelta(days=120)


class Span(NamedTuple):
    """From when to when a report looks, and by which roll-ups."""

    since: datetime | None
    until: datetime | None
    period: Period


def moment(text: str, now: datetime) -> datetime:
    """The moment a text names.

    Raises:
        NaiveTime: an ISO time without a zone.
        InputError: it names no moment.
    """
    text = text.strip()
    if text == "today":
        return _local_midnight(now.astimezone().replace(tzinfo=None))
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(seconds=float(ago[1]) * _SECONDS[ago[2]])
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise InputError(
            f"{text!r} is no time: write 90s, 1h or 7d (ago), today, 2026-11-23, or "
            "2026-11-23T08:00+01:00"
        ) from None
    return _local_midnight(parsed) if _DAY.fullmatch(text) else aware(parsed)


def span(
    since: str | None,
    until: str | None,
    *,
    coarsest: Period = Period.DAY,
    now: datetime | None = None,
) -> Span:
    """The time between two texts, widened to whole roll-ups, none longer than `coarsest`.

    Raises:
        InputError: it ends before it starts, or a text names no moment.
    """
    now = now or datetime.now(UTC)
    start = moment(since, now) if since else None
    end = moment(until, now) if until else None
    if start is not None and start >= (end or now):
        raise InputError(f"nothing lies between {since!r} and {until or 'now'!r}: it ends first")
    period = min(coarsest, _period(start, end, now))
    return Span(_floor(start, period), _ceiling(end, period), period)


def _period(start: datetime | None, end: datetime | None, now: datetime) -> Period:
    if start is None:
        return Period.DAY if end is None else Period.MINUTE
    length = (end or now) - start
    if length <= _MINUTES_UP_TO:
        return Period.MINUTE
    return Period.HOUR if length <= _HOURS_UP_TO else Period.DAY


def _local_midnight(day: datetime) -> datetime:
    """Midnight of a day where the user is, as that day's own offset has it."""
    return datetime(day.year, day.month, day.day).astimezone(UTC)


def _floor(at: datetime | None, period: Period) -> datetime | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at.timestamp() // period * period, UTC)


def _ceiling(at: datetime | None, period: Period) -> datetime | None:
    if at is None:
        return None
    return datetime.fromtimestamp(-(-at.timestamp() // period) * period, UTC)
