"""What `lichen run` gets of a forecast from history: its own rule, hour by hour.

    share = Σ (C(run now) − C(followed)) / Σ (C(run now) − C(oracle))          [1]

The rule is `plan.Replan` as `run` has it: asked every hour, a new plan is taken for a gain of 2 %
or more, and never in a window of 24 h or less. A resume loses its restart. Beside it stand, for the
same jobs, planning once, and planning each hour for any gain with free pauses (`plans.shares`). The
forecast of each hour is lichen's own, from the hours before it alone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.forecast.plans import JOBS, shares
from benchmarks.forecast.traces import HOUR
from lichen.grid.forecast import Forecaster
from lichen.ledger.estimate import Estimate
from lichen.ledger.quantities import Power
from lichen.plan import Job, Pause, Replan, Shift
from lichen.testing.following import follow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from benchmarks.forecast.plans import Job as Hours
    from benchmarks.forecast.traces import Case
    from lichen.ledger.signal import GridSignal

WEEK = 168 * HOUR
# What `lichen run --interruptible` has unless it is told more, and a restart of ten in a hundred.
PAUSES = (Pause(), Pause(restart=HOUR / 10, min_run=HOUR))
_ONCE = Replan(commit=timedelta(days=366))


class Ran(NamedTuple):
    """Share of the oracle by `run`'s rule, planned once, and each hour [1]; plans a job."""

    case: str
    hours: int
    window: int
    restart: timedelta
    jobs: int
    run: float
    once: float
    hourly: float
    plans: float


def ran(case: Case, jobs: int) -> Iterator[Ran]:
    """Each of `JOBS`, that many times through a case, with and without a restart to pay."""
    issued = _issued(case)
    for pause in PAUSES:
        for hours in JOBS:
            yield _ran(case, hours, pause, issued, jobs)


def _issued(case: Case) -> dict[datetime, GridSignal]:
    """The forecast of each hour, in the order of time: the forecaster fits once a week."""
    forecaster = Forecaster(case.signal)
    moments = (case.first + n * HOUR for n in range(len(case.actual) - 168))
    zone = case.signal.zone
    return {now: forecaster.forecast(zone, WEEK, issued_at=now) for now in moments}


def _ran(
    case: Case, hours: Hours, pause: Pause, issued: dict[datetime, GridSignal], jobs: int
) -> Ran:
    free = len(issued) - hours.window
    # A step that is no whole number of days: jobs arrive at all hours.
    every = free // jobs | 1
    saved, could = {"run": 0.0, "once": 0.0}, 0.0
    plans = count = 0
    for hour in range(0, free, every):
        release = case.first + hour * HOUR
        job = Job(
            power=Estimate.exact(Power.watts(1000)),
            p50=hours.hours * HOUR,
            release=release,
            deadline=release + hours.window * HOUR,
            zone=case.signal.zone,
            pause=pause,
        )
        best = Shift().plan(job, [case.signal])
        now = best.run_now.value.in_grams
        could += now - best.expected.value.in_grams
        for name, rule in (("run", Replan()), ("once", _ONCE)):
            went = follow(job, rule, case.signal, issued.__getitem__)
            saved[name] += now - went.carbon.in_grams
            plans += went.plans if name == "run" else 0
        count += 1
    run, once = saved["run"] / could, saved["once"] / could
    values = np.asarray([signal.values for signal in issued.values()])
    hourly = shares(hours, case.actual, values, every)[1]
    return Ran(case.name, *hours, pause.restart, count, run, once, hourly, plans / count)
