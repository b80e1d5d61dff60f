"""Driver: one job, step by step: look at it, decide, do one thing, write it down.

A start is written down before it happens and found again after a crash, so none happens twice. What
was asked of a command is written down before it is asked. Each step leaves the job as another
driver could take it over.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from lichen.ledger.errors import ExecutorUnavailable
from lichen.train.green.decide import may_pause, wants_to_run
from lichen.train.green.ending import CANCELLED, Ended
from lichen.train.green.executor import Ask, Phase, Sight, Task
from lichen.train.green.queue import Wish
from lichen.train.green.record import Record, State, Stretch
from lichen.train.green.stretch_meter import METER_FAILED, StretchMeter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from lichen.ledger.ports import Meter
    from lichen.train.green.executor import Executor
    from lichen.train.green.queue import Queue

# Until an executor that refused is asked again.
_AGAIN = timedelta(seconds=5)


class Driver:
    """Drives one job on its executor. `meter` reads the energy of a process, where one can.

    `shown` says whether the command writes to this terminal.
    """

    def __init__(
        self,
        queue: Queue,
        executor: Executor,
        job: str,
        *,
        shown: bool = False,
        meter: Callable[[int], Meter] | None = None,
    ) -> None:
        self._queue, self._executor, self._shown = queue, executor, shown
        self.record = queue.get(job)
        self._metered = StretchMeter(meter, lambda: self.mark(METER_FAILED))
        self._told: datetime | None = None
        self._not_before: datetime | None = None
        self._moved = self._placed = False
        self._looked: datetime | None = None
        self._seen = (False, False, False)

    def step(self, now: datetime) -> Record:
        """Look once and do what is to be done; the job as it then is.

        Raises:
            StoreUnavailable: the queue cannot be written.
        """
        wishes = self._queue.wishes(self.record.id)
        self._heed(wishes, now)
        try:
            self._move_on(wishes, now)
        except (ExecutorUnavailable, OSError) as error:
            # OSError: a disk that is full, a folder that may not be written.
            self._not_before = now + _AGAIN
            if self.record.note != str(error):
                self._keep(replace(self.record, note=str(error)))
        return self.record

    def _heed(self, wishes: Mapping[Wish, datetime], now: datetime) -> None:
        """Take down what was asked, and whether it has come to the latest safe moment."""
        record = self.record
        if record.state.ended or record.committed:
            return
        if Wish.RELEASE in wishes:
            self._keep(replace(record, committed=True, note="released: it runs now"))
        elif now >= record.must_run_from(now):
            self._keep(replace(record, committed=True, note="it has to run now to be done in time"))

    def _move_on(self, wishes: Mapping[Wish, datetime], now: datetime) -> None:
        record = self.record
        if record.state.ended:
            return
        later = self._not_before is not None and now < self._not_before
        if record.attempt and not record.handle and not record.handed:
            if later:
                return
            self._find()
        cancel = Wish.CANCEL in wishes
        if self.record.handle:
            if not self._due(now, cancel=cancel):
                return
            sight = self._executor.look(self.record.handle)
            self._with(sight, now, cancel=cancel)
        elif cancel:
            self._keep(self.record.to(State.CANCELLED, ended_at=now, note="cancelled"))
        elif not later and (self._executor.queues or wants_to_run(self.record, now)):
            self._start(now)

    def _due(self, now: datetime, *, cancel: bool) -> bool:
        """Whether it is time to look: something has changed, or the executor's time has passed."""
        seen = (cancel, self.record.committed, wants_to_run(self.record, now))
        changed, self._seen = seen != self._seen, seen
        if changed or self._looked is None or now - self._looked >= self._executor.look_every:
            self._looked = now
            return True
        return False

    def mark(self, gap: str) -> None:
        """Note something that was missing or amiss, once."""
        if gap not in self.record.gaps and not self.record.state.ended:
            self._keep(replace(self.record, gaps=(*self.record.gaps, gap)))

    def _find(self) -> None:
        """After a crash, or an answer that was lost, on the way to a start: was it started?"""
        handle = self._executor.find(self._task(None))
        # The number of a start that never was is not used again.
        self._keep(replace(self.record, handle=handle or "", handed=True))

    def _start(self, now: datetime) -> None:
        begin = None
        if self._executor.queues and not wants_to_run(self.record, now):
            begin = self._next_start(now)
        attempt = self.record.attempt + 1
        self._keep(replace(self.record, attempt=attempt, handle="", handed=False, asked_at=None))
        # Where this fails it may have been taken all the same: the next step looks for it.
        handle = self._executor.submit(self._task(begin))
        self._placed = True
        self._keep(replace(self.record, handle=handle, handed=True))

    def _next_start(self, now: datetime) -> datetime:
        """The start for the executor to keep: of the next segment, at most the latest safe one."""
        record = self.record
        starts = [start for start, end, _ in record.segments if end > now]
        return max(min([*starts, record.must_run_from(now)]), now)

    def _task(self, begin: datetime | None) -> Task:
        record, order = self.record, self.record.order
        folder = self._queue.folder / record.id
        checkpoint = order.checkpoint or str(folder / "checkpoint")
        return Task(
            job=record.id,
            attempt=record.attempt,
            argv=order.argv,
            cwd=order.cwd,
            env={
                **dict(order.env),
                "LICHEN_JOB_ID": record.id,
                "LICHEN_RESUME": "1" if record.stretches else "0",
                "LICHEN_CHECKPOINT_DIR": checkpoint,
                "LICHEN_DEADLINE": order.deadline.isoformat(),
            },
            folder=folder / str(record.attempt),
            grace=order.grace,
            lasts=order.p90,
            begin=begin,
            place=order.place.get(record.zone, ""),
            options=dict(order.options),
            requeue=order.pausing is not None,
            shown=self._shown,
        )

    def _with(self, sight: Sight, now: datetime, *, cancel: bool) -> None:
        """Do what a submitted task's sight asks for."""
        if sight.phase in (Phase.ENDED, Phase.GONE, Phase.VOID):
            self._close(sight, now, cancel=cancel)
        elif sight.phase is Phase.WAITING:
            self._still_waiting(now, cancel=cancel)
        else:
            self._seen_running(sight, now)
            self._running(sight, now, cancel=cancel)

    def _still_waiting(self, now: datetime, *, cancel: bool) -> None:
        record = self.record
        if record.open:
            # Its executor took it back: a node that failed, a queue with something more urgent.
            closed = replace(record.open, end=now, kept=False, how="taken back")
            stretches = (*record.stretches[:-1], closed)
            self._keep(record.to(State.PAUSED, stretches=stretches, note="taken back"))
        elif cancel:
            self._ask_once(Ask.CANCEL, now)
        elif record.committed and not self._moved:
            self._executor.move(record.handle, now)
            self._moved = True
        elif self._executor.queues and not (self._placed or self._moved):
            # A driver before may have died between its new plan and telling of it.
            if place := record.order.place.get(record.zone):
                self._executor.move(record.handle, self._next_start(now), place)
            self._placed = True

    def plan_again(
        self, segments: tuple[tuple[datetime, datetime, str], ...], now: datetime
    ) -> bool:
        """Take a new plan, and tell an executor that keeps the start time; whether it was taken.

        Raises:
            ExecutorUnavailable: the executor could not be told, so the old plan stays.
        """
        before = self.record
        after = replace(before, segments=segments, planned_at=now)
        elsewhere = after.zone != before.zone
        # On its way to a start, or started, it is looked for where it was sent.
        if elsewhere and before.attempt and not (self._executor.queues and before.handle):
            return False
        self._keep(after)
        if self._executor.queues and before.handle and not (before.committed or before.open):
            place = (before.order.place.get(after.zone, ""),) if elsewhere else ()
            try:
                self._executor.move(before.handle, self._next_start(now), *place)
            except ExecutorUnavailable:
                self._keep(replace(self.record, segments=before.segments))
                raise
        return True

    def _seen_running(self, sight: Sight, now: datetime) -> None:
        record = self.record
        open_ = record.open
        frozen = sight.phase is Phase.FROZEN
        if open_ is None and not frozen:
            last = record.stretches[-1].end if record.stretches else None
            start = max(sight.started_at or now, last or record.submitted_at)
            if last and record.stretches[-1].attempt == record.attempt:
                start = now
            made = Stretch(attempt=record.attempt, start=start, zone=record.zone)
            self._metered.begin(sight.pid)
            record = self.record
            stretches = (*record.stretches, made)
            self._keep(record.to(State.RUNNING, stretches=stretches, asked_at=None, note="running"))
        elif open_ is not None and frozen:
            # An executor may keep a paused task that is not in memory: it left its checkpoint.
            pausing = record.order.pausing
            how = "frozen" if pausing and pausing.freeze else "checkpoint"
            closed = replace(open_, end=now, how=how, energy=self._metered.end())
            record = self.record
            stretches = (*record.stretches[:-1], closed)
            self._keep(record.to(State.PAUSED, stretches=stretches, asked_at=None, note="paused"))

    def _running(self, sight: Sight, now: datetime, *, cancel: bool) -> None:
        record = self.record
        if cancel:
            self._ask_once(Ask.CANCEL, now)
        elif sight.phase is Phase.FROZEN:
            if wants_to_run(record, now):
                self._executor.ask(record.handle, Ask.THAW)
        elif not wants_to_run(record, now) and may_pause(record, now):
            freeze = record.order.pausing is not None and record.order.pausing.freeze
            self._ask_once(Ask.FREEZE if freeze else Ask.PAUSE, now)
        else:
            self._checkpoint(now)

    def _checkpoint(self, now: datetime) -> None:
        """Ask for a checkpoint as often as the order says, so that a crash loses no more."""
        pausing, open_ = self.record.order.pausing, self.record.open
        if pausing is None or not pausing.every or open_ is None or self.record.asked_at:
            return
        if now - max(self._told or open_.start, open_.start) >= pausing.every:
            self._told = now
            self._executor.ask(self.record.handle, Ask.CHECKPOINT)

    def _ask_once(self, what: Ask, now: datetime) -> None:
        record = self.record
        if what is Ask.CANCEL and record.note != CANCELLED:
            self._executor.ask(record.handle, what)
            self._keep(replace(record, asked_at=now, note=CANCELLED))
        elif what is not Ask.CANCEL and record.asked_at and record.order.pausing:
            if what is Ask.PAUSE and now >= record.asked_at + record.order.pausing.grace + _AGAIN:
                # Its executor's own SIGKILL, where it sends one, has had its time.
                self._executor.ask(record.handle, Ask.KILL)
        elif what is not Ask.CANCEL and record.asked_at is None:
            # Written down first: an end that follows is then known to have been asked for.
            self._keep(replace(record, asked_at=now, note="asked to pause"))
            try:
                self._executor.ask(record.handle, what)
            except ExecutorUnavailable:
                # Not asked, then: it is tried again.
                self._keep(replace(self.record, asked_at=None))
                raise

    def _close(self, sight: Sight, now: datetime, *, cancel: bool) -> None:
        """Its attempt has ended: what that means for the job."""
        seen = self.record.stretches
        if sight.phase is Phase.VOID and seen and seen[-1].attempt == self.record.attempt:
            # It was seen to run: what says so was taken away, and nothing is known of its end.
            why = "what its executor kept of it is gone; it is not started again"
            sight = replace(sight, phase=Phase.GONE, note=why)
        if sight.phase is Phase.VOID:
            self._keep(replace(self.record, handle="", handed=True))
        else:
            energy = self._metered.end()
            ended = Ended(self.record, sight, now, cancelled=cancel, energy=energy)
            self._keep(ended.record())

    def _keep(self, record: Record) -> None:
        self.record = self._queue.put(record)
