"""Lengths and deadlines as people give them: "6h", "90min", "in 8h", "18:00", an ISO time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lichen.ledger.errors import InputError
from lichen.ledger.window import aware

_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
_PARTS = re.compile(r"(?:(\d+(?:\.\d+)?)\s*(s|min|m|h|d)\s*)+")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)")
# Source: ISO 8601-1:2019, 5.5.2.2, without years and months: they have no one length.
_ISO = re.compile(
    r"P(?:(?P<d>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<min>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?"
)
_CLOCK = re.compile(r"(\d{1,2}:\d{2})(?:\s+(\S+))?")


def length(text: str) -> timedelta:
    """The length a text names: 6h, 90min, 1h30min, PT6H.

    Raises:
        InputError: it names none.
    """
    text = text.strip()
    parts: list[tuple[str, str]] = []
    if _PARTS.fullmatch(text):
        parts = _PART.findall(text)
    elif found := _ISO.fullmatch(text.upper()):
        parts = [(amount, unit) for unit, amount in found.groupdict().items() if amount]
    try:
        seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in parts)
        made = timedelta(seconds=seconds)
    except OverflowError:
        parts = []
    if not parts:
        raise InputError(f"{text!r} is no length of time: write 90s, 30min, 6h, 1h30min or PT6H")
    return made


def deadline(text: str, now: datetime) -> datetime:
    """The moment a text names, UTC: "in 8h", the next "18:00" here or "18:00 Europe/Berlin", ISO.

    Of an hour that a change of clocks repeats, the first is meant.

    Raises:
        NaiveTime: a date and time without its zone.
        InputError: it names none.
    """
    text = text.strip()
    if text == "now":
        return now
    if text.startswith("in "):
        return now + length(text[3:])
    try:
        if found := _CLOCK.fullmatch(text):
            return _next(time.fromisoformat(found[1].zfill(5)), found[2], now)
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is no deadline or start: write now, 18:00, in 8h, or 2026-11-26T06:00+01:00"
        ) from None
    return aware(parsed).astimezone(UTC)


def _next(clock: time, zone: str | None, now: datetime) -> datetime:
    """The next time a clock shows that, where one is or in a zone."""
    try:
        tz = ZoneInfo(zone) if zone else None
    except (ZoneInfoNotFoundError, ValueError):
        raise InputError(
            f"{zone!r} is no time zone: write one such as Europe/Berlin, or leave it out"
        ) from None
    here = now.astimezone(tz)
    for day in range(3):
        naive = datetime.combine(here.date() + timedelta(days=day), clock)
        found = (naive.replace(tzinfo=tz) if tz else naive.astimezone()).astimezone(UTC)
        if found > now:
            return found
    raise InputError(f"{clock} does not come within two days of {now.isoformat()}")
