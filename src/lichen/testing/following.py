"""Following a plan hour by hour, as a runner would: what came is priced, the forecast may change.

    followed = follow(job, Replan(), actual, lambda now: my_forecast(now))

Every hour the policy is asked again with the forecast of that hour. The job does the work of its
p90, loses its restart when it resumes, and emits what the actual signal says of the hours it ran.
Idle power and the energy of resumes are not counted here: `Plan.expected` has them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.quantities import Carbon
from lichen.ledger.window import Window
from lichen.plan.replan import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lichen.ledger.signal import GridSignal
    from lichen.plan.job import Job
    from lichen.plan.plan import Plan
    from lichen.plan.replan import Replan

_HOUR = timedelta(hours=1)
_NONE = timedelta(0)
# What rounding to microseconds may leave of a job.
_NOTHING = timedelta(milliseconds=1)


class Followed(NamedTuple):
    """What a job emitted, when it was done, and how many plans it followed."""

    carbon: Carbon
    end: datetime
    plans: int


class _Runner:
    """A job on its way."""

    def __init__(self, job: Job, actual: GridSignal) -> None:
        self._job, self._actual = job, actual
        self.progress = Progress()
        self.carbon = Carbon.zero()
        self.end = job.release
        self._lost = _NONE

    @property
    def left(self) -> timedelta:
        return self._job.p90 - self.progress.done

    def run(self, plan: Plan, now: datetime) -> None:
        """What the plan runs in the hour from now on."""
        until = now + _HOUR
        going = self.progress.running
        for one in plan.segments:
            start, end = max(one.start, now), min(one.end, until)
            if start >= end or self.left <= _NOTHING:
                continue
            if not going or start > now:
                self._resume()
            self._stretch(start, end)
            going = one.end > until
        ends = any(one.start < until < one.end for one in plan.segments)
        self.progress = Progress(self.progress.done, going and ends)

    def _resume(self) -> None:
        pause = self._job.pause
        begun = self.progress.done > _NONE
        self._lost = pause.restart if pause and begun else _NONE

    def _stretch(self, start: datetime, end: datetime) -> None:
        end = min(end, start + self.left + self._lost)
        working = max(end - start - self._lost, _NONE)
        self._lost -= end - start - working
        window = Window(start, end, self._actual.zone)
        energy = self._job.power.value * window.duration
        self.carbon += energy * self._actual.over(window).value
        self.progress = Progress(self.progress.done + working, running=True)
        self.end = end


def follow(
    job: Job, policy: Replan, actual: GridSignal, forecast: Callable[[datetime], GridSignal]
) -> Followed:
    """A job that asks its policy every hour, from its release until it is done.

    Raises:
        RuntimeError: the deadline passed and the job was not done: the policy broke its promise.
    """
    now, plans = job.release, 1
    plan = policy.plan(job, [forecast(now)])
    runner = _Runner(job, actual)
    while True:
        runner.run(plan, now)
        now += _HOUR
        if runner.left <= _NOTHING:
            return Followed(runner.carbon, runner.end, plans)
        if now >= job.deadline:
            raise RuntimeError(f"{runner.left} of {job} was not done by its deadline")
        again = policy.again(job, plan, [forecast(now)], now=now, progress=runner.progress)
        plans += again is not plan
        plan = again
