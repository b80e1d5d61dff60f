"""First pause: the interruptible plan of a job whose first pause may not come late, if at all.

    begun[t + 1, w − step]   ≤ begun[t, w] + P (F(t + 1) − F(t))
    paused[t + p, w]         ≤ begun[t, w] + idle (F(t + p) − F(t))          t ≤ until

A job that has left no checkpoint yet may lose in its first pause all that it did. So that pause has
to come while there is time to do all of it again; whatever comes later is free. First stretches
stand in a table of their own; one that is never paused is the best plan in one piece.

Source: as `lichen.plan.states`, with a state more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lichen.plan.states import Run, Table, joined

if TYPE_CHECKING:
    from lichen.plan.curve import Curve
    from lichen.plan.states import Costs, End, Floats, Frame


class EarlyTable(Table):
    """A `Table` whose first pause begins by `until`. [µs]"""

    def __init__(self, curve: Curve, frame: Frame, costs: Costs, until: int) -> None:
        super().__init__(curve, frame, costs)
        # A pause of no length would be none.
        self.rest = max(self.rest, 1)
        self._until = until

    @property
    def begun(self) -> Floats:
        """Where first stretches stand: apart from those that were resumed."""
        return self._begun

    def fill(self) -> None:
        """Go forward bound by bound."""
        self._begun = np.full((self.bounds.size, self.size), np.inf)
        super().fill()

    def _wait_or_run_on(self, at: int) -> None:
        super()._wait_or_run_on(at)
        if self.points < self.size:
            target = self._begun[at + 1, : self.size - self.points]
            np.minimum(target, self._begun[at, self.points :] + self.steps[at], out=target)

    def _rested(self, at: int) -> Floats:
        rested = super()._rested(at)
        if self.bounds[at - self.rest] > self._until:
            return rested
        first: Floats = self._begun[at - self.rest] + self.rests[at]
        return np.minimum(rested, first)

    def trace(self, end: End) -> tuple[Run, ...]:
        """The stretches of a plan, from its end back to its start."""
        runs: list[tuple[int, int]] = []
        at, left, stop, first = end.bound, end.left, end.end, False
        if end.resumed:
            runs.append((int(self.bounds[at]), stop))
            at = self._paused_at(at, left)
            stop, first = int(self.bounds[at]), self._is_first(at, left)
        while not first:
            if self._extends(at, left, self.running[at, left]):
                at, left = at - 1, left + self.points
                continue
            back, left = at - self.shortest, left + self.gain
            runs.append((int(self.bounds[back]), stop))
            at = self._paused_at(back, left)
            stop, first = int(self.bounds[at]), self._is_first(at, left)
        runs.append((self._start_of(at, left), stop))
        return joined(runs[::-1], touching=False)

    def _is_first(self, at: int, left: int) -> bool:
        """Whether what paused at a bound was the first stretch."""
        if self.bounds[at] > self._until:
            return False
        return bool(self._begun[at, left] <= self.running[at, left])

    def _start_of(self, at: int, left: int) -> int:
        """When the first stretch began that runs at a bound. [µs]"""
        if self.frame.start is not None:
            return self.frame.start
        while at and left + self.points < self.size:
            cost = self._begun[at - 1, left + self.points] + self.steps[at - 1]
            if cost != self._begun[at, left]:
                break
            at, left = at - 1, left + self.points
        return int(self.bounds[at - self.shortest])
