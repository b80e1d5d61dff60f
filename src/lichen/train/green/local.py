"""Local: runs tasks on this machine, each under a keeper of its own.

A task's handle is its folder. What `began`, `child` and `exit` in it say is the truth; a process
number is believed only together with its boot and its start time.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.ledger.errors import ExecutorUnavailable, NoCommand
from lichen.train.green import keeper
from lichen.train.green.executor import Ask, Phase, Sight, Task, known_options, own_folder
from lichen.train.green.identity import Identity

if TYPE_CHECKING:
    from typing import BinaryIO

_VOID = "void"
_SIGNALS = {
    Ask.CHECKPOINT: signal.SIGUSR1,
    Ask.PAUSE: signal.SIGTERM,
    Ask.CANCEL: signal.SIGTERM,
    Ask.FREEZE: signal.SIGUSR2,
    Ask.KILL: signal.SIGKILL,
    Ask.THAW: signal.SIGCONT,
}
# The same to the command itself, where its keeper was killed.
_DIRECT = {**_SIGNALS, Ask.FREEZE: signal.SIGSTOP}


class Local:
    """This machine."""

    queues = False
    places = False
    freezes = True
    look_every = timedelta(0)

    def check(self, task: Task) -> None:
        """See that command and folder are there.

        Raises:
            NoCommand: one of them is not.
            InputError: an option is given; there is none.
        """
        known_options(task, (), "running on this machine")
        if not Path(task.cwd).is_dir():
            raise NoCommand(task.argv[0], f"its folder {task.cwd} is not there")
        command = task.argv[0]
        path = task.env.get("PATH", os.environ.get("PATH", os.defpath))
        if "/" in command:
            command = str(Path(task.cwd) / command)
        if shutil.which(command, path=path) is None:
            there = Path(command).exists() and "/" in command
            raise NoCommand(
                task.argv[0], "it is not executable" if there else "no such program is found here"
            )

    def submit(self, task: Task) -> str:
        """Start it under a keeper.

        Raises:
            ExecutorUnavailable: no process can be made.
        """
        own_folder(task)
        try:
            with (task.folder / "output.log").open("ab") as log:
                self._spawn(task, None if task.shown else log)
        except OSError as error:
            if keeper.publish(task.folder / "began", _VOID):
                raise ExecutorUnavailable(
                    "running on this machine", str(error), "it is tried again"
                ) from error
        return str(task.folder)

    def _spawn(self, task: Task, log: BinaryIO | None) -> None:
        grace = str(task.grace.total_seconds())
        program = [sys.executable, "-I", keeper.__file__, str(task.folder), grace, *task.argv]
        # It goes apart at once: the keeper is nobody's child, and outlives whoever started it.
        subprocess.run(  # noqa: S603 (the user's command, without a shell)
            program,
            cwd=task.cwd,
            env={**os.environ, **task.env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C and a terminal that closes are the runner's affair.
            start_new_session=True,
            check=False,
        )

    def find(self, task: Task) -> str | None:
        """Its folder if a keeper began; else it is made void, and a late keeper finds that."""
        own_folder(task)
        if keeper.publish(task.folder / "began", _VOID):
            return None
        return None if (task.folder / "began").read_text() == _VOID else str(task.folder)

    def look(self, handle: str) -> Sight:
        """How it stands, by its files and its processes."""
        folder = Path(handle)
        who = _identity(folder / "began")
        child = _identity(folder / "child")
        state = child.state if child else ""
        keeping = bool(who and who.alive)
        # Looked for last: a keeper writes it before it ends.
        if (folder / "exit").exists():
            return _ended(folder)
        if child is None:
            return Sight(phase=Phase.WAITING if keeping else Phase.VOID)
        started = _written(folder / "child")
        if state or keeping:
            phase = Phase.FROZEN if state in ("T", "t") else Phase.RUNNING
            return Sight(phase=phase, started_at=started, pid=child.pid)
        down = child.boot != Identity.own().boot
        return Sight(
            phase=Phase.GONE,
            started_at=started,
            machine_down=down,
            note="the machine was started anew"
            if down
            else "its keeper was killed, so nobody knows how it ended; it is not started again",
        )

    def move(self, handle: str, begin: datetime, place: str = "") -> None:
        """Nothing: here the runner keeps the time."""

    def ask(self, handle: str, what: Ask) -> None:
        """Tell the keeper; where it was killed, the command's group itself."""
        who = _identity(Path(handle) / "began")
        if what is not Ask.KILL and who and who.send(_SIGNALS[what]):
            return
        child = _identity(Path(handle) / "child")
        if child:
            child.send_group(_DIRECT[what])


def _identity(path: Path) -> Identity | None:
    try:
        return Identity.parse(path.read_text(encoding="utf-8"))
    except OSError:
        return None


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _ended(folder: Path) -> Sight:
    said = json.loads((folder / "exit").read_text(encoding="utf-8"))
    return Sight(
        phase=Phase.ENDED,
        started_at=_written(folder / "child"),
        ended_at=datetime.fromtimestamp(said["ended_at"], UTC),
        exit_code=said["exit_code"],
        ran_s=said["ran_s"],
        cpu_s=said["cpu_s"],
    )
