"""Ending: what the end of an attempt means for its job.

exit code 0        done
75                 paused: resume me
asked to pause     paused, also where it was killed after its grace; once is enough, so that it
                   is not paused again
machine went down  paused, if it can be; else lost
nobody knows       lost: it may have ended well, so it is not started again
any other          failed, or cancelled where that was asked
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lichen.train.green.executor import RESUME_ME, Phase, Sight
from lichen.train.green.record import Record, State, Stretch

if TYPE_CHECKING:
    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Energy

CANCELLED = "cancelled"
# A command that asks to be resumed this often without having run is not going to.
_MOST_IDLE_RESUMES = 5
_BRIEF = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that has ended: its job before, its sight, and what its last stretch used."""

    before: Record
    sight: Sight
    now: datetime
    cancelled: bool
    energy: Estimate[Energy] | None = None

    def record(self) -> Record:
        """The job after it."""
        sight, code = self.sight, self.sight.exit_code
        paused = self._resumes() and not self.cancelled
        kept = code == RESUME_ME or (code == 0 and not self.cancelled)
        record = replace(self.before, stretches=self._closed(kept=kept))
        if paused:
            return self._paused(record, kept=kept)
        ended: dict[str, Any] = {
            "ended_at": sight.ended_at or self.now,
            "exit_code": code,
            "handle": "",
        }
        if self.cancelled and code != 0:
            return record.to(State.CANCELLED, note=CANCELLED, **ended)
        if sight.phase is Phase.GONE:
            return record.to(State.LOST, note=sight.note, **ended)
        if code == 0:
            return record.to(State.DONE, note="done", **ended)
        return record.to(
            State.FAILED, note=sight.note or f"it ended with exit code {code}", **ended
        )

    def _paused(self, record: Record, *, kept: bool) -> Record:
        note, committed = "paused", record.committed
        if not kept:
            # It lost what it had done since its last checkpoint. Once is enough.
            why = self.sight.note or "asked to pause, it left no checkpoint"
            note = f"not paused again: {why}"
            committed = committed or not self.sight.machine_down
        return record.to(State.PAUSED, handle="", asked_at=None, note=note, committed=committed)

    def _resumes(self) -> bool:
        """Whether a job whose attempt ended so is to be started again."""
        record, sight = self.before, self.sight
        if sight.exit_code == 0:
            return False
        if sight.exit_code == RESUME_ME:
            last = record.stretches[-_MOST_IDLE_RESUMES:]
            return sum(one.lasted(one.start) < _BRIEF for one in last) < _MOST_IDLE_RESUMES
        # Asked to pause, it was killed after its grace or ended some other way; or its machine went
        # down. Its last checkpoint is what there is.
        asked = record.asked_at is not None and sight.phase is Phase.ENDED
        return record.order.pausing is not None and (asked or sight.machine_down)

    def _closed(self, *, kept: bool) -> tuple[Stretch, ...]:
        """The job's stretches, the last one ended."""
        record, sight = self.before, self.sight
        before, open_ = record.stretches, record.open
        if open_ is not None:
            before = before[:-1]
        elif record.state is State.PAUSED and before[-1].attempt == record.attempt:
            return before
        else:
            start = sight.started_at or self.now
            open_ = Stretch(attempt=record.attempt, start=start, zone=record.zone)
        how = {Phase.GONE: "lost"}.get(sight.phase, "checkpoint" if kept else "ended")
        closed = replace(
            open_,
            end=max(sight.ended_at or self.now, open_.start),
            ran_s=self._ran_s(before),
            cpu_s=sight.cpu_s,
            exit_code=sight.exit_code,
            kept=kept,
            how="ended" if sight.exit_code == 0 else how,
            energy=self.energy,
        )
        return (*before, closed)

    def _ran_s(self, before: tuple[Stretch, ...]) -> float | None:
        """Running time of the last stretch. [s]"""
        if self.sight.ran_s is None:
            return None
        # Counted from the attempt's start: what came before a freeze stands in stretches before.
        same = (each for each in before if each.attempt == self.before.attempt)
        earlier_s = sum(each.lasted(self.now).total_seconds() for each in same)
        return max(self.sight.ran_s - earlier_s, 0.0)
