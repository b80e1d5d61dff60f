"""Record: what is kept of a job, and which state may follow which.

    waiting ──► running ──► done | failed | lost
       ▲           │
       └── paused ◄┘            any but the ends ──► cancelled

A stretch is a time in which the command really ran. `done` adds up running time whose work was
kept: of a stretch that ended without a checkpoint nothing is counted, so that the deadline is
reckoned on the safe side.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import LichenError
from lichen.ledger.quantities import Energy
from lichen.train.green.order import Order
from lichen.train.green.plain import (
    estimate_from_plain,
    estimate_to_plain,
    moment_from_plain,
    moment_to_plain,
)

if TYPE_CHECKING:
    from lichen.ledger.estimate import Estimate


class State(Enum):
    """Where a job is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        """Whether nothing can follow."""
        return self not in _NEXT


_NEXT: dict[State, frozenset[State]] = {
    # A job that its executor started and ended between two looks never seemed to run.
    State.WAITING: frozenset(State),
    State.RUNNING: frozenset(State) - {State.WAITING},
    State.PAUSED: frozenset(State) - {State.WAITING},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time in which the command ran, in a zone.

    `ran_s` is by the monotonic clock and leaves out freezing and suspend [s]; `cpu_s` is what the
    kernel counted for the command and its children [s]. `kept` says whether its work was: by a
    checkpoint, in memory (`how` "frozen"), or since it was the last one. None is unknown.
    """

    attempt: int
    start: datetime
    zone: str
    end: datetime | None = None
    ran_s: float | None = None
    cpu_s: float | None = None
    exit_code: int | None = None
    kept: bool = True
    how: str = ""
    energy: Estimate[Energy] | None = None

    def lasted(self, now: datetime) -> timedelta:
        """Running time, up to now where it still runs."""
        if self.ran_s is not None:
            return timedelta(seconds=self.ran_s)
        return max((self.end or now) - self.start, timedelta(0))

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "attempt": self.attempt,
            "start": self.start.isoformat(),
            "end": moment_to_plain(self.end),
            "zone": self.zone,
            "ran_s": self.ran_s,
            "cpu_s": self.cpu_s,
            "exit_code": self.exit_code,
            "kept": self.kept,
            "how": self.how,
            "energy_j": estimate_to_plain(self.energy) if self.energy else None,
        }

    @classmethod
    def from_plain(cls, said: dict[str, Any]) -> Stretch:
        """The stretch that `to_plain` wrote."""
        return cls(
            attempt=said["attempt"],
            start=datetime.fromisoformat(said["start"]),
            end=moment_from_plain(said["end"]),
            zone=said["zone"],
            ran_s=said["ran_s"],
            cpu_s=said["cpu_s"],
            exit_code=said["exit_code"],
            kept=said["kept"],
            how=said["how"],
            energy=estimate_from_plain(Energy, said["energy_j"]) if said["energy_j"] else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A job as the queue keeps it.

    `segments` are those planned now (start, end, zone), `attempt` counts starts, `handle` is the
    executor's name for the last one and empty while it is being handed over. `committed` is set
    once it has to run whatever the grid; `asked_at` when it was asked to pause. `note` says in
    words what happened last, `gaps` what was missing.
    """

    id: str
    order: Order
    submitted_at: datetime
    state: State = State.WAITING
    segments: tuple[tuple[datetime, datetime, str], ...] = ()
    stretches: tuple[Stretch, ...] = ()
    attempt: int = 0
    handle: str = ""
    handed: bool = False
    committed: bool = False
    asked_at: datetime | None = None
    planned_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    note: str = ""
    gaps: tuple[str, ...] = ()
    version: int = field(default=0, compare=False)

    def to(self, state: State, **changes: Any) -> Record:
        """This job in its next state.

        Raises:
            LichenError: that state cannot follow.
        """
        if state not in _NEXT.get(self.state, frozenset()):
            raise LichenError(
                f"job {self.id} is {self.state.value} and cannot become {state.value}: that is a "
                "fault in lichen; please report it"
            )
        return replace(self, state=state, **changes)

    @property
    def open(self) -> Stretch | None:
        """The stretch that has not ended."""
        return self.stretches[-1] if self.stretches and self.stretches[-1].end is None else None

    @property
    def zone(self) -> str:
        """Where it runs, or will first."""
        if self.stretches:
            return self.stretches[-1].zone
        return self.segments[0][2] if self.segments else self.order.zone

    @property
    def restarts(self) -> int:
        """How often it was started again after it had run; going on in memory is no restart."""
        return sum(one.how != "frozen" for one in self.stretches[:-1])

    def late(self, now: datetime) -> timedelta:
        """How long after its deadline it ended, or how late it is by now; 0 where it is in time."""
        end = self.ended_at or now
        return max(end - self.order.deadline, timedelta(0))

    def done(self, now: datetime) -> timedelta:
        """Running time whose work was kept, restarts taken off."""
        kept = [stretch.lasted(now) for stretch in self.stretches if stretch.kept]
        lost = self.order.pausing.restart if self.order.pausing else timedelta(0)
        return max(sum(kept, timedelta(0)) - lost * self.restarts, timedelta(0))

    @property
    def proven(self) -> bool:
        """Whether a pause of it keeps its work: it left a checkpoint, or is stopped in memory."""
        pausing = self.order.pausing
        if pausing is not None and pausing.freeze:
            return True
        return any(one.how == "checkpoint" and one.kept for one in self.stretches)

    def sure(self, now: datetime) -> timedelta:
        """Of the time `done` that which a pause cannot lose: before a first checkpoint, none."""
        if self.proven or self.open is None:
            return self.done(now)
        return replace(self, stretches=self.stretches[:-1]).done(now)

    def must_run_from(self, now: datetime) -> datetime:
        """From then on it runs whatever the grid."""
        frozen = bool(self.stretches) and self.stretches[-1].how == "frozen"
        resuming = bool(self.stretches) and self.open is None and not frozen
        return self.order.must_run_from(self.done(now), resuming=resuming)

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "id": self.id,
            "state": self.state.value,
            "order": self.order.to_plain(),
            "submitted_at": self.submitted_at.isoformat(),
            "segments": [[s.isoformat(), e.isoformat(), z] for s, e, z in self.segments],
            "stretches": [stretch.to_plain() for stretch in self.stretches],
            "attempt": self.attempt,
            "handle": self.handle,
            "handed": self.handed,
            "committed": self.committed,
            "asked_at": moment_to_plain(self.asked_at),
            "planned_at": moment_to_plain(self.planned_at),
            "ended_at": moment_to_plain(self.ended_at),
            "exit_code": self.exit_code,
            "note": self.note,
            "gaps": list(self.gaps),
        }

    @classmethod
    def from_plain(cls, said: dict[str, Any], version: int = 0) -> Record:
        """The record that `to_plain` wrote."""
        at = datetime.fromisoformat
        same = ("id", "attempt", "handle", "handed", "committed", "exit_code", "note")
        given = {name: said[name] for name in same}
        return cls(
            **given,
            asked_at=moment_from_plain(said["asked_at"]),
            planned_at=moment_from_plain(said["planned_at"]),
            ended_at=moment_from_plain(said["ended_at"]),
            order=Order.from_plain(said["order"]),
            state=State(said["state"]),
            submitted_at=at(said["submitted_at"]),
            segments=tuple((at(s), at(e), z) for s, e, z in said["segments"]),
            stretches=tuple(Stretch.from_plain(each) for each in said["stretches"]),
            gaps=tuple(said["gaps"]),
            version=version,
        )
