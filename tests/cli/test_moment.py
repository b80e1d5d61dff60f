"""Times as people write them on a command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lichen.cli.moment import moment, span
from lichen.ledger.errors import InputError, NaiveTime
from lichen.ledger.rollup import Period

NOW = datetime(2026, 11, 23, 22, 17, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("15min", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("1.5 h", timedelta(hours=1.5)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_a_length_is_that_long_ago(text: str, ago: timedelta) -> None:
    assert moment(text, NOW) == NOW - ago


def test_today_begins_at_midnight_where_the_user_is() -> None:
    local = moment("today", NOW).astimezone()

    assert (local.hour, local.minute) == (0, 0)
    assert local.date() == NOW.astimezone().date()


def test_a_day_begins_at_midnight_where_the_user_is() -> None:
    local = moment("2026-11-20", NOW).astimezone()

    assert local.isoformat(timespec="minutes").startswith("2026-11-20T00:00")


def test_a_moment_keeps_its_own_zone() -> None:
    assert moment("2026-11-23T08:00+01:00", NOW) == datetime(2026, 11, 23, 7, tzinfo=UTC)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(NaiveTime, match="2026-11-23T08:00:00"):
        moment("2026-11-23T08:00", NOW)


@pytest.mark.parametrize("text", ["yesterday-ish", "", "1 fortnight", "-3h", "99999999999999d"])
def test_what_is_no_time_is_refused_with_the_ways_to_write_one(text: str) -> None:
    with pytest.raises(InputError, match="7d \\(ago\\), today"):
        moment(text, NOW)


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InputError, match="nothing lies between"):
        span("1h", "2h", now=NOW)


def test_a_span_in_the_future_is_refused() -> None:
    with pytest.raises(InputError, match="now"):
        span("2031-01-01", None, now=NOW)


def test_a_short_span_is_widened_to_whole_minutes() -> None:
    found = span("1h", "30min", now=NOW)

    assert found.period is Period.MINUTE
    assert found.since == datetime(2026, 11, 23, 21, 17, tzinfo=UTC)
    assert found.until == datetime(2026, 11, 23, 21, 48, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "period"),
    [("2d", Period.MINUTE), ("3d", Period.HOUR), ("200d", Period.DAY), (None, Period.DAY)],
)
def test_a_long_span_reads_the_longer_roll_ups(since: str | None, period: Period) -> None:
    assert span(since, None, now=NOW).period is period


def test_roll_ups_are_no_longer_than_asked_for() -> None:
    assert span(None, None, coarsest=Period.HOUR, now=NOW).period is Period.HOUR
