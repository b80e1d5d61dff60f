"""`lichen plan`: when and where a job would run, and what that would be worth; starts nothing."""

from __future__ import annotations

from typing import Any

import click

from lichen.cli.flags import json_flag, settings_flags
from lichen.cli.order_flags import order_flags


@click.command(
    short_help="Show when a job would run, and start nothing.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("command", nargs=-1, metavar="[-- CMD]", type=click.UNPROCESSED)
@order_flags
@settings_flags("zone", "trace", "grid")
@json_flag
def plan(
    *,
    command: tuple[str, ...],
    as_json: bool,
    zone: str | None,
    trace: str | None,
    grid: str | None,
    **said: Any,
) -> None:
    """Show when and where a job would run, and what that would be worth. Nothing is started.

    Takes what `lichen run` takes; the command may be left out. The curve is the forecast, the line
    below it the chosen windows, and the last table says who was asked and what came.
    """
    from datetime import UTC, datetime

    from lichen.assemble import make_executor, open_forecasts
    from lichen.cli import plain
    from lichen.cli.green_view import show_planning
    from lichen.cli.grid_view import plain_tried, show_tried
    from lichen.cli.order_flags import order_of
    from lichen.cli.places_view import plain_places, show_places
    from lichen.cli.screen import screen
    from lichen.settings import load
    from lichen.train.green.planning import Planner
    from lichen.train.green.runner import check_kind

    settings = load(zone=zone, trace=trace, grid=grid)
    now = datetime.now(UTC)
    order = order_of(command or ("true",), settings, now, said)
    # What `run` would refuse is not promised here.
    check_kind(make_executor(order.executor), order)
    sources = open_forecasts(settings)
    planner = Planner(source=sources)
    planning = planner.plan(order, now)
    places = planner.places(order, planning)
    if as_json:
        more = {"places": plain_places(places), "tried": plain_tried(sources.tried)}
        plain.echo({"order": order.to_plain(), **planning.to_plain(), **more})
    else:
        show_planning(planning, order, screen())
        show_places(places, planning)
        show_tried(sources.tried)
