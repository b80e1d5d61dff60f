"""What a forecast stands on: as much history as there is, and none that is not."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.grid.chain import Chain
from lichen.grid.forecast import Forecaster
from lichen.grid.trace import TraceSource
from lichen.grid.zones import StaticZones
from lichen.ledger.errors import InputError, SignalUnavailable, UnknownZone
from lichen.testing.recordings import HOUR, START, recording, wandering

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.signal import GridSignal
    from lichen.ledger.window import Window

DAY = timedelta(days=1)


def test_less_than_a_day_is_no_history() -> None:
    history = recording(wandering(2)[:23])

    with pytest.raises(SignalUnavailable, match=r"23:00:00 of history.*needs a day of it"):
        Forecaster(history).forecast("DE", DAY, issued_at=START + 23 * HOUR)


def test_before_its_history_begins_there_is_no_forecast() -> None:
    with pytest.raises(SignalUnavailable, match="needs a day of it"):
        Forecaster(recording(wandering(9))).forecast("DE", DAY, issued_at=START - DAY)


def test_a_history_that_ends_hours_ago_is_carried_to_the_time_of_issue() -> None:
    history = recording(wandering(100))
    late = START + 100 * DAY + 7 * HOUR

    made = Forecaster(history).forecast("DE", 12 * HOUR, issued_at=late)

    at_its_end = Forecaster(history).forecast("DE", 19 * HOUR, issued_at=history.end)
    assert made.start == late
    assert made.values == pytest.approx(at_its_end.values[7:])


def test_a_stale_history_is_refused() -> None:
    with pytest.raises(SignalUnavailable, match=r"ends at 2026-02-04.*more than 2 days before"):
        Forecaster(recording(wandering(30))).forecast("DE", DAY, issued_at=START + 33 * DAY)


@pytest.mark.parametrize("minutes", [7, 45, 120])
def test_a_step_that_divides_no_hour_is_refused(minutes: int) -> None:
    history = recording(wandering(30), step=timedelta(minutes=minutes))

    with pytest.raises(SignalUnavailable, match="a forecast needs 5, 15, 30 or 60 min"):
        Forecaster(history).forecast("DE", DAY, issued_at=history.end)


def test_another_zone_is_unknown() -> None:
    with pytest.raises(UnknownZone, match="has no zone 'FR', only DE"):
        Forecaster(recording(wandering(9))).forecast("FR", DAY, issued_at=START + 9 * DAY)


def test_a_trace_shorter_than_a_year_is_used_to_its_last_whole_week() -> None:
    rows = list(zip((START + n * HOUR for n in range(24 * 100)), wandering(100), strict=True))
    issued = START + 98 * DAY + 5 * HOUR

    made = Forecaster(TraceSource(rows, "DE")).forecast("DE", DAY, issued_at=issued)

    whole = Forecaster(recording(wandering(100))).forecast("DE", DAY, issued_at=issued)
    assert made.values == pytest.approx(whole.values)


def test_a_yearly_average_is_no_history() -> None:
    with pytest.raises(SignalUnavailable, match="the step of"):
        Forecaster(StaticZones()).forecast("DE", DAY, issued_at=START)


def test_behind_a_yearly_average_a_shorter_trace_is_still_found() -> None:
    rows = list(zip((START + n * HOUR for n in range(24 * 30)), wandering(30), strict=True))
    chain = Chain([TraceSource(rows, "DE"), StaticZones()])

    made = Forecaster(chain).forecast("DE", DAY, issued_at=START + 30 * DAY)

    assert made.source.endswith("since 30 days of history fit no ridge, from rows")


class Counted:
    """A source that counts how often it is asked."""

    def __init__(self, inner: TraceSource) -> None:
        self.inner, self.asked = inner, 0

    def intensity(self, zone: str, window: Window) -> GridSignal:
        self.asked += 1
        return self.inner.intensity(zone, window)


def test_a_source_that_has_enough_is_asked_once() -> None:
    rows = list(zip((START + n * HOUR for n in range(24 * 420)), wandering(420), strict=True))
    source = Counted(TraceSource(rows, "DE"))

    Forecaster(source).forecast("DE", DAY, issued_at=START + 420 * DAY)

    assert source.asked == 1


def test_a_source_that_has_little_is_asked_a_dozen_times_at_most() -> None:
    rows = list(zip((START + n * HOUR for n in range(24 * 12)), wandering(12), strict=True))
    source = Counted(TraceSource(rows, "DE"))

    made = Forecaster(source).forecast("DE", DAY, issued_at=START + 12 * DAY + 5 * HOUR)

    assert "profile" in made.source
    assert source.asked <= 12


@pytest.mark.parametrize(
    "spoil", [lambda v: [*v[:50], -1.0, *v[51:]], lambda v: [math.nan, *v[1:]]]
)
def test_negative_and_missing_history_never_becomes_a_signal(
    spoil: Callable[[list[float]], list[float]],
) -> None:
    with pytest.raises(InputError, match="intensity must keep"):
        recording(spoil(wandering(9)))


def test_a_gap_in_a_trace_is_named_before_anything_is_forecast() -> None:
    rows = list(zip((START + n * HOUR for n in range(24 * 9)), wandering(9), strict=True))

    with pytest.raises(InputError, match="fill or cut the gap"):
        Forecaster(TraceSource([*rows[:70], *rows[73:]], "DE"))
