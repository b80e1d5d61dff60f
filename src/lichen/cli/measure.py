"""`lichen measure -- CMD`: like `time`, for energy."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lichen.cli.flags import json_flag, settings_flags

if TYPE_CHECKING:
    from lichen.ledger.book import Book
    from lichen.ledger.measuring import Measurement
    from lichen.meter.command import Command, Ended
    from lichen.settings import Settings

# A line of the terminal has room for so much of a command. [characters]
_SHOWN = 40
_UNTOLD = ("1", "run")
# What an entry says when something the command started was still running at its end.
LEFT_RUNNING = "still-running"


def _work(_: click.Context, __: click.Parameter, given: tuple[str, str]) -> tuple[float, str]:
    """What --work says; what follows it on the line is easily taken for its unit."""
    number, unit = given
    try:
        amount = float(number)
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or amount < 0:
        raise click.BadParameter(
            f"{number!r} is no number of 0 or more: give both, such as --work 50000 image"
        )
    if unit.startswith("-") or not unit.strip():
        raise click.BadParameter(
            f"it has no unit, {unit!r} follows the number: give both, such as --work {number} image"
        )
    return amount, unit


@click.command(
    short_help="Run a command and book the energy it used.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] CMD...")
@click.option("--name", metavar="NAME", help="What the entry is called. [default: the command]")
@click.option(
    "--work",
    nargs=2,
    type=(str, str),
    default=_UNTOLD,
    callback=_work,
    metavar="N UNIT",
    help="What it does, such as 50000 image, for carbon per unit. [default: 1 run]",
)
@click.option(
    "--cpus",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="N",
    help="Logical CPUs reserved for it: the idle ones count too. [default: only busy ones count]",
)
@click.option(
    "--gpus",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="N",
    help="Accelerators reserved for it. [default: those it uses]",
)
@click.option(
    "--linger",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long to wait for processes that outlive the command. [default: until they end]",
)
@settings_flags("ledger", "zone", "trace")
@json_flag
def measure(  # noqa: PLR0913 (one parameter a flag)
    *,
    command: tuple[str, ...],
    name: str | None,
    work: tuple[float, str],
    cpus: float,
    gpus: float,
    linger: float | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Run a command, like `time`, and book the energy and carbon that it used.

    The command has the terminal, its streams and its signals as if it ran alone, and its exit code
    is ours: 128 and the signal's number where a signal ended it, 127 where there is no such
    command, 126 where it may not be run. What it started counts too, also what outlives it. One
    line is written to the standard error at the end; with --json it is JSON, after a line break.
    """
    from lichen.ledger.window import Reserved, Work
    from lichen.settings import load

    settings = load(**flags)
    job = _Job(name or _short(command), Work(*work), Reserved(cpus, gpus) if cpus or gpus else None)
    _check_zone(settings)
    return _run(command, job, settings, linger, as_json=as_json)


class _Job:
    """What the entry will say."""

    def __init__(self, name: str, work: Any, reserved: Any) -> None:
        self.name, self.work, self.reserved = name, work, reserved


def _check_zone(settings: Settings) -> None:
    """A zone that is misspelt is told before anything runs, not hours later."""
    from lichen.grid.zones import default_zone

    default_zone(settings.zone or None)


def _run(
    argv: tuple[str, ...], job: _Job, settings: Settings, linger: float | None, *, as_json: bool
) -> int:
    from lichen.meter.command import NOT_EXECUTABLE, NOT_FOUND, Command

    command = Command(argv)
    book = _book(settings, command)
    window = book.measure(job.name, work=job.work, reserved=job.reserved)
    try:
        with window:
            window.dropped = True  # until there is something to book
            command.start()
            window.dropped = False
            ended = command.wait(linger)
            window.gaps += [f"{LEFT_RUNNING}:{ended.left}"] * bool(ended.left)
    except FileNotFoundError:
        return _refused(argv, "there is no such command", NOT_FOUND)
    except OSError as error:
        why = error.strerror or str(error)
        return _refused(argv, f"it cannot be run ({why})", NOT_EXECUTABLE)
    _tell(window, argv, ended, as_json=as_json)
    _close(book, job.work.unit)
    return ended.status


def _book(settings: Settings, command: Command) -> Book:
    """The ledger, its meter set on the command; in memory where ledger or trace cannot be."""
    from dataclasses import replace

    from lichen.assemble import make_window_meter, open_book
    from lichen.ledger.errors import LichenError

    def meter() -> Any:
        return make_window_meter(clock=command.seconds, peak_bytes=lambda: command.peak_bytes)

    try:
        return open_book(settings, meter=meter)
    except (LichenError, OSError) as error:
        click.echo(f"lichen: {error}; the command runs all the same, and is not booked", err=True)
        return open_book(replace(settings, ledger="memory:", trace="", grid=""), meter=meter)


def _refused(argv: tuple[str, ...], why: str, status: int) -> int:
    click.echo(f"lichen: {argv[0]}: {why}", err=True)
    return status


def _tell(window: Measurement, argv: tuple[str, ...], ended: Ended, *, as_json: bool) -> None:
    """One line on the standard error; never the reason why the command's own status is lost."""
    try:
        # A command may leave its last line open: JSON begins one of its own.
        line = f"\n{_as_json(window, argv, ended)}" if as_json else _as_text(window)
        click.echo(line, err=True)
    except Exception as error:  # noqa: BLE001 (the command has run: its status goes on)
        click.echo(f"lichen: the window could not be told ({error!r})", err=True)


def _close(book: Book, unit: str) -> None:
    from lichen.cli.own_use import own_use
    from lichen.ledger.errors import LichenError

    try:
        book.add(own_use(book, unit))
        book.close()
    except (LichenError, OSError) as error:
        click.echo(f"lichen: {error}; the command is not booked", err=True)


def _as_text(window: Measurement) -> str:
    entry = window.entry
    assert entry is not None
    figures, used = entry.figures, entry.figures.footprint
    seconds, cpu = (float(figures.raw.get(name, 0)) for name in ("seconds", "cpu_seconds"))
    parts = [
        f"lichen: {figures.name}",
        f"{seconds:.2f} s, CPU {cpu:.2f} s",
        str(used.energy),
        f"{used.carbon} in {figures.zone}",
    ]
    if figures.gaps:
        parts.append(f"not known: {', '.join(figures.gaps)}")
    return " · ".join(parts)


def _as_json(window: Measurement, argv: tuple[str, ...], ended: Ended) -> str:
    from lichen.cli import plain
    from lichen.meter.windows import memory_energy

    entry = window.entry
    assert entry is not None
    said = {
        **plain.entry(entry),
        "command": list(argv),
        "exit_code": ended.status,
        "still_running": ended.left,
        "memory_energy_j": plain.estimate(memory_energy(entry.figures.raw)),
    }
    return json.dumps(said, ensure_ascii=False, allow_nan=False)


def _short(argv: tuple[str, ...]) -> str:
    """The command as one short line."""
    line = shlex.join((Path(argv[0]).name or argv[0], *argv[1:]))
    # A line of the terminal stays one, whatever the command holds.
    line = "".join(char if char.isprintable() else " " for char in line)
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
