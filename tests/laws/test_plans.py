"""Laws of plans: the best there is, never worse than running now, always in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Energy, Power
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.plan import (
    Elastic,
    Job,
    Pause,
    Replan,
    Scaling,
    Shift,
    best_starts,
    cheapest_steps,
)
from lichen.plan.contiguous import best_start
from lichen.plan.curve import Curve
from lichen.plan.interruptible import best_runs
from lichen.plan.states import Costs
from lichen.testing.following import follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import DrawFn

START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE_S = 60.0
# All times of the exact plans are multiples of this: a brute force can go through them.
GRAIN_S = 6 * MINUTE_S


def made(values: list[float], step: timedelta = timedelta(hours=1)) -> GridSignal:
    return GridSignal(
        zone="DE",
        kind=SignalKind.AVERAGE,
        basis=Basis.MODELLED,
        source="drawn",
        issued_at=START,
        start=START,
        step=step,
        values=tuple(values),
        lows=tuple(value / 2 for value in values),
        highs=tuple(value * 2 for value in values),
    )


def signals(most: int) -> st.SearchStrategy[GridSignal]:
    # Whole numbers up to nine: many ties, and sums without rounding.
    values = st.lists(st.integers(0, 9).map(float), min_size=2, max_size=most)
    steps = st.sampled_from([timedelta(minutes=30), timedelta(hours=1)])
    return st.builds(made, values, steps)


@st.composite
def windows(draw: DrawFn, signal: GridSignal, grain_s: float) -> tuple[float, float, float]:
    """Release, duration and deadline in a signal, all multiples of a grain. [s]"""
    grains = int((signal.end - signal.start).total_seconds() // grain_s)
    release, deadline = sorted(draw(st.tuples(*(st.integers(0, grains),) * 2)))
    assume(release < deadline)
    duration = draw(st.integers(1, deadline - release))
    return release * grain_s, duration * grain_s, deadline * grain_s


def carbon_of(signal: GridSignal) -> Callable[[float, float], float]:
    """What a watt emits between two times. [gCO₂e/kWh × s]"""
    sums = Curve.of(signal).sums[0]
    grid = np.arange(sums.size) * signal.step.total_seconds()
    return lambda start, end: float(np.interp(end, grid, sums) - np.interp(start, grid, sums))


@given(data=st.data(), signal=signals(8), grain_s=st.sampled_from([1.0, 7.0, 60.0, 1800.0]))
def test_no_start_in_the_window_is_better_than_the_best(
    data: st.DataObject, signal: GridSignal, grain_s: float
) -> None:
    release, duration, deadline = data.draw(windows(signal, grain_s))
    shorter = data.draw(st.lists(st.floats(grain_s / 2, duration), max_size=3))
    durations = [duration, *shorter]
    other = data.draw(st.floats(release, deadline - duration))
    carbon = carbon_of(signal)

    start = best_start(Curve.of(signal), np.array(durations), release, deadline - duration)

    assert release <= start <= deadline - duration
    here, there = (
        sum(carbon(begin, begin + length) for length in durations) for begin in (start, other)
    )
    assert here <= there + 1e-6


@given(data=st.data(), signal=signals(8), grain_s=st.sampled_from([1.0, 7.0, 60.0, 1800.0]))
def test_plans_made_together_are_those_made_alone(
    data: st.DataObject, signal: GridSignal, grain_s: float
) -> None:
    many = data.draw(st.lists(windows(signal, grain_s), min_size=1, max_size=5))
    release, duration, deadline = map(np.array, zip(*many, strict=True))
    curve = Curve.of(signal)

    found = best_starts(signal, release, duration, deadline)

    alone = [best_start(curve, np.array([d]), r, end - d) for r, d, end in many]
    assert found.start_s == pytest.approx(np.array(alone), abs=1e-3)
    assert (found.mean <= found.run_now + 1e-9).all()


def every_plan(
    signal: GridSignal,
    window: tuple[float, float, float],
    costs: Costs,
    until: float = float("inf"),
) -> Iterator[float]:
    """The cost of every plan that starts (or at once), pauses and resumes on bounds of steps.

    Its first pause begins by `until`. [s]
    """
    first, work, last = window
    step_s = signal.step.total_seconds()
    bounds = [n * step_s for n in range(len(signal.values) + 1) if first <= n * step_s <= last]
    early = [bound for bound in bounds if bound <= until]
    carbon, restart, shortest = carbon_of(signal), costs.restart / 1e6, costs.min_run / 1e6

    def from_here(start: float, left: float, *, resumed: bool) -> Iterator[float]:
        if start + left <= last and (left >= shortest or not resumed):
            yield carbon(start, start + left)
        for stop in bounds if resumed else early:
            if start < stop < start + left and stop - start >= shortest:
                for again in (bound for bound in bounds if bound > stop):
                    so_far = carbon(start, stop) + costs.idle * carbon(stop, again)
                    if again < signal.step.total_seconds() * len(signal.values):
                        so_far += costs.energy * carbon(again, again + step_s) / step_s
                    rest = left - (stop - start) + restart
                    yield from (so_far + one for one in from_here(again, rest, resumed=True))

    for start in {first, *bounds}:
        yield from from_here(start, work, resumed=False)


costs = st.builds(
    Costs,
    restart=st.sampled_from([0, 6, 12, 30, 42]).map(lambda minutes: minutes * 60_000_000),
    min_run=st.sampled_from([0, 0, 30, 48, 60, 90, 120]).map(lambda minutes: minutes * 60_000_000),
    energy=st.sampled_from([0.0, 120.0, 900.0]),
    idle=st.sampled_from([0.0, 0.05, 0.5]),
)


@given(data=st.data(), signal=signals(6), costs=costs)
def test_no_plan_with_pauses_is_better_than_the_exact_one(
    data: st.DataObject, signal: GridSignal, costs: Costs
) -> None:
    release, work, deadline = window = data.draw(windows(signal, GRAIN_S))

    found = best_runs(Curve.of(signal), work, release, deadline, costs)

    assert found is not None
    assert found.cost == pytest.approx(min(every_plan(signal, window, costs)), abs=1e-6)


@given(data=st.data(), signal=signals(6), costs=costs)
def test_no_plan_whose_first_pause_comes_by_a_moment_is_better_than_the_exact_one(
    data: st.DataObject, signal: GridSignal, costs: Costs
) -> None:
    release, work, deadline = window = data.draw(windows(signal, GRAIN_S))
    until = data.draw(st.integers(-1, 7)) * 1800.0

    found = best_runs(Curve.of(signal), work, release, deadline, costs, until)

    assert found is not None
    assert found.cost == pytest.approx(min(every_plan(signal, window, costs, until)), abs=1e-6)
    assert len(found.runs) == 1 or found.runs[0].end_s <= until
    lost = costs.restart / 1e6 * (len(found.runs) - 1)
    assert sum(end - start for start, end in found.runs) - lost == pytest.approx(work, abs=1e-6)


@given(data=st.data(), signal=signals(10), costs=costs)
def test_an_exact_plan_does_all_the_work_in_stretches_that_are_long_enough(
    data: st.DataObject, signal: GridSignal, costs: Costs
) -> None:
    release, work, deadline = data.draw(windows(signal, GRAIN_S))

    found = best_runs(Curve.of(signal), work, release, deadline, costs)

    assert found is not None
    lengths = [end - start for start, end in found.runs]
    lost = costs.restart / 1e6 * (len(lengths) - 1)
    assert sum(lengths) - lost == pytest.approx(work, abs=1e-6)
    assert min(lengths) >= min(costs.min_run / 1e6, work) - 1e-6
    assert found.runs[0].start_s >= release
    assert found.runs[-1].end_s <= deadline


@given(data=st.data(), signal=signals(10))
def test_pauses_that_cost_nothing_take_the_cheapest_steps(
    data: st.DataObject, signal: GridSignal
) -> None:
    step_s = signal.step.total_seconds()
    release, work, deadline = data.draw(windows(signal, step_s))
    first, last, count = (round(part / step_s) for part in (release, deadline, work))

    found = best_runs(Curve.of(signal), work, release, deadline, Costs(0, 0, 0.0, 0.0))
    cheapest = cheapest_steps(signal, first, last, count)

    assert found is not None
    assert found.cost / work == pytest.approx(cheapest[0])


pauses = st.builds(
    Pause,
    restart=st.integers(0, 90).map(lambda minutes: timedelta(minutes=minutes)),
    energy=st.integers(0, 500).map(Energy.wh),
    min_run=st.integers(0, 200).map(lambda minutes: timedelta(minutes=minutes)),
    idle=st.integers(0, 200).map(Power.watts),
)


@st.composite
def jobs(draw: DrawFn, signal: GridSignal) -> Job:
    """Jobs of any times to the second, certain or not, with or without pauses."""
    release, p90, deadline = draw(windows(signal, 1.0))
    p50 = draw(st.floats(0.2, 1.0)) * p90
    return Job(
        power=Estimate.around(Power.watts(draw(st.integers(0, 2000))), 1.5),
        p50=max(timedelta(seconds=p50), timedelta(microseconds=1)),
        p90=timedelta(seconds=p90),
        release=signal.start + timedelta(seconds=release),
        deadline=signal.start + timedelta(seconds=deadline),
        zone="DE",
        pause=draw(st.none() | pauses),
    )


@given(data=st.data(), signal=signals(12))
def test_a_plan_never_emits_more_than_running_now_and_is_in_time(
    data: st.DataObject, signal: GridSignal
) -> None:
    job = data.draw(jobs(signal))

    plan = Shift().plan(job, [signal])

    assert plan.expected.value <= plan.run_now.value
    assert job.release <= plan.start
    assert plan.end <= job.deadline


profiles = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=5).map(
    lambda rows: Scaling(
        tuple(range(1, len(rows) + 1)),
        tuple(float(v) for v, _ in rows),
        tuple(float(p) for _, p in rows),
    )
)


@given(data=st.data(), signal=signals(8), scaling=profiles)
def test_an_elastic_plan_has_a_price_that_proves_it_best(
    data: st.DataObject, signal: GridSignal, scaling: Scaling
) -> None:
    # Each hour's nodes are the best for one price of work, and all the work is done: by duality
    # of linear programmes nothing is better. Hours are priced whole, so the window is of steps.
    step_s = signal.step.total_seconds()
    release, work, deadline = data.draw(windows(signal, step_s))
    job = Job(
        power=Estimate.exact(Power.watts(1000)),
        p50=timedelta(seconds=work),
        release=signal.start + timedelta(seconds=release),
        deadline=signal.start + timedelta(seconds=deadline),
        zone="DE",
    )

    plan = Elastic(scaling).plan(job, [signal])

    speed, power = scaling.at(1)
    ways = [(0.0, 0.0), *((v / speed, p / power) for v, p in map(scaling.at, scaling.nodes))]
    hours = signal.values[round(release / step_s) : round(deadline / step_s)]
    prices = {
        value * (p2 - p1) / (v2 - v1)
        for value in hours
        for v1, p1 in ways
        for v2, p2 in ways
        if v2 > v1
    }
    duals = [
        price * work + sum(min(value * p - price * v for v, p in ways) for value in hours) * step_s
        for price in prices
        if price >= 0
    ]
    kwh = 1 / 3600
    assert plan.expected.value.in_grams == pytest.approx(max(duals) * kwh, rel=1e-6, abs=1e-6)


@given(data=st.data(), signal=signals(8), scaling=profiles)
def test_an_elastic_plan_never_emits_more_than_running_now_and_is_in_time(
    data: st.DataObject, signal: GridSignal, scaling: Scaling
) -> None:
    job = replace(data.draw(jobs(signal)), pause=None)

    plan = Elastic(scaling).plan(job, [signal])

    assert plan.expected.value <= plan.run_now.value
    assert job.release <= plan.start
    assert plan.end <= job.deadline


@given(data=st.data(), actual=signals(24), threshold=st.sampled_from([0.0, 0.02, 0.5]))
def test_whatever_the_forecasts_say_a_job_that_asks_every_hour_is_done_by_its_deadline(
    data: st.DataObject, actual: GridSignal, threshold: float
) -> None:
    job = data.draw(jobs(actual))
    policy = Replan(
        threshold=threshold, commit=timedelta(hours=data.draw(st.sampled_from([0, 24])))
    )
    count = len(actual.values)
    drawn = st.lists(st.integers(0, 9).map(float), min_size=count, max_size=count)

    followed = follow(job, policy, actual, lambda _: made(data.draw(drawn), actual.step))

    assert followed.end <= job.deadline
