"""Wait until green: for schedulers with a queue of their own (Airflow, Prefect, Ray).

    wait_until_green(planner, duration=…, deadline=…)          blocks
    await await_until_green(planner, duration=…, deadline=…)   lets others work

Both return at the planned start, and at the latest safe start whatever the grid; never later. A
source that fails, hangs or lies makes them return at once. They start nothing themselves.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lichen.train.green.clock import Clock
from lichen.train.green.order import Order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.train.green.issued import Planning
    from lichen.train.green.planning import Planner

# A clock that is set, or a machine that wakes, is seen within that time. [s]
_LOOK_S = 1.0
_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Green:
    """Why and when the waiting ended: the planning, and whether the latest safe start had come."""

    planning: Planning
    began: datetime
    ended: datetime
    forced: bool

    @property
    def waited(self) -> timedelta:
        """How long it waited."""
        return self.ended - self.began


class _Wait:
    """One waiting, as a row of naps. [s]"""

    def __init__(
        self, planner: Planner, deadline: datetime, lengths: tuple[timedelta, timedelta], zone: str
    ) -> None:
        self._clock = Clock()
        self._began = self._clock.now()
        p50, p90 = lengths
        self._order = Order(
            argv=("wait",), cwd="/", release=self._began, deadline=deadline, p50=p50, p90=p90,
            zone=zone,
        )  # fmt: skip
        self._planning = planner.plan(self._order, self._began)

    def naps(self) -> Iterator[float]:
        latest = self._order.must_run_from(_NONE)
        plan = self._planning.plan
        start = min(plan.start, latest) if plan else self._began
        while (left := (start - self._clock.now()).total_seconds()) > 0:
            yield min(left, _LOOK_S)

    def green(self) -> Green:
        now = self._clock.now()
        forced = now >= self._order.must_run_from(_NONE)
        return Green(self._planning, self._began, now, forced)


def wait_until_green(
    planner: Planner,
    *,
    duration: timedelta,
    deadline: datetime,
    zone: str,
    p90: timedelta = _NONE,
) -> Green:
    """Block until a job of that duration had best start, to be done by its deadline.

    Raises:
        InputError: it cannot be done by then.
        NaiveTime: the deadline has no time zone.
        UnknownZone: the source knows no such zone.
    """
    wait = _Wait(planner, deadline, (duration, p90), zone)
    for nap_s in wait.naps():
        time.sleep(nap_s)
    return wait.green()


async def await_until_green(
    planner: Planner,
    *,
    duration: timedelta,
    deadline: datetime,
    zone: str,
    p90: timedelta = _NONE,
) -> Green:
    """As `wait_until_green`, and others may work meanwhile, also while the forecast is asked for.

    Raises:
        InputError: as `wait_until_green`.
        NaiveTime: as `wait_until_green`.
        UnknownZone: as `wait_until_green`.
    """
    wait = await asyncio.to_thread(_Wait, planner, deadline, (duration, p90), zone)
    for nap_s in wait.naps():
        await asyncio.sleep(nap_s)
    return wait.green()
