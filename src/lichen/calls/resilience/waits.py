"""Waits: when an upstream wants to be asked again, as the headers of its refusal say.

    retry-after-ms: 1500                        milliseconds
    retry-after: 20                             seconds
    retry-after: Wed, 21 Oct 2026 07:28:00 GMT  a date
    x-ratelimit-reset-tokens: 6m0.5s            a duration, where x-ratelimit-remaining-tokens is 0
    anthropic-ratelimit-requests-reset: 2026-10-21T07:28:00Z   a moment, where the remaining are 0

Of several limits that are reached the longest wait counts. Times are in seconds.

Source: RFC 9110 §10.2.3 (Retry-After), §5.6.7 (HTTP-date); OpenAI API reference, "Rate limits in
headers"; Azure OpenAI, "retry-after-ms"; Anthropic API reference, "Rate limits".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil, isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.exchange import Headers

# A wait beyond a day is no wait but a mistake, or a refusal for good. [s]
_LONGEST_S = 86400.0
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_OPENAI = "x-ratelimit-reset-"
_ANTHROPIC = re.compile(r"anthropic-ratelimit-([a-z-]+)-reset")


def asked_wait(headers: Headers, now: datetime) -> float | None:
    """How long the upstream wants to be left alone [s]; None where it does not say."""
    named = {name.decode("latin-1"): value.decode("latin-1").strip() for name, value in headers}
    for name, read in (("retry-after-ms", _milliseconds), ("retry-after", _retry_after)):
        if name in named and (wait := read(named[name], now)) is not None:
            return wait
    return max(_spent_limits(named, now), default=None)


def _milliseconds(text: str, _now: datetime) -> float | None:
    wait = _number(text)
    return None if wait is None else _sensible(wait / 1000)


def _retry_after(text: str, now: datetime) -> float | None:
    seconds = _number(text)
    return _sensible(seconds) if seconds is not None else _until_date(text, now)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _sensible(wait: float) -> float | None:
    return wait if 0 <= wait <= _LONGEST_S else None


def _until_date(text: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    # A date without a zone is UTC: HTTP knows no other.
    then = then.replace(tzinfo=UTC) if then.tzinfo is None else then
    return _sensible(max(0.0, (then - now).total_seconds()))


def _spent_limits(named: Mapping[str, str], now: datetime) -> list[float]:
    """The waits of the limits that are used up."""
    waits = []
    for name, text in named.items():
        if name.startswith(_OPENAI):
            limit, wait = name.removeprefix(_OPENAI), duration(text)
            left = named.get(f"x-ratelimit-remaining-{limit}")
        elif (found := _ANTHROPIC.fullmatch(name)) is not None:
            wait = _until_moment(text, now)
            left = named.get(f"anthropic-ratelimit-{found[1]}-remaining")
        else:
            continue
        if left is not None and left.strip() == "0" and wait is not None:
            waits.append(wait)
    return waits


def duration(text: str) -> float | None:
    """Seconds of a duration such as 1h2m3.5s or 120ms; None where it is none."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return _sensible(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def _until_moment(text: str, now: datetime) -> float | None:
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    then = then.replace(tzinfo=UTC) if then.tzinfo is None else then
    return _sensible(max(0.0, (then - now).total_seconds()))


def told(wait: float) -> bytes:
    """A wait [s] as a Retry-After header says it: whole seconds, never less than asked."""
    return b"%d" % max(1, ceil(wait))
