"""The best hours of a job that can be paused."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.ledger.errors import InputError
from lichen.ledger.quantities import Energy, Power
from lichen.plan import Pause, Shift, cheapest_steps
from tests.plan.conftest import make_job, make_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.ledger.signal import GridSignal
    from lichen.plan import Job, Plan

FREE = Pause()
HOUR = timedelta(hours=1)
# Two clean hours with a dirty one between, after a dirty one.
TWO_VALLEYS = (500, 100, 300, 100, 500)


def hours(plan: Plan) -> list[tuple[float, float]]:
    """Its stretches, in hours of the day."""
    midnight = plan.start.replace(hour=0, minute=0, second=0, microsecond=0)
    return [((one.start - midnight) / HOUR, (one.end - midnight) / HOUR) for one in plan.segments]


def test_a_job_with_free_pauses_takes_the_cleanest_hours(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    plan = Shift().plan(job(2, 5, pause=FREE), [signal(TWO_VALLEYS)])

    assert hours(plan) == [(1, 2), (3, 4)]
    assert plan.expected.value.in_grams == pytest.approx(200)
    assert plan.method == "interruptible/1"


def test_a_restart_makes_the_last_stretch_longer_and_is_paid_for(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    pause = Pause(restart=timedelta(minutes=6))

    plan = Shift().plan(job(2, 5, pause=pause), [signal((500, 100, 300, 100, 150))])

    assert hours(plan) == [(1, 2), (3, 4.1)]
    assert plan.expected.value.in_grams == pytest.approx(200 + 0.1 * 150)


def test_a_restart_that_costs_more_than_the_dirty_hour_is_not_made(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    plan = Shift().plan(job(3, 5, pause=Pause(restart=HOUR)), [signal(TWO_VALLEYS)])

    assert hours(plan) == [(1, 4)]


def test_the_energy_of_a_resume_is_priced_where_it_is_taken(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    pause = Pause(energy=Energy.kwh(0.5))

    plan = Shift().plan(job(2, 5, pause=pause), [signal(TWO_VALLEYS)])

    assert hours(plan) == [(1, 2), (3, 4)]
    assert plan.expected.value.in_grams == pytest.approx(200 + 0.5 * 100)


def test_the_idle_power_of_a_pause_is_debited(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    pause = Pause(idle=Power.watts(100))

    plan = Shift().plan(job(2, 5, pause=pause), [signal(TWO_VALLEYS)])

    assert hours(plan) == [(1, 2), (3, 4)]
    assert plan.expected.value.in_grams == pytest.approx(200 + 0.1 * 300)


def test_no_stretch_is_shorter_than_the_shortest_run(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    values = (900, 100, 300, 100, 800, 100, 100, 900)

    plan = Shift().plan(job(5, 8, pause=Pause(min_run=2 * HOUR)), [signal(values)])

    assert hours(plan) == [(1, 4), (5, 7)]


def test_a_job_of_half_hours_ends_within_a_step(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    plan = Shift().plan(job(1.5, 5, pause=FREE), [signal(TWO_VALLEYS)])

    assert plan.running == 1.5 * HOUR
    assert plan.expected.value.in_grams == pytest.approx(150)


def test_a_job_that_fills_its_window_runs_through_it(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    pause = Pause(restart=timedelta(minutes=6))

    plan = Shift().plan(job(3, 3, release=0.5, pause=pause), [signal(TWO_VALLEYS)])

    assert hours(plan) == [(0.5, 3.5)]


def test_a_restart_of_odd_seconds_is_rounded_up(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    pause = Pause(restart=timedelta(seconds=61.7))

    plan = Shift().plan(job(2, 5, pause=pause), [signal((500, 100, 300, 100, 150))])

    assert plan.running == 2 * HOUR + timedelta(minutes=2)


def test_a_plan_too_large_for_memory_is_made_on_joined_steps(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    day = [400.0] * 144 + [100.0] * 144
    month = signal(day * 30, step=timedelta(minutes=5))
    pause = Pause(restart=timedelta(minutes=6), min_run=HOUR)

    plan = Shift().plan(job(240, 720, pause=pause), [month])

    restarts = (len(plan.segments) - 1) * pause.restart
    assert plan.running >= timedelta(hours=240) + restarts
    # Twenty days' clean halves, and nineteen restarts in a further one or in a dirty hour.
    assert plan.expected.value.in_grams == pytest.approx(240 * 100, rel=0.01)


def test_the_cheapest_steps_of_many_windows(signal: Callable[..., GridSignal]) -> None:
    found = cheapest_steps(signal(TWO_VALLEYS), [0, 1, 2], 5, [1, 2, 3])

    assert found == pytest.approx(np.array([100, 100, 300]))


def test_steps_chosen_under_a_forecast_are_priced_by_what_was(
    signal: Callable[..., GridSignal],
) -> None:
    actual = signal((1, 2, 3, 4, 5))

    found = cheapest_steps(signal(TWO_VALLEYS), 0, 5, 2, actual=actual)

    assert found == pytest.approx(np.array([3]))


def test_windows_that_cannot_be_are_named(signal: Callable[..., GridSignal]) -> None:
    with pytest.raises(InputError, match="window 1 of 2 cannot be: 3 of steps 3 to 5"):
        cheapest_steps(signal(TWO_VALLEYS), [0, 3], 5, [1, 3])
    with pytest.raises(InputError, match="cut both to the same steps"):
        cheapest_steps(signal(TWO_VALLEYS), 0, 5, 1, actual=signal((1, 2)))


def test_a_pause_is_no_shorter_than_it_may_be(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    pause = Pause(min_pause=1.5 * HOUR)
    values = (500, 100, 300, 110, 500, 600, 200, 900)

    plan = Shift().plan(job(2, 8, pause=pause), [signal(values)])

    # The hour between the two cleanest is too short to pause in: two hours and more are not.
    assert hours(plan) == [(1, 2), (6, 7)]
    assert plan.expected.value.in_grams == pytest.approx(300)


@given(
    values=st.lists(st.integers(1, 40), min_size=3, max_size=9),
    work=st.integers(1, 4),
    rest=st.integers(0, 4),
    idle=st.sampled_from([0.0, 0.25]),
)
def test_with_a_shortest_pause_no_choice_of_hours_is_better(
    values: list[int], work: int, rest: int, idle: float
) -> None:
    work = min(work, len(values))
    pause = Pause(min_pause=rest * HOUR, idle=Power.watts(1000 * idle))
    job = make_job(work, len(values), pause=pause)

    plan = Shift().plan(job, [make_signal(values)])

    least = min(
        cost_of(chosen, values, idle)
        for chosen in combinations(range(len(values)), work)
        if all(not 0 < b - a - 1 < rest for a, b in pairwise(chosen))
    )
    assert plan.expected.value.in_grams == pytest.approx(least)
    assert all(b.start - a.end >= rest * HOUR for a, b in pairwise(plan.segments))


def cost_of(chosen: Sequence[int], values: Sequence[int], idle: float) -> float:
    """Of some hours and the pauses between them, at a kilowatt. [gCO₂e]"""
    ran = sum(values[hour] for hour in chosen)
    waited = sum(values[hour] for hour in range(chosen[0], chosen[-1]) if hour not in chosen)
    return ran + idle * waited
