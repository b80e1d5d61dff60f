"""Dates: the answer to a question about the calendar and nothing else.

    weekday of a date · days between two dates · a date so many days or weeks away from another
    leap years · days of a month · today and its weekday, in a named time zone

Dates are read as 2024-02-29, 29 February 2024 or February 29, 2024. 03/04/2025 is March to some and
April to others: it is left to the model, as is every date before 1924, when the last country that
used another calendar for civil dates changed over, and every question in other words.

Source: ISO 8601-1:2019 (dates; the Gregorian calendar).
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 160
# What most questions do not begin with is seen at once.
_BEGINS = re.compile(r"\s*(?:what|which|on|how|is|was|will|number)\b", re.IGNORECASE)
# Source: Greece took the Gregorian calendar in 1923, the last in Europe.
_FIRST_YEAR, _LAST_YEAR = 1924, 9000
# Days and weeks that a date is moved by.
_MOST_DAYS = 1_000_000
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH = "|".join((*_MONTHS, *(name[:3] for name in _MONTHS), "sept"))
_DATE = (
    r"(?:the\s+)?(?:\d{4}-\d{2}-\d{2}|"
    rf"\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH})\.?,?\s+\d{{4}}|"
    rf"(?:{_MONTH})\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}})"
)
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_DAY_FIRST = re.compile(
    rf"(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})\.?,?\s+(\d{{4}})", re.IGNORECASE
)
_MONTH_FIRST = re.compile(
    rf"({_MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})", re.IGNORECASE
)
_WEEKDAY_WORDS = r"(?:(?:what|which)\s+(?:day\s+of\s+the\s+week|weekday))"
_BETWEEN = (
    rf"between\s+(?P<a>{_DATE})\s+and\s+(?P<b>{_DATE})|"
    rf"from\s+(?P<c>{_DATE})\s+(?:to|until)\s+(?P<d>{_DATE})"
)


class _NoDate(Exception):  # noqa: N818 (it never leaves this module)
    """It is no date, or none that has one reading."""


def answer_to(question: str, today: Callable[[], date] | None) -> str | None:
    """The answer as text; None where the question is not surely about the calendar.

    `today` tells the date now, None where questions that need it are left to the model.
    """
    if len(question) > _LONGEST or not _BEGINS.match(question):
        return None
    text = " ".join(question.replace("’", "'").split()).rstrip("?. ")
    for pattern, answer in _QUESTIONS:
        if (found := pattern.fullmatch(text)) is not None:
            try:
                return answer(found, today)
            except (_NoDate, OverflowError):
                return None
    return None


def read_date(text: str) -> date:
    """A date as it is written.

    Raises:
        _NoDate: there is no such day, or it lies before 1924.
    """
    text = re.sub(r"^the\s+", "", text.strip(), flags=re.IGNORECASE)
    if (found := _ISO.fullmatch(text)) is not None:
        year, month, day = map(int, found.groups())
    elif (found := _DAY_FIRST.fullmatch(text)) is not None:
        year, month, day = int(found[3]), _month(found[2]), int(found[1])
    elif (found := _MONTH_FIRST.fullmatch(text)) is not None:
        year, month, day = int(found[3]), _month(found[1]), int(found[2])
    else:
        raise _NoDate
    return _day(year, month, day)


def _month(name: str) -> int:
    return 1 + [month[:3] for month in _MONTHS].index(name.lower()[:3])


def _day(year: int, month: int, day: int) -> date:
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise _NoDate
    try:
        return date(year, month, day)
    except ValueError:
        raise _NoDate from None


def _weekday(found: re.Match[str], _today: Callable[[], date] | None) -> str:
    return _WEEKDAYS[read_date(found["date"]).weekday()]


def _between(found: re.Match[str], _today: Callable[[], date] | None) -> str:
    first = read_date(found["a"] or found["c"])
    last = read_date(found["b"] or found["d"])
    return _days(abs((last - first).days))


def _until(found: re.Match[str], today: Callable[[], date] | None) -> str:
    if today is None:
        raise _NoDate
    ahead = (read_date(found["date"]) - today()).days
    if (ahead < 0) is (found["way"].lower() == "until"):
        raise _NoDate  # "until" a day that is past wants more than a number
    return _days(abs(ahead))


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _moved(found: re.Match[str], _today: Callable[[], date] | None) -> str:
    count = int(found["count"]) * (7 if found["unit"].lower().startswith("week") else 1)
    if count > _MOST_DAYS:
        raise _NoDate
    sign = -1 if found["way"].lower() == "before" else 1
    day = read_date(found["date"]) + timedelta(days=sign * count)
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise _NoDate
    return day.isoformat()


def _leap(found: re.Match[str], _today: Callable[[], date] | None) -> str:
    year = _day(int(found["year"]), 1, 1).year
    return "Yes" if isleap(year) else "No"


def _month_days(found: re.Match[str], _today: Callable[[], date] | None) -> str:
    first = _day(int(found["year"]), _month(found["month"]), 1)
    return _days(monthrange(first.year, first.month)[1])


def _now(found: re.Match[str], today: Callable[[], date] | None) -> str:
    if today is None:
        raise _NoDate
    day = today()
    return _WEEKDAYS[day.weekday()] if found["weekday"] else day.isoformat()


_QUESTIONS: tuple[
    tuple[re.Pattern[str], Callable[[re.Match[str], Callable[[], date] | None], str]], ...
] = tuple(
    (re.compile(pattern, re.IGNORECASE), answer)
    for pattern, answer in (
        (rf"(?:on\s+)?{_WEEKDAY_WORDS}\s+(?:is|was|will)\s+(?P<date>{_DATE})(?:\s+be)?", _weekday),
        (
            rf"(?:on\s+)?{_WEEKDAY_WORDS}\s+(?:does|did|will)\s+(?P<date>{_DATE})\s+fall(?:\s+on)?",
            _weekday,
        ),
        (rf"how\s+many\s+days\s+(?:(?:are|is|were)\s+(?:there\s+)?)?(?:{_BETWEEN})", _between),
        (rf"(?:what\s+is\s+the\s+)?number\s+of\s+days\s+(?:{_BETWEEN})", _between),
        (
            rf"how\s+many\s+days\s+(?:are\s+(?:there\s+)?)?(?:left\s+)?(?P<way>until|since)\s+(?P<date>{_DATE})",
            _until,
        ),
        (
            (
                r"what(?:\s+is|'s)\s+(?:the\s+date\s+)?(?P<count>\d{1,7})\s+(?P<unit>days?|weeks?)\s+"
                rf"(?P<way>before|after|from)\s+(?P<date>{_DATE})"
            ),
            _moved,
        ),
        (r"(?:is|was|will)\s+(?:the\s+year\s+)?(?P<year>\d{4})\s+(?:be\s+)?a\s+leap\s+year", _leap),
        (
            (
                r"how\s+many\s+days\s+(?:are\s+(?:there\s+)?in|were\s+(?:there\s+)?in|does|did)\s+"
                rf"(?P<month>{_MONTH})\s+(?:of\s+)?(?P<year>\d{{4}})(?:\s+have)?"
            ),
            _month_days,
        ),
        (
            (
                r"(?:what\s+(?P<weekday>day\s+of\s+the\s+week|weekday)\s+is\s+(?:it\s+)?today|"
                r"what(?:\s+is|'s)\s+(?:today's\s+date|the\s+date\s+today|the\s+current\s+date))"
            ),
            _now,
        ),
    )
)
