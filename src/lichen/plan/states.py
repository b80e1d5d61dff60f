"""States of the interruptible plan: least cost by bound, work left, and running or paused.

    running[t + 1, w − step]   ≤ running[t, w] + P (F(t + 1) − F(t))
    running[t + m, w + r − m]  ≤ paused[t, w]  + P (F(t + m) − F(t)) + E I(t)
    paused[t + p, w]           ≤ running[t, w] + idle (F(t + p) − F(t))
    paused[t + 1, w]           ≤ paused[t, w]  + idle (F(t + 1) − F(t))

t bound of a step; w work left [µs]; m shortest stretch, p shortest pause in steps; r restart
[µs]; the rest as in `lichen.plan.interruptible`, in units of the job's power. Each line is one
addition and one minimum over all w at once. Work left lies on a lattice: what the first stretch
leaves, and multiples of the greatest time that divides both step and restart.

Source: R. Bellman, Dynamic Programming, Princeton University Press, 1957.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lichen.plan.lattice import finest, lattice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lichen.plan.curve import Curve
    from lichen.plan.job import Pause

    Floats = NDArray[np.float64]

MICRO = 1_000_000


class Run(NamedTuple):
    """A stretch of running, in seconds after the curve's start. [s]"""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Costs:
    """What a plan may cost, in units of the job's power: resumes and pauses. All times in [µs].

    `restart` running time lost by a resume, `min_run` and `min_pause` the shortest stretch and
    pause; `energy` a resume takes as seconds of full power [s], `idle` as a share of it [1].
    """

    restart: int
    min_run: int
    energy: float
    idle: float
    min_pause: int = 0

    @classmethod
    def of(cls, pause: Pause, power_w: float) -> Costs:
        """A job's pause costs at its power. [W]"""
        # A job that draws nothing emits nothing: any plan is as good.
        scale = 1.0 / power_w if power_w else 0.0
        return cls(
            restart=round(pause.restart.total_seconds() * MICRO),
            min_run=round(pause.min_run.total_seconds() * MICRO),
            min_pause=round(pause.min_pause.total_seconds() * MICRO),
            energy=pause.energy.in_joules * scale,
            idle=pause.idle.in_watts * scale,
        )


class Found(NamedTuple):
    """The stretches, and what they cost at a power of 1 W. [gCO₂e/kWh × s]"""

    cost: float
    runs: tuple[Run, ...]


class Frame(NamedTuple):
    """What one table is made for: bounds of steps, and where the job starts if not there. [µs]"""

    step: int
    bounds: NDArray[np.int64]
    last: int
    work: int
    start: int | None


class End(NamedTuple):
    """How a plan ends: the state it ends from, and when. `resumed` at that bound, or running on."""

    cost: float
    bound: int
    left: int
    resumed: bool
    end: int


