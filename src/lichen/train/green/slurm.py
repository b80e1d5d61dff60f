"""Slurm: jobs go to `sbatch --begin`, and Slurm keeps the start time, runner or no runner.

    move      scontrol update StartTime          freeze, thaw   scontrol suspend, resume
    pause     scancel --signal=TERM --full       look           scontrol show job

A job that exits with 75 ended itself after its checkpoint and is submitted again. One that can be
paused is submitted with --requeue: after a failure of its node Slurm starts it anew and tells it to
resume; any other with --no-requeue. Accounting (sacct) is not needed: how a job ended is read from
its script's own file once Slurm has forgotten it (MinJobAge). Times go both ways as seconds of
Unix time: a local time names two moments where clocks go back. Suspending needs an operator's
rights in Slurm.

Source: sbatch(1), scontrol(1), scancel(1) of Slurm 22.05; environment SLURM_RESTART_COUNT,
SLURM_TIME_FORMAT; `uts` SECONDS as a time: src/common/parse_time.c.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.ledger.errors import ExecutorUnavailable
from lichen.train.green.executor import (
    Ask,
    Phase,
    Sight,
    Task,
    known_options,
    own_folder,
    write_script,
)
from lichen.train.green.script import script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PATIENCE_S = 60.0
_LOOK_EVERY = timedelta(seconds=15)
_OPTIONS = ("partition", "account", "qos", "gres", "nodes", "ntasks", "cpus-per-task", "mem",
            "constraint", "time", "reservation", "clusters")  # fmt: skip
# Source: squeue(1), JOB STATE CODES.
_WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD", "CONFIGURING"}
_RUNNING = {"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING", "REQUEUE_FED"}
_FROZEN = {"SUSPENDED", "STOPPED"}
_MACHINE = {"NODE_FAIL", "BOOT_FAIL", "PREEMPTED"}
_NO_ANSWER = (
    "see that /etc/slurm/slurm.conf names the cluster and that slurmctld and munge run, or use "
    "another executor"
)
# How scontrol begins a line of what went wrong.
_WHO = re.compile(r"^(?:scontrol: )?(?:error|fatal): ")
# What scontrol says of a job it has forgotten.
_FORGOTTEN = "Invalid job id"
# Stands for the number of a job that Slurm has forgotten.
_NUMBERLESS = "?"
# Room for the checkpoint, and for a p90 that was guessed too low.
_TIME_FACTOR = 2


class Slurm:
    """The Slurm cluster that this machine is configured for; looked at every `look_every`."""

    queues = True
    places = True
    freezes = True

    def __init__(self, look_every: timedelta = _LOOK_EVERY) -> None:
        self.look_every = look_every

    def check(self, task: Task) -> None:
        """See that Slurm answers. The command is looked for on its nodes, when it runs.

        Raises:
            ExecutorUnavailable: its programs are not here, or its controller does not answer.
            InputError: an option is unknown.
        """
        known_options(task, _OPTIONS, "Slurm")
        if shutil.which("sbatch") is None:
            raise ExecutorUnavailable(
                "Slurm", "there is no sbatch here", "run this on a login node, or install slurm-wlm"
            )
        try:
            answer = _tell(["scontrol", "ping"])
        except ExecutorUnavailable as error:
            raise ExecutorUnavailable("Slurm", _last(error.why), _NO_ANSWER) from error
        if "is UP" not in answer:
            raise ExecutorUnavailable("Slurm", answer.strip(), "see that slurmctld runs")

    def submit(self, task: Task) -> str:
        """Hand it over; Slurm's job id, the task's name, and its folder.

        Raises:
            ExecutorUnavailable: Slurm did not say that it took it.
        """
        path = write_script(task, script(task, restarts="${SLURM_RESTART_COUNT:-0}"))
        given = dict(task.options)
        if task.place:
            given["partition"] = task.place
        given.setdefault("time", str(max(1, round(task.lasts.total_seconds() / 60) * _TIME_FACTOR)))
        flags = [f"--{name}={value}" for name, value in given.items()]
        if task.begin is not None:
            flags.append(f"--begin={_unix(task.begin)}")
        said = _tell(
            [
                "sbatch",
                "--parsable",
                f"--job-name={task.name}",
                f"--output={task.folder}/output.log",
                "--open-mode=append",
                f"--chdir={task.cwd}",
                "--requeue" if task.requeue else "--no-requeue",
                *flags,
                str(path),
            ]
        )
        return f"{said.strip().partition(';')[0]} {task.name} {task.folder}"

    def find(self, task: Task) -> str | None:
        """The job of that name; where there is none, its script is made to run nothing."""
        said = _tell(["squeue", "--noheader", f"--name={task.name}", "--states=all", "--format=%i"])
        jobs = said.split()
        if jobs:
            return f"{jobs[-1]} {task.name} {task.folder}"
        began = own_folder(task) / "began.0"
        # As the script does: whoever is first. It makes a folder, and finds this file in its way.
        with suppress(FileExistsError):
            began.touch(exist_ok=False)
        return f"{_NUMBERLESS} {task.name} {task.folder}" if began.is_dir() else None

    def look(self, handle: str) -> Sight:
        """How it stands, by Slurm, and by its own file once Slurm has forgotten it.

        Raises:
            ExecutorUnavailable: the controller does not answer.
        """
        job, name, folder = handle.split(" ", 2)
        if job == _NUMBERLESS:
            return _by_file(Path(folder))
        shown = ["scontrol", "show", "job", "--oneliner", job]
        # Whatever format the user likes to read.
        said = _tell(shown, fine=(_FORGOTTEN,), more={"SLURM_TIME_FORMAT": "%s"})
        fields = dict(re.findall(r"(\S+?)=(\S*)", said))
        # A controller that lost its state counts from 1 again: the number is then a stranger's.
        if _FORGOTTEN in said or fields.get("JobName") != name:
            return _by_file(Path(folder))
        state = fields["JobState"]
        started = _moment(fields.get("StartTime", ""))
        if state in _WAITING:
            return Sight(phase=Phase.WAITING)
        if state in _RUNNING or state in _FROZEN:
            phase = Phase.FROZEN if state in _FROZEN else Phase.RUNNING
            return Sight(phase=phase, started_at=started)
        return _ended(fields, state, started)

    def move(self, handle: str, begin: datetime, place: str = "") -> None:
        """Have it start at another time, and in another partition where one is named.

        Raises:
            ExecutorUnavailable: Slurm did not do it, or it has started where it was.
        """
        job = _id(handle)
        if self.look(handle).phase is not Phase.WAITING:
            if place:
                raise ExecutorUnavailable("Slurm", f"job {job} has started", "it stays there")
            return
        there = [f"Partition={place}"] if place else []
        _tell(["scontrol", "update", f"JobId={job}", *there, f"StartTime={_unix(begin)}"])

    def ask(self, handle: str, what: Ask) -> None:
        """Pass it on.

        Raises:
            ExecutorUnavailable: Slurm did not do it.
        """
        job = _id(handle)
        if job == _NUMBERLESS or self.look(handle).phase in (Phase.ENDED, Phase.GONE, Phase.VOID):
            return
        commands: dict[Ask, list[list[str]]] = {
            Ask.CHECKPOINT: [["scancel", "--signal=USR1", "--full", job]],
            Ask.PAUSE: [["scancel", "--signal=TERM", "--full", job]],
            Ask.KILL: [["scancel", "--signal=KILL", "--full", job]],
            Ask.FREEZE: [["scontrol", "suspend", job]],
            Ask.THAW: [["scontrol", "resume", job]],
            # SIGCONT and SIGTERM, and SIGKILL after the cluster's own KillWait.
            Ask.CANCEL: [["scancel", job]],
        }
        for command in commands[what]:
            _tell(command, fine=(_FORGOTTEN, "already", "finished"))


def _id(handle: str) -> str:
    return handle.partition(" ")[0]


def _tell(
    command: Sequence[str], fine: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> str:
    """What a program of Slurm's says, with `more` in its environment.

    Raises:
        ExecutorUnavailable: it is not here, failed, or did not answer.
    """
    try:
        done = subprocess.run(  # noqa: S603 (Slurm's own programs)
            command,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(more or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExecutorUnavailable("Slurm", str(error), "it is asked again") from error
    said = done.stdout + done.stderr
    if done.returncode and not any(text in said for text in fine):
        raise ExecutorUnavailable(
            f"Slurm's {command[0]}", said.strip()[-500:] or f"exit code {done.returncode}",
            "it is asked again",
        )  # fmt: skip
    return said if done.returncode else done.stdout


def _last(said: str) -> str:
    """The last line of what a program said, which is why it gave up, without who says it."""
    line = said.strip().rpartition("\n")[2]
    return f"scontrol ping: {_WHO.sub('', line)}"


def _unix(moment: datetime) -> str:
    """A moment as Slurm reads it in every time zone: whole seconds of Unix time."""
    return f"uts{int(moment.timestamp())}"


def _moment(text: str) -> datetime | None:
    """A moment as Slurm was asked to say it, in seconds of Unix time; None: not known yet."""
    with suppress(ValueError):
        return datetime.fromtimestamp(int(text), UTC)
    return None


def _ended(fields: dict[str, str], state: str, started: datetime | None) -> Sight:
    code, _, by = fields.get("ExitCode", "0:0").partition(":")
    exit_code = 128 + int(by) if by not in ("", "0") else int(code)
    if state in ("CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE") and exit_code == 0:
        exit_code = 143
    ended = _moment(fields.get("EndTime", ""))
    ran_s = None
    if found := re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", fields.get("RunTime", "")):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        ran_s = float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    if state in _MACHINE:
        return Sight(
            phase=Phase.GONE, started_at=started, ended_at=ended, ran_s=ran_s, machine_down=True,
            note=f"Slurm says {state}",
        )  # fmt: skip
    return Sight(
        phase=Phase.ENDED,
        started_at=started,
        ended_at=ended,
        exit_code=exit_code,
        ran_s=ran_s,
        note="" if state in ("COMPLETED", "FAILED") else f"Slurm says {state}",
    )


def _by_file(folder: Path) -> Sight:
    """How a job ended that Slurm has forgotten."""
    began = sorted(each for each in folder.glob("began.*") if each.is_dir())
    try:
        code = int((folder / "exit").read_text(encoding="ascii"))
        ended = datetime.fromtimestamp((folder / "exit").stat().st_mtime, UTC)
    except (OSError, ValueError):
        if not began:
            return Sight(phase=Phase.VOID)
        return Sight(phase=Phase.GONE, note="Slurm has forgotten it, and it left no exit code")
    started = datetime.fromtimestamp(began[-1].stat().st_mtime, UTC) if began else None
    return Sight(phase=Phase.ENDED, started_at=started, ended_at=ended, exit_code=code)
