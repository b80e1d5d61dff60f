"""Hours, days and months of budgets, over the changes of clocks and the ends of months."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.gate.period import PERIODS, period_of

HOUR = 3600


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ("2026-03-29T12:00+02:00", 23),  # clocks go forward
        ("2026-10-25T12:00+01:00", 25),  # clocks go back
        ("2026-11-25T12:00+01:00", 24),
    ],
)
def test_a_day_is_as_long_as_the_clocks_say(moment: str, hours: int) -> None:
    day = period_of("day", ZoneInfo("Europe/Stockholm"), at(moment))

    assert day.end - day.start == hours * HOUR


@pytest.mark.parametrize(
    ("moment", "days"),
    [
        ("2024-02-29T23:59:59+00:00", 29),
        ("2023-02-01T00:00+00:00", 28),
        ("2026-12-31T23:00+00:00", 31),
    ],
)
def test_a_month_has_its_days(moment: str, days: int) -> None:
    month = period_of("month", ZoneInfo("UTC"), at(moment))

    assert month.end - month.start == days * 24 * HOUR
    assert month.start <= at(moment) < month.end


def test_a_month_begins_where_the_zone_says() -> None:
    month = period_of("month", ZoneInfo("Asia/Tokyo"), at("2026-11-30T15:30+00:00"))

    assert datetime.fromtimestamp(month.start, UTC) == datetime(2026, 11, 30, 15, tzinfo=UTC)


def test_a_day_whose_midnight_is_skipped_begins_when_clocks_go_on() -> None:
    # Beirut's clocks went from 24:00 to 01:00 that night.
    day = period_of("day", ZoneInfo("Asia/Beirut"), at("2021-03-28T12:00+03:00"))

    assert day.end - day.start == 23 * HOUR


def test_an_hour_of_a_zone_half_an_hour_off_begins_on_its_own_clock() -> None:
    hour = period_of("hour", ZoneInfo("Asia/Kolkata"), at("2026-11-25T10:45+00:00"))

    assert datetime.fromtimestamp(hour.start, UTC).minute == 30


@given(
    st.integers(min_value=0, max_value=4_000_000_000),
    st.sampled_from(PERIODS),
    st.sampled_from(
        ["UTC", "Europe/Stockholm", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Beirut"]
    ),
)
def test_periods_hold_their_moment_and_join_without_a_gap(now: int, per: str, name: str) -> None:
    zone = ZoneInfo(name)

    period = period_of(per, zone, now)
    following = period_of(per, zone, period.end)

    assert period.start <= now < period.end
    if per != "hour":  # an hour that clocks cut short is still 3,600 s
        assert following.start == period.end
