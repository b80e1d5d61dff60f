"""Published scenarios of planning, to hold a planner against.

upper_bounds    every job of a length that arrives in each hour of a year, with perfect foresight
next_workday    3,387 trainings of a year, to be done by the next workday, under a noisy forecast

They need numpy, and a recorded trace that the reader brings: docs/method/plan.md says which.

Sources: T. Sukprasert et al., "On the Limitations of Carbon-Aware Temporal and Spatial Workload
Shifting in the Cloud", EuroSys 2024; P. Wiesner et al., "Let's Wait Awhile: How Temporal Workload
Shifting Can Reduce Carbon Emissions in the Cloud", Middleware 2021, scenario II.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lichen.ledger.errors import InputError
from lichen.plan.cheapest import cheapest_steps
from lichen.plan.contiguous import best_starts, means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lichen.ledger.signal import GridSignal

_HOUR_S = 3600.0
_HALF_HOUR = timedelta(minutes=30)
_HALF_HOUR_S = _HALF_HOUR.total_seconds()
_YEAR = datetime(2020, 1, 1, tzinfo=UTC)
_DAYS = 366
# Source: Let's Wait Awhile, scenario II: a project's jobs, workdays, lengths.
_JOBS = 3387
_MORNING, _EVENING = 9.0, 17.0
_SATURDAY, _SUNDAY = 5, 6


class Bounds(NamedTuple):
    """Mean intensity run now, with the best start, and in the best hours. [gCO₂e/kWh]"""

    run_now: float
    contiguous: float
    interruptible: float

    @property
    def saved(self) -> tuple[float, float]:
        """Savings in one piece and with pauses. [%]"""
        return (
            100 * (1 - self.contiguous / self.run_now),
            100 * (1 - self.interruptible / self.run_now),
        )


def upper_bounds(
    signal: GridSignal, job_h: int, slack_h: int, *, arrivals: int | None = None
) -> Bounds:
    """The bounds of a job of some hours that may end some hours later than if it ran now.

    A job arrives at each of the first `arrivals` of the n hours of the signal, n − job of them
    where nothing else is said: the published cells tell theirs in the column `n`, which is one more
    where the slack is a year. A job's window is job + slack hours, cut at the end of the signal.
    Pauses cost nothing.

    Raises:
        InputError: there is no arrival, or the last job would not end within the signal.
    """
    count = len(signal.values)
    many = count - job_h if arrivals is None else arrivals
    if not 0 < many <= count - job_h + 1:
        raise InputError(
            f"jobs of {job_h} h fit {count - job_h + 1} arrivals into {count} hours, not {many}"
        )
    at = np.arange(many)
    ends = np.minimum(at + job_h + slack_h, count)
    starts = best_starts(signal, at * _HOUR_S, job_h * _HOUR_S, ends * _HOUR_S)
    pausing = cheapest_steps(signal, at, ends, job_h)
    return Bounds(*(float(part.mean()) for part in (starts.run_now, starts.mean, pausing)))


class Trainings(NamedTuple):
    """Jobs in half hours: start of each after 2020-01-01, its length, and its slack, all (n,)."""

    starts: NDArray[np.intp]
    lengths: NDArray[np.intp]
    slacks: NDArray[np.intp]


def trainings() -> Trainings:
    """The year's trainings: 4 to 90 hours each, started on workdays from 9 to 17.

    A job must be done by 9 on the next workday if it would end outside working hours, and at once
    if it would end within them. Drawn from the authors' random numbers, and with their calendar: a
    job that would end on Friday evening is due on Saturday morning.
    """
    random = np.random.default_rng(0)
    days = [_YEAR + timedelta(days=n) for n in range(_DAYS)]
    workdays = [n for n, day in enumerate(days) if day.weekday() < _SATURDAY]
    counts = np.zeros(_DAYS, np.intp)
    counts[workdays] = random.multinomial(_JOBS, [1 / len(workdays)] * len(workdays))
    minutes = range(int(_MORNING) * 60, int(_EVENING) * 60, 30)
    starts = np.concatenate(
        [
            n * 48 + np.sort(random.choice(minutes, size=count)) // 30
            for n, count in enumerate(counts)
        ]
    )
    lengths = random.choice(range(4 * 60, 90 * 60, 30), size=_JOBS) // 30
    slacks = [_until_morning(_YEAR + _HALF_HOUR * int(end)) for end in starts + lengths]
    return Trainings(starts, lengths, np.array(slacks))


def _until_morning(end: datetime) -> int:
    """Half hours from where a job would end to where it must."""
    nine, hour = end.replace(hour=int(_MORNING), minute=0), end.hour + end.minute / 60
    if end.weekday() == _SATURDAY:
        due = nine + timedelta(days=2)
    elif end.weekday() == _SUNDAY or hour > _EVENING:
        due = nine + timedelta(days=1)
    else:
        due = max(end, nine)
    return (due - end) // _HALF_HOUR


def next_workday(signal: GridSignal, *, noise: float = 0.05, repeats: int = 10) -> Bounds:
    """What the trainings emit run now, in one piece, and with pauses, as means over repeats.

    The forecast is the signal and normal noise, as a share of its mean. [1] The signal starts with
    2020 (its clock taken for UTC), in half hours, and reaches ten days into 2021.

    Raises:
        InputError: the signal is not that.
    """
    if (signal.start, signal.step) != (_YEAR, _HALF_HOUR):
        raise InputError(
            f"the scenario starts {_YEAR} by {_HALF_HOUR}, the signal {signal.start} by "
            f"{signal.step}: cut the trace to that"
        )
    jobs = trainings()
    at_s, lengths_s = jobs.starts * _HALF_HOUR_S, jobs.lengths * _HALF_HOUR_S
    lasts = jobs.starts + jobs.lengths + jobs.slacks
    weights = jobs.lengths / jobs.lengths.sum()
    sums = np.zeros(2)
    for seed in range(repeats):
        forecast = _noisy(signal, noise, seed)
        found = best_starts(forecast, at_s, lengths_s, lasts * _HALF_HOUR_S)
        sums += (
            weights @ means(signal, found.start_s, lengths_s),
            weights @ cheapest_steps(forecast, jobs.starts, lasts, jobs.lengths, actual=signal),
        )
    run_now = float(weights @ means(signal, at_s, lengths_s))
    return Bounds(run_now, *(float(part) for part in sums / repeats))


def _noisy(signal: GridSignal, noise: float, seed: int) -> GridSignal:
    values = np.array(signal.values)
    drawn = np.random.default_rng(seed).normal(0, noise * values.mean(), values.size)
    some = tuple(np.maximum(values + drawn, 0.0).tolist())
    return replace(signal, values=some, lows=some, highs=some, source=f"{signal.source}, noisy")
