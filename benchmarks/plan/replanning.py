"""What re-planning is worth: jobs of a year, hour by hour, under a plain forecast from history.

The forecast is the mean of the last seven days at that hour, and the last hour's distance from it,
which fades over twelve hours. It knows nothing that came later. What a job emits is priced by the
hours that really came; a resume loses its restart.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lichen.ledger.estimate import Estimate
from lichen.ledger.quantities import Power
from lichen.ledger.signal import GridSignal
from lichen.plan import Job, Pause, Replan, Shift
from lichen.testing.following import follow

if TYPE_CHECKING:
    from datetime import datetime

HOUR = timedelta(hours=1)
PAUSE = Pause(restart=HOUR / 10, min_run=HOUR)
_HISTORY_H = 7 * 24
_FADES_H = 12.0
_ALWAYS = timedelta(0)


class Worth(NamedTuple):
    """A policy's share of the oracle's saving [%], and the mean number of plans a job followed."""

    what: str
    share: float
    plans: float


def forecast(actual: GridSignal, now: datetime, *, end: datetime) -> GridSignal:
    """What history says at a moment of the hours until an end."""
    at = (now - actual.start) // actual.step
    count = -((now - end) // actual.step)
    past = np.array(actual.values[at - _HISTORY_H : at])
    profile = past.reshape(-1, 24).mean(axis=0)
    ahead = np.arange(count)
    fading = np.exp(-(ahead + 1) / _FADES_H) * (past[-1] - profile[-1])
    some = tuple(np.maximum(profile[ahead % 24] + fading, 0.0).tolist())
    return GridSignal(
        zone=actual.zone,
        kind=actual.kind,
        basis=actual.basis,
        source="the last seven days",
        issued_at=now,
        start=now,
        step=actual.step,
        values=some,
        lows=some,
        highs=some,
    )


def worth(actual: GridSignal, job_h: int, within_h: int, jobs: int) -> list[Worth]:
    """Plan once, and again every hour from some gain on, over jobs spread through the year."""
    policies = {
        "planned once": Replan(commit=timedelta(days=366)),
        "every hour, any gain": Replan(threshold=0.0, commit=_ALWAYS),
        "every hour, 2 % or more": Replan(threshold=0.02, commit=_ALWAYS),
        "every hour, 5 % or more": Replan(threshold=0.05, commit=_ALWAYS),
    }
    free = len(actual.values) - _HISTORY_H - within_h
    # A step that is no whole number of days: jobs arrive at all hours.
    every = free // jobs | 1
    run_now = oracle = 0.0
    sums = {what: [0.0, 0] for what in policies}
    for n in range(jobs):
        release = actual.start + HOUR * (_HISTORY_H + n * every)
        job = Job(
            power=Estimate.exact(Power.watts(1000)),
            p50=job_h * HOUR,
            release=release,
            deadline=release + within_h * HOUR,
            zone=actual.zone,
            pause=PAUSE,
        )
        best = Shift().plan(job, [actual])
        run_now += best.run_now.value.in_grams
        oracle += best.expected.value.in_grams
        for what, policy in policies.items():
            went = follow(job, policy, actual, partial(forecast, actual, end=job.deadline))
            sums[what][0] += went.carbon.in_grams
            sums[what][1] += went.plans
    return [
        Worth(what, 100 * (run_now - grams) / (run_now - oracle), plans / jobs)
        for what, (grams, plans) in sums.items()
    ]