class Table:
    """Least cost by bound and work left: `paused` (pauses cost idle power) and `running`.

    Row t is bound t; column i is work left of `over` + i × `grain`, so that column 0 is the least
    that is left. A stretch runs for `shortest` steps at least, a pause for `rest`.
    """

    def __init__(self, curve: Curve, frame: Frame, costs: Costs) -> None:
        self.frame, self.costs = frame, costs
        self.grain, self.restart = lattice(frame.step, costs.restart, finest(frame, costs))
        self.points = frame.step // self.grain
        self.resume = self.restart // self.grain
        self.shortest = max(1, -(-costs.min_run // frame.step))
        self.rest = -(-costs.min_pause // frame.step)
        # What is left falls by this much where the job resumes and runs its shortest stretch.
        self.gain = self.shortest * self.points - self.resume
        self.sums = curve.sums[0]
        self.grid = np.arange(self.sums.size) * frame.step
        # The first stretch: from the first bound it may pause at, this much work is left.
        self.bounds = frame.bounds
        self.first = self._first_bound()
        left = frame.work - self._reach()
        self.feasible = left > 0 and self.first < self.bounds.size
        self.over = (left - 1) % self.grain + 1
        self.column = (left - self.over) // self.grain
        self.size = max(self.column, 0) + 1 + self.resume

    def _first_bound(self) -> int:
        """Where the first stretch may pause: `shortest` steps on, or what the release leaves."""
        start = self.frame.start
        if start is None:
            return self.shortest
        return int(np.searchsorted(self.bounds, start + max(self.costs.min_run, 1)))

    def _reach(self) -> int:
        """The work of the first stretch up to there. [µs]"""
        start = self.frame.start
        if start is None:
            return self.shortest * self.frame.step
        if self.first == self.bounds.size:
            return self.frame.work
        return int(self.bounds[self.first]) - start

    def _upto(self, moments: NDArray[np.int64] | int) -> Floats:
        """F at moments. [gCO₂e/kWh × s]"""
        made: Floats = np.interp(moments, self.grid, self.sums)
        return made

    def in_one(self) -> Found | None:
        """The best plan without a pause among the frame's starts."""
        work, start = self.frame.work, self.frame.start
        starts = self.bounds if start is None else np.array([start])
        starts = starts[starts + work <= self.frame.last]
        if not starts.size:
            return None
        costs = self._upto(starts + work) - self._upto(starts)
        at = int(costs.argmin())
        run = Run(float(starts[at]) / MICRO, float(starts[at] + work) / MICRO)
        return Found(float(costs[at]), (run,))

    @property
    def begun(self) -> Floats:
        """Where first stretches stand."""
        return self.running

    def fill(self) -> None:
        """Go forward bound by bound."""
        count, size = self.bounds.size, self.size
        self.paused = np.full((count, size), np.inf)
        self.running = np.full((count, size), np.inf)
        self._prices()
        if self.frame.start is not None:
            cost = self._upto(int(self.bounds[self.first])) - self._upto(self.frame.start)
            self.begun[self.first, self.column] = cost
        for at in range(count):
            if at >= self.rest:
                np.minimum(self.paused[at], self._rested(at), out=self.paused[at])
            if at + 1 < count:
                self._wait_or_run_on(at)
            if at + self.shortest < count:
                self._begin_or_resume(at)

    def _rested(self, at: int) -> Floats:
        """Cost of a shortest pause that ends at a bound, by work left."""
        rested: Floats = self.running[at - self.rest] + self.rests[at]
        return rested

    def _wait_or_run_on(self, at: int) -> None:
        np.add(self.paused[at], self.waits[at], out=self.paused[at + 1])
        if self.points < self.size:
            target = self.running[at + 1, : self.size - self.points]
            np.minimum(target, self.running[at, self.points :] + self.steps[at], out=target)

    def _begin_or_resume(self, at: int) -> None:
        onward, gain = self.running[at + self.shortest], self.gain
        if self.frame.start is None:
            begun = self.begun[at + self.shortest]
            begun[self.column] = min(begun[self.column], self.begins[at])
        if abs(gain) < self.size:
            # A restart longer than the shortest stretch leaves more work than there was.
            target = onward[max(-gain, 0) : self.size - max(gain, 0)]
            source = self.paused[at, max(gain, 0) : self.size - max(-gain, 0)]
            np.minimum(target, source + self.resumes[at], out=target)

    def _prices(self) -> None:
        """What a step, a wait, a start and a resume cost at each bound."""
        at = self._upto(self.bounds)
        self.steps = np.diff(at)
        # The bound at the end of the signal has no step after it.
        rate = np.append(self.steps, 0.0) / (self.frame.step / MICRO)
        self.waits = self.steps * self.costs.idle
        self.rests = (at - np.roll(at, self.rest)) * self.costs.idle
        self.begins = at[self.shortest :] - at[: -self.shortest]
        self.resume_energy = rate * self.costs.energy
        self.resumes = self.begins + self.resume_energy[: self.begins.size]

    def best_end(self) -> End | None:
        """The cheapest way to have no work left: running on, or in a last stretch resumed."""
        ends = [self._ending(self.running, 0, self.points, resumed=False)]
        least = -(-(self.costs.min_run - self.over) // self.grain) - self.resume
        ends.append(self._ending(self.paused, max(least, 0), self.gain, resumed=True))
        return min((end for end in ends if end), key=lambda end: end.cost, default=None)

    def _ending(self, table: Floats, low: int, high: int, *, resumed: bool) -> End | None:
        """The best end from columns `low` to `high` of a table, by the deadline."""
        high = min(high, self.size)
        if high <= low:
            return None
        left = self.over + np.arange(low, high) * self.grain
        ends = self.bounds[:, None] + left + (self.restart if resumed else 0)
        totals = table[:, low:high] + (self._upto(ends) - self._upto(self.bounds)[:, None])
        if resumed:
            totals = totals + self.resume_energy[:, None]
        totals[ends > self.frame.last] = np.inf
        place = int(totals.argmin())
        bound, column = divmod(place, high - low)
        if not np.isfinite(totals[bound, column]):
            return None
        cost = float(totals[bound, column])
        return End(cost, bound, low + column, resumed, int(ends[bound, column]))

    def trace(self, end: End) -> tuple[Run, ...]:
        """The stretches of a plan, from its end back to its start."""
        runs: list[tuple[int, int]] = []
        at, left, stop = end.bound, end.left, end.end
        if end.resumed:
            runs.append((int(self.bounds[at]), stop))
            at = self._paused_at(at, left)
            stop = int(self.bounds[at])
        while True:
            cost = self.running[at, left]
            back = at - self.shortest
            if self._extends(at, left, cost):
                at, left = at - 1, left + self.points
            elif self._resumes(back, left + self.gain, cost):
                runs.append((int(self.bounds[back]), stop))
                left += self.gain
                at = self._paused_at(back, left)
                stop = int(self.bounds[at])
            else:
                start = self.frame.start
                runs.append((int(self.bounds[back]) if start is None else start, stop))
                return joined(runs[::-1], touching=not self.restart)

    def _paused_at(self, at: int, left: int) -> int:
        """The bound at which the pause that holds at `at` began."""
        while self.paused[at, left] != self._rested(at)[left]:
            at -= 1
        return at - self.rest

    def _extends(self, at: int, left: int, cost: float) -> bool:
        """Whether the job ran through the step before."""
        if at == 0 or left + self.points >= self.size:
            return False
        return bool(self.running[at - 1, left + self.points] + self.steps[at - 1] == cost)

    def _resumes(self, back: int, left: int, cost: float) -> bool:
        """Whether the job resumed `shortest` steps before."""
        if back < 0 or not 0 <= left < self.size:
            return False
        return bool(self.paused[back, left] + self.resumes[back] == cost)


def joined(runs: list[tuple[int, int]], *, touching: bool) -> tuple[Run, ...]:
    """Stretches in seconds; those that touch are one, where a resume loses no time."""
    made: list[tuple[int, int]] = []
    for start, end in runs:
        if touching and made and made[-1][1] == start:
            made[-1] = (made[-1][0], end)
        else:
            made.append((start, end))
    return tuple(Run(start / MICRO, end / MICRO) for start, end in made)
