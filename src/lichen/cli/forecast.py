"""`lichen forecast ZONE`: a grid's carbon intensity over the next days, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lichen.cli.flags import json_flag, settings_flags

if TYPE_CHECKING:
    from datetime import timedelta


def _list(context: click.Context, _: click.Parameter, asked: bool) -> None:  # noqa: FBT001 (click's)
    """Every zone and cloud region with its name, a line each."""
    if not asked:
        return
    from lichen.grid.regions import regions
    from lichen.grid.zones import factor, zones

    for zone in zones():
        click.echo(f"{zone:<14} {factor(zone).name}")
    for region in regions().values():
        click.echo(f"{region.name:<28} {region.location}, in {region.zone}")
    context.exit()


@click.command(short_help="Show a grid's carbon intensity ahead.")
@click.argument("zone", metavar="ZONE")
@click.option(
    "--horizon", default="48h", metavar="LENGTH", show_default=True, help="How far to look ahead."
)
@click.option(
    "--window",
    default="4h",
    metavar="LENGTH",
    show_default=True,
    help="Length of the cleanest window that is marked.",
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="Print all zones and cloud regions that are known, and end.",
)
@settings_flags("trace", "grid")
@json_flag
def forecast(*, zone: str, horizon: str, window: str, as_json: bool, **flags: Any) -> None:
    """Show the carbon intensity of a grid zone over the next days, with its interval.

    ZONE is a grid zone such as DE or SE-SE3, or a cloud region such as aws:eu-north-1. The line
    below the curve marks the cleanest window; the last table says who was asked and what came.
    """
    from datetime import UTC, datetime

    from lichen.assemble import open_forecasts
    from lichen.cli import plain
    from lichen.cli.grid_view import cleanest, plain_tried, show_forecast, show_tried
    from lichen.cli.lengths import length
    from lichen.grid.zones import default_zone
    from lichen.settings import Settings, load
    from lichen.train.green.issued import signal_to_plain

    ahead, long = length(horizon), length(window)
    _check(window, long, horizon, ahead)
    zone, _ = default_zone(Settings().with_(zone=zone).zone)  # in any case, as settings are read
    settings = load(**flags)
    if settings.trace and not settings.zone:
        # A trace of which nobody said the zone is of the one that is asked for.
        settings = load(**flags, zone=zone)
    sources = open_forecasts(settings)
    signal = sources.forecast(zone, ahead, issued_at=datetime.now(UTC))
    best = cleanest(signal, long)
    if as_json:
        window_said = {
            "start": best.start.isoformat(),
            "end": best.end.isoformat(),
            "mean_g_per_kwh": best.mean,
        }
        tried = plain_tried(sources.tried)
        plain.echo({"forecast": signal_to_plain(signal), "cleanest": window_said, "tried": tried})
    else:
        show_forecast(signal, best)
        show_tried(sources.tried)


def _check(window: str, long: timedelta, horizon: str, ahead: timedelta) -> None:
    """A window that was asked for fits in the horizon; the usual one may be cut to it."""
    from click.core import ParameterSource

    said = click.get_current_context().get_parameter_source("window")
    if long > ahead and said is not ParameterSource.DEFAULT:
        raise click.UsageError(
            f"--window {window} is longer than the horizon, {horizon}: "
            f"ask for a shorter one, or for --horizon {window}"
        )
