"""Plans made on a forecast and paid for in actuals, beside running now and beside the oracle.

    share = (C(run now) − C(plan)) / (C(run now) − C(oracle))        sums over all jobs    [1]

A job of k hours arrives at an hour and must end within w hours. Interruptible, it takes the k hours
that are forecast to be cleanest; contiguous, the cleanest stretch. Planned again each hour, it runs
in the hour at hand if that is among the cleanest of those that are left, by a forecast issued then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from benchmarks.forecast.traces import Floats


class Job(NamedTuple):
    """Hours of work, and the hours it may be done in."""

    hours: int
    window: int


JOBS = (Job(24, 72), Job(4, 24), Job(48, 168))
MODES = ("at arrival", "each hour", "contiguous")


def shares(job: Job, actual: Floats, issued: Floats, every: int) -> tuple[float, ...]:
    """Share of the oracle in each of `MODES`. [1]

    `issued` has shape (n, 168): row i was forecast before hour i of `actual`, shape (n + 168,). A
    job arrives every `every` hours.
    """
    arrivals = np.arange(0, len(issued) - job.window, every)
    seen = _windows(actual, arrivals, job.window)
    wanted = issued[arrivals, : job.window]
    now = seen[:, : job.hours].sum()
    chosen = np.argsort(wanted, axis=1, kind="stable")[:, : job.hours]
    least = np.sort(seen, axis=1)[:, : job.hours].sum()
    at_arrival = np.take_along_axis(seen, chosen, axis=1).sum()
    stretches, planned = _stretches(seen, job.hours), _stretches(wanted, job.hours)
    at_once = np.take_along_axis(stretches, planned.argmin(axis=1)[:, None], axis=1).sum()
    again = _each_hour(job, actual, issued, arrivals)
    shortest = stretches.min(axis=1).sum()
    return (
        _share(now, at_arrival, least),
        _share(now, again, least),
        _share(now, at_once, shortest),
    )


def _share(now: float, planned: float, least: float) -> float:
    return float((now - planned) / (now - least))


def _windows(actual: Floats, arrivals: np.ndarray, width: int) -> Floats:
    return actual[arrivals[:, None] + np.arange(width)]


def _stretches(values: Floats, hours: int) -> Floats:
    """Sums over each stretch of so many hours."""
    found: Floats = np.lib.stride_tricks.sliding_window_view(values, hours, axis=1).sum(axis=2)
    return found


def _each_hour(job: Job, actual: Floats, issued: Floats, arrivals: np.ndarray) -> float:
    """Carbon of jobs that are planned again each hour."""
    left = np.full(len(arrivals), job.hours)
    carbon = 0.0
    for hour in range(job.window):
        ahead = issued[arrivals + hour, : job.window - hour]
        better = (ahead < ahead[:, :1]).sum(axis=1)
        # With as many hours left as work, there is nothing to choose.
        run = (left > 0) & ((better < left) | (left == job.window - hour))
        carbon += float(actual[arrivals + hour][run].sum())
        left -= run
    return carbon
