"""Executor: where a job runs. One file a back end, found by the entry points `lichen.executor`.

    task ──submit──► handle ──look──► sight          ask: checkpoint, pause, freeze, thaw, cancel

An executor that `queues` is given the start time and keeps it, runner or no runner; for one that
does not, the runner submits when the time has come. A task is submitted at most once: after a crash
or a lost answer `find` gives the handle of a task that was handed over, or makes sure that it never
starts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta
    from pathlib import Path

# What a command exits with that wants to be started again: EX_TEMPFAIL of sysexits.h.
RESUME_ME = 75


class Ask(Enum):
    """What a running command can be asked; KILL is for one that outstayed its grace."""

    CHECKPOINT = "checkpoint"
    PAUSE = "pause"
    FREEZE = "freeze"
    THAW = "thaw"
    CANCEL = "cancel"
    KILL = "kill"


class Phase(Enum):
    """What an executor sees of a task.

    VOID never started and never will; GONE started, and nobody knows how it ended.
    """

    WAITING = "waiting"
    RUNNING = "running"
    FROZEN = "frozen"
    ENDED = "ended"
    VOID = "void"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A task as it stands. `ran_s` and `cpu_s` are of one that ended [s]; None is unknown.

    `machine_down` says that it is GONE since its machine went down while it ran.
    """

    phase: Phase
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    ran_s: float | None = None
    cpu_s: float | None = None
    pid: int | None = None
    machine_down: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt of a job.

    `folder` is its own, for what has to be on disk; `env` what is added to the environment; `lasts`
    how long it may run; `begin` the time to keep, for executors that queue; `place` where on the
    executor; `options` its own settings; `requeue` whether it may be started again after a failure
    of its machine; `shown` whether it writes to this terminal.
    """

    job: str
    attempt: int
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    folder: Path
    grace: timedelta
    lasts: timedelta
    begin: datetime | None = None
    place: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    requeue: bool = False
    shown: bool = False

    @property
    def name(self) -> str:
        """A name that no other attempt has."""
        return f"lichen-{self.job}-{self.attempt}"


def own_folder(task: Task) -> Path:
    """Make a task's folder, with its `output.log`: for this user alone, as they may hold secrets.

    Raises:
        OSError: it cannot be made.
    """
    # The folder of its job too: what `parents` makes has the mode of the umask.
    for each in (task.folder.parent, task.folder):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    (task.folder / "output.log").touch(mode=0o600)
    return task.folder


def write_script(task: Task, text: str) -> Path:
    """Write `job.sh` into a task's folder, for this user alone: it holds the chosen variables.

    Raises:
        OSError: it cannot be written.
    """
    path = own_folder(task) / "job.sh"
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


def known_options(task: Task, known: Iterable[str], who: str) -> None:
    """Refuse options that an executor does not know.

    Raises:
        InputError: there is one; it and the known ones are named.
    """
    for name in task.options:
        if name not in known:
            has = f"it knows {', '.join(sorted(known))}" if known else "it has none"
            raise InputError(f"{who} knows no option {name!r}: {has}")


class Executor(Protocol):
    """Runs tasks.

    One that has `places` can run them elsewhere, by the name of a place; one that `freezes` can
    stop them in memory. `look_every` is how often a runner looks at a task, where nothing is to be
    done: whoever answers for a whole cluster is not asked four times a second. One that no task can
    do without options has `probe` beside these: some with which it can be checked as a place.
    """

    queues: bool
    places: bool
    freezes: bool
    look_every: timedelta

    def check(self, task: Task) -> None:
        """See that a task could run.

        Raises:
            NoCommand: its command is not there.
            InputError: an option is unknown, or one that is needed is not given.
            ExecutorUnavailable: tasks cannot be run there.
        """
        ...

    def submit(self, task: Task) -> str:
        """Start it, or have it started at `begin`; its handle.

        Raises:
            ExecutorUnavailable: it may have been taken or not; `find` then says which.
        """
        ...

    def find(self, task: Task) -> str | None:
        """The handle of a task that may have been submitted; None: it was not and never will be."""
        ...

    def look(self, handle: str) -> Sight:
        """How a task stands.

        Raises:
            ExecutorUnavailable: that cannot be said now; ask again.
        """
        ...

    def move(self, handle: str, begin: datetime, place: str = "") -> None:
        """Start a task that has not started at another time; nothing where it has.

        With `place` it goes there, too. One that keeps start times and knows places is asked that.

        Raises:
            ExecutorUnavailable: it cannot be told now; of a place also that it has started.
        """
        ...

    def ask(self, handle: str, what: Ask) -> None:
        """Ask a task for something; nothing where it has ended.

        Raises:
            ExecutorUnavailable: it cannot be asked now, or never that.
        """
        ...
