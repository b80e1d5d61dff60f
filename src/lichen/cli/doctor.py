"""`lichen doctor`: what is measured, modelled or unavailable here, why, and how to mend it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from lichen.cli.flags import json_flag, settings_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table
    from rich.text import Text

    from lichen.cli.row import Row

# Narrower than this, what is said stands below. [characters]
_BESIDE_WIDTH = 66
# A mark and a style for each state; the word stands beside it, so that no colour is needed.
_MARKS = {
    "ok": ("✔", "gain"),
    "measured": ("✔", "gain"),
    "modelled": ("✔", "gain"),
    "assumed": ("!", "warn"),
    "gap": ("!", "warn"),
    "unavailable": ("–", "quiet"),
    "broken": ("✘", "loss"),
}


@click.command(short_help="Say what is measured, modelled or missing here.")
@settings_flags(
    "ledger", "state", "cache", "zone", "trace", "grid", "upstream", "gguf", "host", "port"
)
@json_flag
def doctor(*, as_json: bool, **flags: Any) -> int:
    """Look at everything lichen needs here and say what is wrong and how to mend it.

    Each line is ok, measured, modelled (an interval from tables), assumed (a wide one, and worth
    mending), a gap (calls missing in the ledger), unavailable (not here, and not needed) or broken.
    The exit code is 1 where something is broken. Nothing is changed.
    """
    from lichen.cli import plain
    from lichen.cli.checkup import checkup
    from lichen.settings import load

    rows = list(checkup(load(**flags)))
    healthy = all(row.state != "broken" for row in rows)
    if as_json:
        plain.echo({"healthy": healthy, "checks": [asdict(row) for row in rows]})
    else:
        _show(rows)
    return 0 if healthy else 1


def _show(rows: Sequence[Row]) -> None:
    from lichen.cli.screen import screen, sentence, title

    console = screen()
    made = _beside(rows) if console.width >= _BESIDE_WIDTH else _below(rows)
    broken = sum(row.state == "broken" for row in rows)
    assumed = sum(row.state == "assumed" for row in rows)
    for part in ("", title("What lichen finds here"), "", made, ""):
        console.print(part)
    if broken:
        console.print(sentence(f"{broken} broken: lichen cannot work until mended.", "lost"))
    else:
        rest = f" {assumed} assumed: saying it makes intervals narrower." if assumed else ""
        console.print(sentence(f"Nothing is broken.{rest}", "bold"))
    console.print("")


def _beside(rows: Sequence[Row]) -> Table:
    """The findings as a table."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2, 0, 0))
    for column in range(4):
        made.add_column(no_wrap=column < len(("mark", "what", "state")))
    for row in rows:
        mark, style = _MARKS[row.state]
        made.add_row(Text(mark, style=style), row.what, Text(row.state, style=style), _told(row))
    return made


def _below(rows: Sequence[Row]) -> Table:
    """The findings for a narrow screen: what is said stands below what it is said of."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        mark, style = _MARKS[row.state]
        head = Text.assemble(row.what, "  ", (row.state, style))
        made.add_row(Text(mark, style=style), Group(head, _told(row)))
    return made


def _told(row: Row) -> Text:
    from lichen.cli.screen import Held, clean

    told = Held(clean(row.says))
    if row.mend:
        quiet = _MARKS[row.state][1] == "quiet"
        told.append(f"\n→ {clean(row.mend)}", style="quiet" if quiet else "warn")
    return told
