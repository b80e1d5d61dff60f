"""Runner: drives jobs until they end, and takes over those whose runner died.

Each job is driven under its own lock, so that any number of runners may be started on one ledger.
Forecasts are asked for in a thread: a source that hangs holds up nothing. A runner may be killed at
any moment; what it started goes on under its keeper, and the next runner finds it.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError, StoreUnavailable
from lichen.ledger.ids import new_id
from lichen.train.green.clock import Clock
from lichen.train.green.driver import Driver
from lichen.train.green.executor import Task
from lichen.train.green.order import GRACE
from lichen.train.green.queue import Taken
from lichen.train.green.record import Record, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from typing import TypeAlias

    from lichen.ledger.ports import Meter
    from lichen.train.green.executor import Executor
    from lichen.train.green.issued import Planning
    from lichen.train.green.order import Order
    from lichen.train.green.planning import Planner
    from lichen.train.green.queue import Queue

    OnStep: TypeAlias = Callable[[Record, datetime], None]

# Forecasts are issued hourly; asking more often tells nothing new.
REPLAN = timedelta(hours=1)
# Until a step that failed is tried again.
_AGAIN = timedelta(seconds=1)
# Between two looks; a job on this machine ends unseen for no longer. [s]
LOOK_S = 0.25
# A gap: the wall clock was set while the job was driven, so its times are off by as much.
CLOCK_SET = "clock-set"


def submit(
    queue: Queue, planner: Planner, executor: Executor, order: Order, clock: Clock | None = None
) -> tuple[Record, Planning]:
    """Plan an order and put it into the queue; nothing is started yet.

    Raises:
        NoCommand: its command is not there.
        InputError: zones to choose from or freezing, and an executor that cannot.
        ExecutorUnavailable: jobs cannot be run there.
        UnknownZone: the grid's source knows no such zone.
    """
    now = (clock or Clock()).now()
    job = new_id()
    _check(queue, executor, order, job)
    # One by one: what `parents` makes would be open to others.
    for each in (queue.folder, queue.folder / job, queue.folder / job / "checkpoint"):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Its lock is held, so that no runner starts it before there is a plan; should this die in
    # planning, the next runner has it.
    with queue.driving(job):
        queue.add(Record(id=job, order=order, submitted_at=now, note="being planned"))
        try:
            planning = planner.plan(order, now)
        except BaseException as error:
            # A zone that nobody knows, or Ctrl-C: whoever submits is told, and nothing may run.
            why = str(error) or type(error).__name__
            queue.put(queue.get(job).to(State.CANCELLED, ended_at=now, note=why))
            raise
        record = replace(
            queue.get(job),
            segments=_segments(planning),
            planned_at=now,
            note=f"waiting: {how}" if (how := planning.method(order.deadline)) else planning.why,
            gaps=planning.plan.gaps if planning.plan else ("forecast-unavailable",),
        )
        queue.note(job, planning)
        return queue.put(record), planning


def _check(queue: Queue, executor: Executor, order: Order, job: str) -> None:
    """Refuse what an executor could not run, before anything is kept."""
    check_kind(executor, order)
    executor.check(
        Task(
            job=job,
            attempt=1,
            argv=order.argv,
            cwd=order.cwd,
            env=dict(order.env),
            folder=queue.folder / job / "1",
            grace=GRACE,
            lasts=order.p90,
            options=dict(order.options),
            requeue=order.pausing is not None,
            place=next(iter(order.place.values()), ""),
        )
    )


def check_kind(executor: Executor, order: Order) -> None:
    """Refuse what an executor of its kind cannot do, whatever the machine: to choose, to freeze.

    Raises:
        InputError: the order asks for it.
    """
    if order.places and not executor.places:
        raise InputError(
            f"{order.executor} runs jobs in one place, so it cannot choose among zones "
            f"{', '.join(order.place)}: give --zone, or an executor that knows places"
        )
    if order.pausing and order.pausing.freeze and not executor.freezes:
        raise InputError(f"{order.executor} cannot stop a job in memory: leave out --freeze")


def _segments(planning: Planning) -> tuple[tuple[datetime, datetime, str], ...]:
    if planning.plan is None:
        return ()
    return tuple((each.start, each.end, each.zone) for each in planning.plan.segments)


@dataclass
class _Driven:
    """A job in a runner's hands, and the planning under way for it."""

    driver: Driver
    trouble: str = ""
    not_before: datetime | None = None
    asked_at: datetime | None = None
    answer: list[Planning | None] = field(default_factory=list)


