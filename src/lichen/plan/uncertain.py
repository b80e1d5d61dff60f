"""A duration nobody knows, and what a plan emits when it is averaged over what may be.

    ln d ~ normal(ln p50, σ)     σ = ln(p90 / p50) / 1.2816
    expected carbon = mean over d at the 10, 30, 50, 70 and 90 % points

A plan has room for p90; a job that is done earlier leaves the rest out. So the hours that a plan
uses first are used by all durations, the last ones by the longest alone. The promise: whatever the
grid, a job that starts no later than deadline − p90 and takes no longer than p90 is done in time.

Source: the lognormal is the usual model of running times (D. G. Feitelson, Workload Modeling for
Computer Systems Performance Evaluation, Cambridge 2015, ch. 3); 1.2816 is the normal's 90 % point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from lichen.ledger.estimate import Estimate, zero
from lichen.ledger.quantities import Carbon, Power

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lichen.plan.curve import Curve
    from lichen.plan.job import Job
    from lichen.plan.states import Run

    Floats = NDArray[np.float64]

# The standard normal at 10, 30, 50, 70 and 90 %.
_POINTS = (-1.281552, -0.524401, 0.0, 0.524401, 1.281552)


def durations(job: Job) -> NDArray[np.float64]:
    """Running times of a job, each as likely as the others; one if it is certain. [s]"""
    p50, p90 = job.p50.total_seconds(), job.p90.total_seconds()
    if p90 == p50:
        return np.array([p50])
    sigma = math.log(p90 / p50) / _POINTS[-1]
    spread = p50 * np.exp(sigma * np.array(_POINTS))
    spread[-1] = p90
    return spread


@dataclass(frozen=True, slots=True)
class Stretches:
    """The stretches of a plan: start, end [s], power and speed over the job's own, all (k,)."""

    starts: Floats
    ends: Floats
    powers: Floats
    speeds: Floats

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Stretches:
        """Stretches at the job's own power and speed."""
        ones = np.ones(len(runs))
        starts, ends = (np.array(part, np.float64) for part in zip(*runs, strict=True))
        return cls(starts, ends, ones, ones)

    def until(self, work_s: float, restart_s: float) -> Stretches:
        """What is left of them if the job is done after some work. [s]"""
        resumed = np.append(0.0, self.starts[1:] > self.ends[:-1]) * restart_s
        able = (self.ends - self.starts - resumed) * self.speeds
        before = np.append(0.0, np.cumsum(able)[:-1])
        lasts = np.minimum((work_s - before) / self.speeds + resumed, self.ends - self.starts)
        # Less than a microsecond is no stretch: it is what rounding leaves.
        used = (work_s - before) > 1e-6  # noqa: PLR2004
        return Stretches(
            self.starts[used], (self.starts + lasts)[used], self.powers[used], self.speeds[used]
        )


def expected(curve: Curve, job: Job, stretches: Stretches) -> Estimate[Carbon]:
    """Carbon of a job in these stretches, in the mean of its durations. [gCO₂e]

    Restarts and the idle power of pauses are counted.
    """
    restart_s = job.pause.restart.total_seconds() if job.pause else 0.0
    spread = durations(job)
    total = zero(Carbon)
    for work_s in spread:
        total += _carbon(curve, job, stretches.until(float(work_s), restart_s))
    return total * (1.0 / spread.size)


def _carbon(curve: Curve, job: Job, done: Stretches) -> Estimate[Carbon]:
    total = zero(Carbon)
    for ratio in np.unique(done.powers):
        some = done.powers == ratio
        total += curve.carbon(done.starts[some], done.ends[some], job.power * float(ratio))
    pause = job.pause
    resumed = done.starts[1:] > done.ends[:-1]
    if pause is None or not resumed.any():
        return total
    starts, ends = done.ends[:-1][resumed], done.starts[1:][resumed]
    idle: Estimate[Power] = Estimate.exact(pause.idle)
    return total + curve.carbon(starts, ends, idle) + curve.carbon_at(ends, pause.energy)


def latest_safe(job: Job, *, done: timedelta = timedelta(0), paused: bool = False) -> timedelta:
    """How long before its deadline a job must run at the latest, some of it done.

    From then on it runs whatever the grid. A job that is `paused` loses a restart first.
    """
    left = max(job.p90 - done, timedelta(0))
    return left + (job.pause.restart if paused and job.pause else timedelta(0))
