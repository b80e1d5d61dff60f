"""At: jobs go to the at daemon, which keeps the start time and survives this machine's restart.

    at -t [[CC]YY]MMDDhhmm.SS -f script        atq        atrm

What at starts is the keeper, so a task is looked at, asked and ended as a local one is, and is
started once however often it was put in. at starts jobs on the minute, and its jobs do not get this
terminal. It is told times in UTC, since a local one names two moments where clocks go back; the
job gets this shell's own TZ.

Source: at(1), atd(8) of Debian's at 3.2.5; POSIX at, -t, and TZ.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.ledger.errors import ExecutorUnavailable
from lichen.train.green import keeper
from lichen.train.green.executor import Ask, Phase, Sight, Task, write_script
from lichen.train.green.local import Local

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE_S = 30.0
_NUMBER = "at-job"
_JOB = re.compile(r"job (\d+) at")
# What atd's name is in /proc/PID/comm.
_DAEMON = "atd"


class At:
    """The at daemon of this machine."""

    queues = True
    places = False
    freezes = True
    look_every = timedelta(seconds=5)

    def __init__(self) -> None:
        self._local = Local()

    def check(self, task: Task) -> None:
        """See that at is here and its daemon runs, and that the command is there.

        Raises:
            ExecutorUnavailable: at is not here, or nothing would start its jobs.
            NoCommand: the command is not there.
        """
        for name in ("at", "atq", "atrm"):
            if shutil.which(name) is None:
                raise ExecutorUnavailable(
                    "at", f"there is no {name} here", "apt-get install at, or use another executor"
                )
        if not _daemon_runs():
            raise ExecutorUnavailable(
                "at", "its daemon does not run, so nothing would start", "systemctl start atd"
            )
        self._local.check(task)

    def submit(self, task: Task) -> str:
        """Put it into at's queue; the handle is its folder.

        Raises:
            ExecutorUnavailable: at did not take it.
        """
        write_script(task, _script(task))
        _put(task.folder, task.begin)
        return str(task.folder)

    def find(self, task: Task) -> str | None:
        """Its folder if at has it or it began; else it is made void."""
        if (task.folder / _NUMBER).exists():
            return str(task.folder)
        return self._local.find(task)

    def look(self, handle: str) -> Sight:
        """How it stands: as a local one once it began, before that by at's queue.

        Raises:
            ExecutorUnavailable: at does not answer.
        """
        folder = Path(handle)
        # Asked first: a job leaves the queue and then begins.
        queued = _queued(folder)
        if (folder / "began").exists():
            return self._local.look(handle)
        if queued:
            return Sight(phase=Phase.WAITING)
        # Whatever atd started and has not come up yet finds this, and runs nothing.
        keeper.publish(folder / "began", "void")
        return self._local.look(handle)

    def move(self, handle: str, begin: datetime, place: str = "") -> None:  # noqa: ARG002 (one)
        """Put it in once more for the other time, and take out the first.

        Raises:
            ExecutorUnavailable: at did not do it.
        """
        folder = Path(handle)
        if not (folder / "began").exists():
            before = (folder / _NUMBER).read_text(encoding="ascii")
            _put(folder, begin)
            _tell(["atrm", before], fine=True)

    def ask(self, handle: str, what: Ask) -> None:
        """As a local one; what has not begun can be cancelled alone.

        Raises:
            ExecutorUnavailable: at did not do it.
        """
        folder = Path(handle)
        if what is Ask.CANCEL and keeper.publish(folder / "began", "void"):
            _tell(["atrm", (folder / _NUMBER).read_text(encoding="ascii")], fine=True)
        else:
            self._local.ask(handle, what)


def _script(task: Task) -> str:
    zone = os.environ.get("TZ")
    variables = [
        # at gives its jobs the environment that it was called in.
        "unset TZ" if zone is None else f"export TZ={shlex.quote(zone)}",
        *(f"export {name}={shlex.quote(value)}" for name, value in task.env.items()),
    ]
    grace = str(task.grace.total_seconds())
    program = [sys.executable, "-I", keeper.__file__, str(task.folder), grace, *task.argv]
    return "\n".join(
        [
            *variables,
            f"cd {shlex.quote(task.cwd)} || exit 126",
            f"exec {shlex.join(program)} >> {shlex.quote(str(task.folder / 'output.log'))} 2>&1",
            "",
        ]
    )


def _put(folder: Path, begin: datetime | None) -> None:
    when = ["now"]
    if begin is not None and begin > datetime.now(UTC):
        # On the next whole minute: at drops seconds, and would begin too early.
        late = begin.astimezone(UTC) + timedelta(seconds=-begin.second % 60)
        when = ["-t", late.strftime("%Y%m%d%H%M")]
    said = _tell(["at", "-f", str(folder / "job.sh"), *when], more={"TZ": "UTC"})
    found = _JOB.search(said)
    if found is None:
        raise ExecutorUnavailable("at", f"it said {said.strip()!r}", "it is asked again")
    (folder / _NUMBER).write_text(found[1], encoding="ascii")


def _queued(folder: Path) -> bool:
    number = (folder / _NUMBER).read_text(encoding="ascii")
    return any(line.split()[0] == number for line in _tell(["atq"]).splitlines() if line.split())


def _tell(command: list[str], *, fine: bool = False, more: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(  # noqa: S603 (at's own programs)
            command,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(more or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExecutorUnavailable("at", str(error), "it is asked again") from error
    if done.returncode and not fine:
        raise ExecutorUnavailable(command[0], done.stderr.strip()[-500:], "it is asked again")
    return done.stdout + done.stderr


def _daemon_runs() -> bool:
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text(encoding="ascii", errors="replace").strip() == _DAEMON:
                return True
        except OSError:
            continue
    return False
