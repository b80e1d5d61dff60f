"""How quickly plans are made: millions at once, and one exactly."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Power
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.plan import Job, Pause, Shift, best_starts
from lichen.plan.curve import Curve
from lichen.plan.interruptible import best_runs
from lichen.plan.states import Costs

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = timedelta(hours=1)
WEEK_H = 168
START = datetime(2026, 1, 5, tzinfo=UTC)
PAUSE = Pause(restart=HOUR / 10, min_run=HOUR)
REPEATS = 9


class Batch(NamedTuple):
    """Week-ahead plans a CPU second."""

    what: str
    lichen: float
    loop: float


class Exact(NamedTuple):
    """One week-ahead plan with pauses. [ms]"""

    step: timedelta
    states_ms: float
    policy_ms: float


def year(step: timedelta, length: timedelta) -> GridSignal:
    """A drawn grid with days, weeks and noise."""
    count = length // step
    hours = np.arange(count) * (step / HOUR)
    noise = np.random.default_rng(7).normal(0, 30, count)
    values = 350 + 90 * np.cos(hours / 24 * 2 * np.pi) + 40 * np.sin(hours / 168 * 2 * np.pi)
    some = tuple(np.maximum(values + noise, 1.0).tolist())
    return GridSignal(
        zone="DE",
        kind=SignalKind.AVERAGE,
        basis=Basis.ASSUMED,
        source="drawn",
        issued_at=START,
        start=START,
        step=step,
        values=some,
        lows=some,
        highs=some,
    )


def _timed(work: Callable[[], object]) -> float:
    """Median CPU time of a piece of work. [s]"""
    took = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return statistics.median(took)


def batches(count: int) -> list[Batch]:
    """Jobs of whole hours that arrive with the hour, and jobs of any second."""
    signal = year(HOUR, timedelta(days=365))
    random = np.random.default_rng(1)
    release = random.uniform(0, 8500 * 3600, count)
    duration = random.uniform(3600, 48 * 3600, count)
    made = []
    for what, grain in (("of whole hours", 3600.0), ("to the second", 1.0)):
        releases, durations = np.floor(release / grain) * grain, np.ceil(duration / grain) * grain
        deadlines = releases + WEEK_H * 3600
        took = _timed(lambda r=releases, d=durations, e=deadlines: best_starts(signal, r, d, e))  # type: ignore[misc]
        few = slice(0, 200)
        loop_s = _timed(
            lambda r=releases[few], d=durations[few]: [  # type: ignore[misc]
                plain_start(signal.values, int(one // 3600), int(length // 3600))
                for one, length in zip(r, d, strict=True)
            ]
        )
        made.append(Batch(what, count / took, 200 / loop_s))
    return made


def plain_start(values: tuple[float, ...], first: int, length: int) -> int:
    """The peer: the sum of every window of whole hours in a week, the loop one writes first."""
    starts = range(first, first + WEEK_H - length + 1)
    return min(starts, key=lambda start: sum(values[start : start + length]))


def exact_plans() -> list[Exact]:
    """48 h in a week, restart 6 min, shortest run 1 h, at three steps."""
    return [_exact(step) for step in (HOUR, HOUR / 2, HOUR / 12)]


def _exact(step: timedelta) -> Exact:
    week = WEEK_H * HOUR
    signal = year(step, week)
    curve, costs = Curve.of(signal), Costs.of(PAUSE, 1000.0)
    job = Job(
        power=Estimate.exact(Power.watts(1000)),
        p50=48 * HOUR,
        release=START,
        deadline=START + week,
        zone="DE",
        pause=PAUSE,
    )
    states_s = _timed(lambda: best_runs(curve, 48 * 3600.0, 0.0, week.total_seconds(), costs))
    policy_s = _timed(lambda: Shift().plan(job, [signal]))
    return Exact(step, states_s * 1e3, policy_s * 1e3)


def restart_points(signal: GridSignal) -> tuple[float, float]:
    """Saving of 24 h in 72 h over a year, free pauses and a restart of 6 min. [%]"""
    savings = []
    for restart in (timedelta(0), HOUR / 10):
        totals = [0.0, 0.0]
        for day in range(len(signal.values) // 24 - 3):
            release = signal.start + timedelta(days=day)
            job = Job(
                power=Estimate.exact(Power.watts(1000)),
                p50=24 * HOUR,
                release=release,
                deadline=release + 72 * HOUR,
                zone=signal.zone,
                pause=replace(Pause(), restart=restart),
            )
            plan = Shift().plan(job, [signal])
            totals[0] += plan.expected.value.in_grams
            totals[1] += plan.run_now.value.in_grams
        savings.append(100 * (1 - totals[0] / totals[1]))
    return savings[0], savings[1]
