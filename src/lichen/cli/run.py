"""`lichen run`: a command, at the greenest time before its deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lichen.cli.flags import json_flag, settings_flags
from lichen.cli.order_flags import order_flags

if TYPE_CHECKING:
    from lichen.settings import Settings
    from lichen.train.green.record import Record

# Source: POSIX, Shell & Utilities 2.8.2.
_NOT_FOUND = 127
_SETTINGS = ("ledger", "zone", "trace", "grid")


@click.command(
    short_help="Run a command when the grid is clean, in time.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("command", nargs=-1, metavar="-- CMD", type=click.UNPROCESSED)
@order_flags
@click.option("--detach", is_flag=True, help="Leave it to a runner in the background.")
@click.option("--adopt", is_flag=True, help="Run nothing new: take over jobs without a runner.")
@settings_flags(*_SETTINGS)
@json_flag
def run(*, command: tuple[str, ...], detach: bool, adopt: bool, as_json: bool, **said: Any) -> int:
    """Run a command when the grid is clean, so that it is done by its deadline.

    It starts at the latest safe moment whatever the grid, and is never started twice: kill the
    runner or the machine, and `lichen run --adopt` goes on. The exit code is the command's own;
    127 where there is no such command, 130 where it was cancelled.
    """
    from lichen.ledger.errors import NoCommand
    from lichen.settings import load

    settings = load(**{name: said.pop(name) for name in _SETTINGS})
    if adopt:
        if detach or command:
            given = "--detach" if detach else "a command"
            raise click.UsageError(f"--adopt takes over jobs here, in sight: leave out {given}")
        return _adopt(settings)
    try:
        return _run(settings, command, {**said, "detach": detach, "as_json": as_json})
    except NoCommand as error:
        click.echo(f"lichen: {error}", err=True)
        return _NOT_FOUND


def _adopt(settings: Settings) -> int:
    from lichen.assemble import make_runner, open_queue
    from lichen.cli.following import Progress
    from lichen.cli.own_use import book_own_use
    from lichen.cli.settling import settle
    from lichen.train.green.account import UNIT

    with open_queue(settings) as queue:
        records = make_runner(settings, queue).adopt(Progress())
        settle(settings, queue, records)
    book_own_use(settings, UNIT)
    told = "1 job was" if len(records) == 1 else f"{len(records)} jobs were"
    click.echo(f"lichen: {told} without a runner, all have ended", err=True)
    return 0


def _run(settings: Settings, command: tuple[str, ...], said: dict[str, Any]) -> int:
    from lichen.assemble import make_executor, make_planner, open_queue
    from lichen.cli import plain
    from lichen.cli.following import Follower, start_runner
    from lichen.cli.green_view import plain_record, show_planning
    from lichen.cli.order_flags import order_of
    from lichen.cli.own_use import book_own_use
    from lichen.cli.screen import screen
    from lichen.cli.settling import settle, tell
    from lichen.train.green.account import UNIT
    from lichen.train.green.clock import Clock
    from lichen.train.green.runner import submit

    order = order_of(command, settings, Clock().now(), said)
    executor, planner = make_executor(order.executor), make_planner(settings)
    with open_queue(settings) as queue:
        record, planning = submit(queue, planner, executor, order)
        as_json, code = said["as_json"], 0
        if not as_json:
            # The command's output has the standard output to itself.
            show_planning(planning, order, screen(stderr=True))
        if said["detach"]:
            start_runner(settings, queue, record.id)
        else:
            code = Follower(settings, queue, record.id, shown=not as_json).follow()
            ended = queue.get(record.id)
            _tell_late(ended)
            tell(settle(settings, queue, [ended]))
        if as_json:
            driven = queue.driven(record.id)
            plain.echo(plain_record(queue.get(record.id), queue.latest(record.id), driven=driven))
        elif said["detach"]:
            click.echo(record.id)
    book_own_use(settings, UNIT)
    return code


def _tell_late(record: Record) -> None:
    """Say that a deadline was missed: a job may have run longer than nine in ten."""
    from datetime import UTC, datetime

    from lichen.cli.green_view import lateness, when

    if overdue := record.late(datetime.now(UTC)):
        due = when(record.order.deadline)
        click.echo(f"lichen: {lateness(record, overdue)}; it was due {due}", err=True)
