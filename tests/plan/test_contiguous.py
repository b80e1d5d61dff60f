"""The best start of a job in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lichen.ledger.errors import InputError, SignalUnavailable
from lichen.plan import Shift, best_starts, means

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lichen.ledger.signal import GridSignal
    from lichen.plan import Job

HOUR_S = 3600.0


def test_it_starts_at_the_cleanest_hour(
    signal: Callable[..., GridSignal],
    job: Callable[..., Job],
    hour: Callable[[float], datetime],
) -> None:
    plan = Shift().plan(job(1, 5), [signal([400, 300, 100, 200, 500])])

    assert (plan.start, plan.end) == (hour(2), hour(3))
    assert plan.expected.value.in_grams == pytest.approx(100)
    assert plan.run_now.value.in_grams == pytest.approx(400)
    assert plan.avoided.value.in_grams == pytest.approx(300)
    assert plan.share == pytest.approx(0.75)
    assert plan.method == "contiguous/1"


def test_a_job_of_half_hours_ends_with_the_clean_hour_where_the_hour_before_is_cleaner(
    signal: Callable[..., GridSignal],
    job: Callable[..., Job],
    hour: Callable[[float], datetime],
) -> None:
    plan = Shift().plan(job(1.5, 5), [signal([400, 200, 100, 300, 500])])

    assert (plan.start, plan.end) == (hour(1.5), hour(3))
    assert plan.expected.value.in_grams == pytest.approx(200 / 2 + 100)


def test_a_window_may_begin_and_end_within_a_step(
    signal: Callable[..., GridSignal],
    job: Callable[..., Job],
    hour: Callable[[float], datetime],
) -> None:
    falling = [500, 400, 300, 200, 100]

    plan = Shift().plan(job(1, 3.5, release=0.75), [signal(falling)])

    assert plan.end == hour(4.25)
    assert plan.expected.value.in_grams == pytest.approx(0.75 * 200 + 0.25 * 100)


def test_of_equal_starts_the_earliest_is_taken(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    plan = Shift().plan(job(2, 24), [signal([0.1, 0.7] * 12)])

    assert plan.start == hour(0)
    assert plan.avoided.value.in_grams == 0


def test_the_interval_is_the_signals(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    plan = Shift().plan(job(1, 3), [signal([400, 100, 200])])

    assert plan.expected.low.in_grams == pytest.approx(50)
    assert plan.expected.high.in_grams == pytest.approx(200)
    assert plan.avoided.low.in_grams == pytest.approx(150)
    assert plan.avoided.high.in_grams == pytest.approx(600)


def test_a_signal_that_ends_before_the_deadline_is_planned_as_far_as_it_goes(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    plan = Shift().plan(job(1, 48), [signal([400, 300, 200])])

    assert plan.start == hour(2)
    assert plan.gaps == ("signal-short",)
    assert plan.latest_safe_start == hour(47)


def test_a_zone_without_a_signal_names_those_there_are(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    with pytest.raises(SignalUnavailable, match=r"a plan in FR.*are of DE, SE.*or run now"):
        Shift().plan(job(1, 2, zone="FR"), [signal([1, 2]), signal([1, 2], zone="SE")])


def test_many_plans_are_made_at_once(signal: Callable[..., GridSignal]) -> None:
    found = best_starts(
        signal([400, 300, 100, 200, 500]),
        releases_s=np.array([0.0, 2.5, 3.0]) * HOUR_S,
        durations_s=HOUR_S,
        deadlines_s=5 * HOUR_S,
    )

    assert found.start_s / HOUR_S == pytest.approx(np.array([2, 2.5, 3]))
    assert found.mean == pytest.approx(np.array([100, 150, 200]))
    assert found.run_now == pytest.approx(np.array([400, 150, 200]))


def test_a_plan_made_under_one_signal_is_priced_under_another(
    signal: Callable[..., GridSignal],
) -> None:
    forecast, actual = signal([3, 1, 2]), signal([30, 25, 20])

    found = best_starts(forecast, 0, HOUR_S, 3 * HOUR_S)
    priced = means(actual, found.start_s, HOUR_S)

    assert priced == pytest.approx(np.array([25]))


@pytest.mark.parametrize(
    ("release", "duration", "deadline"),
    [(-1, 10, 100), (0, 0, 100), (0, 200, 100), (0, 10, 3 * HOUR_S + 1), (float("nan"), 1, 9)],
)
def test_of_many_plans_the_first_that_cannot_be_is_named(
    signal: Callable[..., GridSignal], release: float, duration: float, deadline: float
) -> None:
    with pytest.raises(InputError, match="plan 1 of 2 cannot be"):
        best_starts(signal([1, 2, 3]), [0, release], [1, duration], [10, deadline])


def test_no_plans_are_no_plans(signal: Callable[..., GridSignal]) -> None:
    found = best_starts(signal([1, 2, 3]), [], [], [])

    assert found.start_s.size == 0
