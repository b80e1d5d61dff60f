"""Following: a job watched from a terminal, runners left behind, wishes passed on."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lichen.ledger.errors import LichenError

if TYPE_CHECKING:
    from lichen.settings import Settings
    from lichen.train.green.queue import Queue, Wish
    from lichen.train.green.record import Record
    from lichen.train.green.runner import Runner

# How long a runner may take to be up. [s]
_PATIENCE_S = 20.0
_LOOK_S = 0.5
_STOPPED, _HUNG_UP, _TERMINATED, _FINDING = 130, 129, 143, 1


def start_runner(settings: Settings, queue: Queue, job: str) -> None:
    """Leave a runner behind that drives what no other does, and wait until it has the job.

    Raises:
        LichenError: it did not come up; with where it said why.
    """
    queue.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = queue.folder / "runner.log"
    told = {"--zone": settings.zone, "--trace": settings.trace, "--grid": settings.grid}
    flags = [word for flag, value in told.items() if value for word in (flag, value)]
    program = [
        sys.executable,
        "-m",
        "lichen",
        "run",
        "--adopt",
        "--ledger",
        str(queue.path),
        *flags,
    ]
    opened = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), opened, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # Its own session: it stays when this terminal goes.
    os.posix_spawn(program[0], program, os.environ, file_actions=actions, setsid=True)
    end = time.monotonic() + _PATIENCE_S
    while not (queue.driven(job) or queue.get(job).state.ended):
        if time.monotonic() > end:
            raise LichenError(
                f"the runner did not come up within {_PATIENCE_S:g} s; job {job} stays in the "
                f"queue: see {log}, then `lichen run --adopt`"
            )
        time.sleep(0.02)


def wish(settings: Settings, job: str, what: Wish, *, as_json: bool) -> int:
    """Ask something of a job, and see that there is a runner to do it; the exit code."""
    from lichen.assemble import open_queue
    from lichen.cli import plain
    from lichen.cli.green_view import plain_record
    from lichen.cli.reading import existing

    existing(settings.ledger).close()
    with open_queue(settings) as queue:
        record = queue.get(job)
        ended = record.state.ended
        if not ended:
            queue.wish(record.id, what)
            if not queue.driven(record.id):
                start_runner(settings, queue, record.id)
        record = queue.get(record.id)
        if as_json:
            driven = queue.driven(record.id)
            plain.echo(plain_record(record, queue.latest(record.id), driven=driven))
        elif ended:
            click.echo(f"job {record.id} has ended already: {record.state.value}", err=True)
        else:
            click.echo(f"{what.value}: job {record.id} is told")
        return _FINDING if ended else 0


class Follower:
    """Follows one job in the foreground until it has ended; Ctrl-C asks what to do with it."""

    def __init__(self, settings: Settings, queue: Queue, job: str, *, shown: bool) -> None:
        self._settings, self._queue, self._job, self._shown = settings, queue, job, shown
        self._signals: list[int] = []

    def follow(self) -> int:
        """The command's exit code; 130 where it was cancelled.

        Told to end, by SIGTERM or a terminal that closes, it leaves a runner behind: 143 and 129.
        """
        from lichen.assemble import make_runner

        while True:
            runner = make_runner(self._settings, self._queue, shown=self._shown)

            def stop(number: int, _frame: Any, runner: Any = runner) -> None:
                self._signals.append(number)
                runner.stop()

            before = {each: signal.signal(each, stop) for each in _heard()}
            try:
                record = self._drive(runner)
            finally:
                for each, handler in before.items():
                    signal.signal(each, handler)
            if record.state.ended:
                return _exit_code(record)
            code = self._asked()
            if code is not None:
                return code

    def _drive(self, runner: Runner) -> Record:
        """Drive the job, or watch it where another runner was quicker to take it."""
        from lichen.train.green.queue import Taken

        progress = Progress()
        try:
            return runner.run([self._job], progress)[0]
        except Taken:
            while not (record := self._queue.get(self._job)).state.ended and not runner.stopped:
                progress(record, datetime.now(UTC))
                time.sleep(_LOOK_S)
            return record

    def _asked(self) -> int | None:
        """What a signal means: None to go on following."""
        from lichen.train.green.queue import Wish

        if self._signals[-1] != signal.SIGINT:
            start_runner(self._settings, self._queue, self._job)
            # After SIGHUP there may be no terminal to tell it to.
            with suppress(OSError):
                click.echo(
                    f"lichen: ending; a runner behind goes on with job {self._job}", err=True
                )
            return _HUNG_UP if self._signals[-1] == signal.SIGHUP else _TERMINATED
        choice = "c"
        if sys.stdin.isatty() and sys.stderr.isatty():
            # Ctrl-C once more, or the end of the input, is no wish to go on.
            with suppress(click.Abort):
                choice = click.prompt(
                    f"\njob {self._job}: (c)ancel it, (l)eave it to a runner behind, (g)o on",
                    type=click.Choice(["c", "l", "g"]),
                    default="g",
                    err=True,
                )
        if choice == "l":
            start_runner(self._settings, self._queue, self._job)
            told = f"lichen: a runner behind has job {self._job}: `lichen status` shows it"
            click.echo(told, err=True)
            return 0
        if choice == "c":
            click.echo(f"lichen: cancelling job {self._job}", err=True)
            self._queue.wish(self._job, Wish.CANCEL)
        return None


def _heard() -> list[signal.Signals]:
    """The signals to follow up; not SIGHUP where nohup has it ignored."""
    heard = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heard.append(signal.SIGHUP)
    return heard


class Progress:
    """A line on a terminal that says what a job is at; nothing anywhere else."""

    def __init__(self) -> None:
        self._seen = self._said = ""
        self._live = sys.stderr.isatty()

    def __call__(self, record: Record, now: datetime) -> None:
        """Say it where it is news."""
        from lichen.operate.watch.plan_words import remark

        waits = record.state.value in ("waiting", "paused")
        note = remark(record.state.value, record.note)
        text = f"{record.state.value}: {note}" if note else record.state.value
        if waits and self._live:
            starts = [start for start, _, _ in record.segments if start > now]
            left = f", {str(min(starts) - now).partition('.')[0]} to go" if starts else ""
            self._line(f"lichen: {text}{left}")
        elif text != self._seen:
            self._line("")
            click.echo(f"lichen: job {record.id} {text}", err=True)
        self._seen = text

    def _line(self, text: str) -> None:
        if self._live and text != self._said:
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)
            self._said = text


def _exit_code(record: Record) -> int:
    from lichen.train.green.record import State

    if record.state is State.DONE:
        return 0
    if record.state is State.CANCELLED:
        return _STOPPED
    return record.exit_code or _FINDING
