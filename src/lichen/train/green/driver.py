"""Driver: one job, step by step: look at it, decide, do one thing, write it down.

    run     in a planned segment, past the last one, past the latest safe moment, or released
    pause   between two segments, where checkpoint, restart and the rest still fit in time

A start is written down before it happens and found again after a crash, so none happens twice. From
the moment a job has to run whatever the grid, it is never paused: that is kept, whatever the clock
does later.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from lichen.ledger.errors import ExecutorUnavailable
from lichen.train.green.executor import RESUME_ME, Ask, Phase, Sight, Task
from lichen.train.green.order import GRACE
from lichen.train.green.queue import Wish
from lichen.train.green.record import Record, State, Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from lichen.ledger.estimate import Estimate
    from lichen.ledger.ports import Meter
    from lichen.ledger.quantities import Energy
    from lichen.train.green.executor import Executor
    from lichen.train.green.queue import Queue

_NONE = timedelta(0)
_CANCELLED = "cancelled"
# A command that asks to be resumed this often without having run is not going to.
_MOST_IDLE_RESUMES = 5
_BRIEF = timedelta(seconds=1)
# Until an executor that refused is asked again.
_AGAIN = timedelta(seconds=5)


def wants_to_run(record: Record, now: datetime) -> bool:
    """Whether the job should be running now."""
    if record.committed or now >= record.must_run_from(now):
        return True
    if now < record.order.release:
        return False
    if any(start <= now < end for start, end, _ in record.segments):
        return True
    return all(end <= now for _, end, _ in record.segments)


def may_pause(record: Record, now: datetime) -> bool:
    """Whether a running job can be paused and still be done in time."""
    pausing = record.order.pausing
    if pausing is None or record.committed:
        return False
    grace = _NONE if pausing.freeze else pausing.grace
    return now + grace < record.order.must_run_from(record.done(now), resuming=not pausing.freeze)


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
        self._queue, self._executor, self._shown, self._meter = queue, executor, shown, meter
        self.record = queue.get(job)
        self._reading: tuple[Meter, Estimate[Energy]] | None = None
        self._told: datetime | None = None
        self._not_before: datetime | None = None
        self._moved = False

    def step(self, now: datetime) -> Record:
        """Look once and do what is to be done; the job as it then is.

        Raises:
            StoreUnavailable: the queue cannot be written.
        """
        wishes = self._queue.wishes(self.record.id)
        self._heed(wishes, now)
        try:
            self._move_on(wishes, now)
        except ExecutorUnavailable as error:
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
        if record.attempt and not record.handle and not record.handed:
            self._find()
        cancel = Wish.CANCEL in wishes
        if self.record.handle:
            sight = self._executor.look(self.record.handle)
            self._with(sight, now, cancel=cancel)
        elif cancel:
            self._keep(self.record.to(State.CANCELLED, ended_at=now, note="cancelled"))
        elif self._not_before and now < self._not_before:
            return
        elif self._executor.queues or wants_to_run(self.record, now):
            self._start(now)

    def _find(self) -> None:
        """After a crash between writing a start down and starting: was it started?"""
        handle = self._executor.find(self._task(None))
        # The number of a start that never was is not used again.
        self._keep(replace(self.record, handle=handle or "", handed=True))

    def _start(self, now: datetime) -> None:
        begin = None
        if self._executor.queues and not wants_to_run(self.record, now):
            begin = self._next_start(now)
        attempt = self.record.attempt + 1
        self._keep(replace(self.record, attempt=attempt, handle="", handed=False, asked_at=None))
        try:
            handle = self._executor.submit(self._task(begin))
        except ExecutorUnavailable:
            self._keep(replace(self.record, handed=True))
            raise
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
            grace=order.pausing.grace if order.pausing else GRACE,
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

    def plan_again(
        self, segments: tuple[tuple[datetime, datetime, str], ...], now: datetime
    ) -> None:
        """Take a new plan, and tell an executor that keeps the start time."""
        self._keep(replace(self.record, segments=segments, planned_at=now))
        record = self.record
        if self._executor.queues and record.handle and not record.committed and not record.open:
            self._executor.move(record.handle, self._next_start(now))

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
            if sight.pid and self._meter:
                meter = self._meter(sight.pid)
                self._reading = (meter, meter.read())
            stretches = (*record.stretches, made)
            self._keep(record.to(State.RUNNING, stretches=stretches, asked_at=None, note="running"))
        elif open_ is not None and frozen:
            # An executor may keep a paused task that is not in memory: it left its checkpoint.
            pausing = record.order.pausing
            how = "frozen" if pausing and pausing.freeze else "checkpoint"
            closed = replace(open_, end=now, how=how, energy=self._energy())
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
        if what is Ask.CANCEL and record.note != _CANCELLED:
            self._executor.ask(record.handle, what)
            self._keep(replace(record, asked_at=now, note=_CANCELLED))
        elif what is not Ask.CANCEL and record.asked_at is None:
            # Written down first: an end that follows is then known to have been asked for.
            self._keep(replace(record, asked_at=now, note="asked to pause"))
            self._executor.ask(record.handle, what)

    def _close(self, sight: Sight, now: datetime, *, cancel: bool) -> None:
        """Its attempt has ended: what that means for the job."""
        record = self.record
        if sight.phase is Phase.VOID:
            self._keep(replace(record, handle="", handed=True))
            return
        paused = self._resumes(sight) and not cancel
        kept = sight.exit_code == RESUME_ME or (sight.exit_code == 0 and not cancel)
        record = replace(record, stretches=self._closed(sight, now, kept=kept))
        ended = {"ended_at": sight.ended_at or now, "exit_code": sight.exit_code, "handle": ""}
        if paused:
            self._keep(self._paused(record, sight, kept=kept))
        elif cancel and sight.exit_code != 0:
            self._keep(record.to(State.CANCELLED, note=_CANCELLED, **ended))
        elif sight.phase is Phase.GONE:
            self._keep(record.to(State.LOST, note=sight.note, **ended))
        elif sight.exit_code == 0:
            self._keep(record.to(State.DONE, note="done", **ended))
        else:
            note = sight.note or f"it ended with exit code {sight.exit_code}"
            self._keep(record.to(State.FAILED, note=note, **ended))

    @staticmethod
    def _paused(record: Record, sight: Sight, *, kept: bool) -> Record:
        note, committed = "paused", record.committed
        if not kept:
            # It lost what it had done since its last checkpoint. Once is enough.
            note = f"not paused again: {sight.note or 'asked to pause, it left no checkpoint'}"
            committed = committed or not sight.machine_down
        return record.to(State.PAUSED, handle="", asked_at=None, note=note, committed=committed)

    def _resumes(self, sight: Sight) -> bool:
        """Whether a job whose attempt ended so is to be started again."""
        record = self.record
        if sight.exit_code == 0:
            return False
        if sight.exit_code == RESUME_ME:
            last = record.stretches[-_MOST_IDLE_RESUMES:]
            return sum(one.lasted(one.start) < _BRIEF for one in last) < _MOST_IDLE_RESUMES
        # Asked to pause, it was killed after its grace or ended some other way; or its machine went
        # down. Its last checkpoint is what there is.
        asked = record.asked_at is not None and sight.phase is Phase.ENDED
        return record.order.pausing is not None and (asked or sight.machine_down)

    def _closed(self, sight: Sight, now: datetime, *, kept: bool) -> tuple[Stretch, ...]:
        record = self.record
        before, open_ = record.stretches, record.open
        if open_ is not None:
            before = before[:-1]
        elif record.state is State.PAUSED and before[-1].attempt == record.attempt:
            return before
        else:
            open_ = Stretch(attempt=record.attempt, start=sight.started_at or now, zone=record.zone)
        end = max(sight.ended_at or now, open_.start)
        ran_s = sight.ran_s
        if ran_s is not None:
            # From the attempt's start: what came before a freeze stands in stretches before.
            same = (each for each in before if each.attempt == record.attempt)
            ran_s = max(ran_s - sum(each.lasted(now).total_seconds() for each in same), 0.0)
        how = {Phase.GONE: "lost"}.get(sight.phase, "checkpoint" if kept else "ended")
        if sight.exit_code == 0:
            how = "ended"
        closed = replace(
            open_,
            end=end,
            ran_s=ran_s,
            cpu_s=sight.cpu_s,
            exit_code=sight.exit_code,
            kept=kept,
            how=how,
            energy=self._energy(),
        )
        return (*before, closed)

    def _energy(self) -> Estimate[Energy] | None:
        if self._reading is None:
            return None
        meter, began = self._reading
        self._reading = None
        return meter.read().minus_shared(began)

    def _keep(self, record: Record) -> None:
        self.record = self._queue.put(record)
