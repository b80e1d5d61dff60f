"""`lichen report`: what the calls used and what was avoided, net of lichen's own cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lichen.cli.flags import json_flag, settings_flags, since_flag, until_flag

if TYPE_CHECKING:
    from lichen.cli.reading import Report


@click.command(short_help="Show what was used, avoided and saved, net.")
@since_flag
@until_flag
@click.option(
    "--by",
    type=click.Choice(["strategy", "model", "hour"]),
    multiple=True,
    help="Cut it by this; may be given more than once. [default: strategy and model]",
)
@click.option(
    "--entries",
    "newest",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Show the newest N entries of calls and other work too, with the ids that "
    "`lichen prove` takes.",
)
@settings_flags("ledger", "state")
@json_flag
def report(
    *,
    since: str | None,
    until: str | None,
    by: tuple[str, ...],
    newest: int,
    as_json: bool,
    **flags: Any,
) -> None:
    """Show calls, hits, tokens, energy and carbon: used, avoided, net, and per request.

    Every number has its 90 % interval. A loss is shown as plainly as a gain, lichen's own energy
    is counted against it, and what could not be known is named and counted, not left out.
    """
    from lichen.cli.moment import span
    from lichen.cli.reading import read
    from lichen.ledger.rollup import Period
    from lichen.settings import load

    coarsest = Period.HOUR if "hour" in by else Period.DAY
    settings, during = load(**flags), span(since, until, coarsest=coarsest)
    found = read(settings.ledger, during, newest, state=settings.state)
    if as_json:
        show_json(found, by)
    else:
        show(found, by)


def show(found: Report, by: tuple[str, ...] = ()) -> None:
    """Draw a report."""
    from lichen.cli.report_view import draw
    from lichen.cli.screen import screen

    console = screen()
    for part in draw(found, by or ("strategy", "model"), console):
        console.print(part)


def show_json(found: Report, by: tuple[str, ...] = ()) -> None:
    """Write a report as JSON."""
    from lichen.cli import plain
    from lichen.cli.report_json import plain_report

    plain.echo(plain_report(found, by or ("strategy", "model")))