class Runner:
    """Drives jobs of a queue.

    `executor_of` makes an executor by its name; `shown` lets commands write to this terminal;
    `meter` makes a meter of a process, where energy by stretch is wanted.
    """

    def __init__(
        self,
        queue: Queue,
        planner: Planner,
        executor_of: Callable[[str], Executor],
        *,
        clock: Clock | None = None,
        shown: bool = False,
        meter: Callable[[int], Meter] | None = None,
    ) -> None:
        self._queue, self._planner, self._executor_of = queue, planner, executor_of
        self._clock = clock or Clock()
        self._shown, self._meter = shown, meter
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End `run` soon, and leave the jobs as they are for another runner; safe in a handler."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def run(self, jobs: Iterable[str], on_step: OnStep | None = None) -> list[Record]:
        """Drive these jobs until they have ended or `stop` is called; as they then are.

        Raises:
            Taken: another runner drives one of them.
            StoreUnavailable: the queue cannot be read at the start; later that is said and tried
                again, for ever.
        """
        with ExitStack() as locks:
            return self._drive([self._take(job, locks) for job in jobs], on_step)

    def adopt(self, on_step: OnStep | None = None) -> list[Record]:
        """Drive every living job that no other runner drives, as `run`.

        One that cannot be driven here keeps why in its note, and is left to another runner.
        """
        with ExitStack() as locks:
            driven = []
            for record in self._queue.living():
                try:
                    driven.append(self._take(record.id, locks))
                except Taken:
                    continue
                except Exception as error:  # noqa: BLE001 (one bad job is not the end of the others)
                    self._left(record, error, on_step)
            return self._drive(driven, on_step)

    def _drive(self, driven: list[_Driven], on_step: OnStep | None) -> list[Record]:
        while not self._stopped.is_set():
            now = self._clock.now()
            for one in driven:
                self._guarded(one, now)
                if on_step:
                    record = one.driver.record
                    # A terminal that is gone is no reason to stop.
                    with suppress(OSError):
                        on_step(replace(record, note=one.trouble or record.note), now)
            if all(one.driver.record.state.ended for one in driven):
                break
            self._stopped.wait(LOOK_S)
        return [one.driver.record for one in driven]

    def _take(self, job: str, locks: ExitStack) -> _Driven:
        record = self._queue.get(job)
        with ExitStack() as own:
            own.enter_context(self._queue.driving(record.id))
            executor = self._executor_of(record.order.executor)
            driver = Driver(self._queue, executor, record.id, shown=self._shown, meter=self._meter)
            locks.enter_context(own.pop_all())
        return _Driven(driver)

    def _left(self, record: Record, error: Exception, on_step: OnStep | None) -> None:
        told = replace(record, note=f"not driven: {error}")
        with suppress(StoreUnavailable, OSError, Taken), self._queue.driving(record.id):
            self._queue.put(told)
        if on_step:
            with suppress(OSError):
                on_step(told, self._clock.now())

    def _guarded(self, one: _Driven, now: datetime) -> None:
        """Step a job; where that fails, say it and try again later, for as long as it takes."""
        if one.not_before and now < one.not_before:
            return
        try:
            self._step(one, now)
        except Exception as error:  # noqa: BLE001 (one bad job is not the end of the others)
            one.trouble = str(error) or type(error).__name__
            one.not_before = now + _AGAIN
        else:
            one.trouble, one.not_before = "", None

    def _step(self, one: _Driven, now: datetime) -> None:
        if one.driver.record.state.ended:
            return
        one.driver.step(now)
        if self._clock.jump():
            one.driver.mark(CLOCK_SET)
        self._replan(one, now)

    def _replan(self, one: _Driven, now: datetime) -> None:
        """Ask for a new plan each hour, and take it when it has come."""
        record = one.driver.record
        if one.answer:
            planning = one.answer.pop()
            free = not (record.committed or record.state.ended)
            if planning and free and one.driver.plan_again(_segments(planning), now):
                self._queue.note(record.id, planning)
            return
        last = one.asked_at or record.planned_at
        if record.state.ended or record.committed or last is None or now - last < REPLAN:
            return
        one.asked_at = now
        before = self._queue.latest(record.id)
        if before is None:
            return

        def ask() -> None:
            one.answer.append(self._planner.again(record, before, now))

        threading.Thread(target=ask, name=f"planning {record.id}", daemon=True).start()
