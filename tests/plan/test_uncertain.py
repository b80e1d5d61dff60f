"""Durations that nobody knows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lichen.plan import Pause, Shift
from lichen.plan.uncertain import durations, latest_safe

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lichen.ledger.signal import GridSignal
    from lichen.plan import Job

HOUR = timedelta(hours=1)


def test_the_durations_of_a_job_keep_its_p50_and_p90(job: Callable[..., Job]) -> None:
    spread = durations(job(6, 24, p90=8)) / 3600

    assert spread[2] == pytest.approx(6)
    assert spread[4] == 8
    assert spread[0] == pytest.approx(6 * 6 / 8, rel=1e-5)


def test_a_certain_job_has_one_duration(job: Callable[..., Job]) -> None:
    assert durations(job(6, 24)) == pytest.approx(np.array([6 * 3600]))


def test_room_is_kept_for_the_p90_however_clean_the_last_hours(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    falling = [100 - n for n in range(24)]

    plan = Shift().plan(job(2, 24, p90=6), [signal(falling)])

    assert plan.latest_safe_start == hour(18)
    assert plan.start == hour(18)
    assert plan.end == hour(24)


def test_the_hours_that_only_a_long_job_uses_count_less(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    # Four hours that a certain job would start at, beside two that are cleaner and then dirty.
    values = [300, 40, 40, 400, 400, 150, 150, 150, 150, 300]

    certain = Shift().plan(job(4, 10), [signal(values)])
    uncertain = Shift().plan(job(2, 10, p90=4), [signal(values)])

    assert certain.start == hour(5)
    assert uncertain.start == hour(1)


def test_what_is_expected_is_the_mean_over_the_durations(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    made = job(2, 4, p90=4)

    plan = Shift().plan(made, [signal([100] * 4)])

    assert plan.expected.value.in_grams == pytest.approx(100 * durations(made).mean() / 3600)
    assert plan.running == 4 * HOUR


def test_with_pauses_the_cleanest_hours_come_first_in_the_mean_and_the_p90_has_room(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    # For p90 the plan would use the 90s first; for p50 it takes the two of 10 and runs on.
    values = [90, 500, 10, 10, 91, 92, 500, 500]

    plan = Shift().plan(job(2, 8, p90=4, pause=Pause()), [signal(values)])

    assert plan.start == hour(2)
    assert plan.end == hour(6)


def test_what_must_be_left_before_the_deadline_shrinks_with_what_is_done(
    job: Callable[..., Job],
) -> None:
    whole = job(6, 24, p90=8, pause=Pause(restart=HOUR / 10))

    assert latest_safe(whole) == 8 * HOUR
    assert latest_safe(whole, done=3 * HOUR) == 5 * HOUR
    assert latest_safe(whole, done=3 * HOUR, paused=True) == 5.1 * HOUR
    assert latest_safe(whole, done=9 * HOUR) == timedelta(0)
