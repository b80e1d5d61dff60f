"""`lichen sci`: carbon per unit of work, and what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lichen.cli.flags import json_flag, settings_flags, since_flag, until_flag

if TYPE_CHECKING:
    from lichen.cli.reading import Report
    from lichen.ledger.sci import SCI


@click.command(short_help="Show the carbon per request, or other unit.")
@click.option(
    "--per",
    default="request",
    metavar="UNIT",
    help="The functional unit R, such as request or 'training run'. [default: request]",
)
@since_flag
@until_flag
@settings_flags("ledger")
@json_flag
def sci(
    *, per: str, since: str | None, until: str | None, ledger: str | None, as_json: bool
) -> None:
    """Show the Software Carbon Intensity: SCI = (E × I + M) / R  [ISO/IEC 21031].

    Lichen's own overhead is in it. Where no work was done in that unit, R is 0 and SCI has no
    value: that is told, with exit code 1.
    """
    from lichen.cli import plain
    from lichen.cli.moment import span
    from lichen.cli.reading import read
    from lichen.settings import load

    found = read(load(ledger=ledger).ledger, span(since, until))
    rate = found.summary.sci(per)
    if as_json:
        parts = found.used_per(per)
        plain.echo({**plain.sci(rate), **plain.footprint(parts), "gaps": _gaps(found)})
    else:
        _show(found, rate)


def _show(found: Report, rate: SCI) -> None:
    from rich.padding import Padding

    from lichen.cli.screen import clean, figure, screen, sentence, table, title
    from lichen.ledger.show import count

    parts = found.used_per(rate.work.unit)
    made = table("", "")
    made.show_header = False
    made.add_row("E × I", figure(parts.operational), "operational carbon")
    made.add_row("M", figure(parts.embodied), "embodied carbon, the share of the hardware")
    made.add_row(
        "R", count(rate.work.amount), clean(f"work done, in units of one {rate.work.unit}")
    )
    made.add_row("E", figure(parts.energy), "energy, data centre and lichen's overhead in")
    console = screen()
    heading = title(f"SCI per {rate.work.unit}  ").append_text(figure(rate.per_unit, "gain"))
    for part in ("", heading, "", Padding(made, (0, 0, 0, 2), expand=False), ""):
        console.print(part)
    basis = rate.carbon.basis.name.lower()
    gaps = _gaps(found)
    told = f"; {count(gaps)} gaps, see `lichen report`" if gaps else ""
    console.print(
        sentence(
            f"SCI = (E × I + M) / R, weakest basis: {basis}{told}. In brackets: 90 %.", "quiet"
        )
    )
    console.print("")


def _gaps(found: Report) -> int:
    """What could not be known, lichen's own use included, since SCI includes it."""
    return found.summary.work.gaps + found.summary.overhead.gaps
