"""A runner asks each hour whether there is a better plan, and takes it where that is worth it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.grid.playback import Playback
from lichen.grid.trace import TraceSource
from lichen.ledger.errors import SignalUnavailable
from lichen.testing.waiting import until
from lichen.train.green.clock import Clock
from lichen.train.green.planning import Planner
from lichen.train.green.record import State
from lichen.train.green.runner import Runner, submit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.ledger.signal import GridSignal
    from lichen.testing.jobs import Yard
    from lichen.train.green.record import Record

HOUR = timedelta(hours=1)


class Grid:
    """A grid whose forecast can be changed, or taken away."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._source: Playback | None = None
        self.asked = 0

    def cleanest(self, at: int) -> None:
        """From now on it says that the hour so many hours after the start is the cleanest."""
        rows = [(self._start + HOUR * n, 50.0 if n == at else 400.0) for n in range(96)]
        self._source = Playback(TraceSource(rows, "DE"))

    def dies(self) -> None:
        """From now on it says nothing."""
        self._source = None

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        """What it says."""
        self.asked += 1
        if self._source is None:
            raise SignalUnavailable(f"a forecast of {zone}", "it died", "run now")
        return self._source.forecast(zone, horizon, issued_at=issued_at)


class Driven:
    """A job of an hour that waits under a runner, and a clock that is set by hand."""

    def __init__(self, yard: Yard, days: int) -> None:
        now = datetime.now(UTC)
        self.start = now.replace(minute=0, second=0, microsecond=0)
        self.grid = Grid(self.start)
        self.grid.cleanest(20)
        self._late, self._yard = timedelta(0), yard
        self._clock = Clock(
            lambda: datetime.now(UTC) + self._late,
            lambda: time.monotonic() + self._late.total_seconds(),
        )
        planner = Planner(source=self.grid)
        order = yard.order("true", lasts=3600, within=days * 86_400)
        self.job = submit(yard.queue, planner, yard.local, order, self._clock)[0].id
        self._runner = Runner(yard.queue, planner, lambda _: yard.local, clock=self._clock)
        self._thread = threading.Thread(target=self._runner.run, args=([self.job],))
        self._thread.start()

    def hours_pass(self, hours: float) -> None:
        """Let time pass, and the runner ask and take what it is told."""
        asked = self.grid.asked
        self._late += hours * HOUR
        until(lambda: self.grid.asked > asked, within=10)
        time.sleep(0.8)

    @property
    def record(self) -> Record:
        """The job as it is."""
        return self._yard.queue.get(self.job)

    @property
    def starts(self) -> float:
        """When it is to start, in hours after the start."""
        return (self.record.segments[0][0] - self.start) / HOUR

    def stop(self) -> None:
        """End the runner."""
        self._runner.stop()
        self._thread.join()


@pytest.fixture
def driven(yard: Yard, request: pytest.FixtureRequest) -> Iterator[Driven]:
    made = Driven(yard, getattr(request, "param", 2))
    yield made
    made.stop()


def test_a_job_that_waits_follows_a_better_forecast(yard: Yard, driven: Driven) -> None:
    before = driven.starts
    driven.grid.cleanest(30)

    driven.hours_pass(1.1)

    plannings = yard.queue.plannings(driven.job)
    assert (before, driven.starts) == (20, 30)
    assert [each.why for each in plannings] == ["submitted", "planned anew"]
    assert driven.record.state is State.WAITING


def test_a_forecast_that_says_the_same_changes_nothing(yard: Yard, driven: Driven) -> None:
    driven.hours_pass(1.1)

    assert driven.grid.asked > 1
    assert driven.starts == 20
    assert len(yard.queue.plannings(driven.job)) == 1


def test_where_the_grid_dies_the_plan_that_was_made_is_kept(yard: Yard, driven: Driven) -> None:
    driven.grid.dies()

    driven.hours_pass(1.1)

    assert driven.starts == 20
    assert len(yard.queue.plannings(driven.job)) == 1
    assert driven.record.state is State.WAITING


@pytest.mark.parametrize("driven", [1], indirect=True)
def test_the_plan_of_a_day_is_kept(driven: Driven) -> None:
    driven.grid.cleanest(18)

    driven.hours_pass(1.1)

    assert driven.starts == 20
