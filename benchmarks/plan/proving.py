"""What it costs to pause a job that has left no checkpoint only while all could be done again.

    saved = 1 − Σ plans' carbon / Σ running now        [1]

Perfect foresight over 2022, jobs that arrive every `EVERY_H` hours, restart 6 min, shortest run
1 h: once with pauses wherever they are best, as a job that has left a checkpoint may have them, and
once as `lichen run` plans a job at its start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from lichen.plan.policy import Shift
from lichen.train.green.order import Order, Pausing
from lichen.train.green.planning import UNPROVEN, Planner

if TYPE_CHECKING:
    from datetime import datetime

    from lichen.ledger.signal import GridSignal

HOUR = timedelta(hours=1)
EVERY_H = 67


class Proving(NamedTuple):
    """Shares saved with free pauses and with provable ones, and of plans that differ. [%]"""

    free: float
    provable: float
    earlier: float


@dataclass(frozen=True)
class Foresight:
    """A source whose forecast is what came."""

    year: GridSignal

    def forecast(
        self,
        zone: str,  # noqa: ARG002 (it has one)
        horizon: timedelta,
        *,
        issued_at: datetime | None = None,
    ) -> GridSignal:
        """The year from the time of issue on. [gCO₂e/kWh]"""
        year = self.year
        first = ((issued_at or year.start) - year.start) // year.step
        last = first + horizon // year.step
        return replace(
            year,
            issued_at=issued_at or year.start,
            start=year.start + year.step * first,
            values=year.values[first:last],
            lows=year.lows[first:last],
            highs=year.highs[first:last],
        )


def proving(year: GridSignal, job_h: int, within_h: int) -> Proving:
    """What is saved of jobs of some hours within some hours."""
    planner = Planner(source=Foresight(year))
    now = free = provable = 0.0
    plans = earlier = 0
    for at in range(0, len(year.values) - within_h, EVERY_H):
        start = year.start + HOUR * at
        order = Order(
            argv=("train",),
            cwd="/",
            release=start,
            deadline=start + HOUR * within_h,
            p50=HOUR * job_h,
            zone=year.zone,
            pausing=Pausing(restart=HOUR / 10, min_run=HOUR),
        )
        planning = planner.plan(order, start)
        assert planning.plan is not None, planning.why
        now += planning.plan.run_now.value.in_grams
        provable += planning.plan.expected.value.in_grams
        free += Shift().plan(order.job(), planning.signals).expected.value.in_grams
        plans += 1
        earlier += UNPROVEN in planning.plan.gaps
    return Proving(100 * (1 - free / now), 100 * (1 - provable / now), 100 * earlier / plans)
