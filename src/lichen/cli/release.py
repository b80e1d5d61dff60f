"""`lichen release ID`: run a waiting job now, whatever the grid."""

from __future__ import annotations

from typing import Any

import click

from lichen.cli.flags import json_flag, settings_flags


@click.command(short_help="Run a waiting job now.")
@click.argument("job", metavar="ID")
@settings_flags("ledger", "zone", "trace")
@json_flag
def release(*, job: str, as_json: bool, **flags: Any) -> int:
    """Run a waiting or paused job now, whatever the grid; it is not paused any more.

    Where no runner drives the job, one is started. The exit code is 1 where it has ended already.
    """
    from lichen.cli.following import wish
    from lichen.settings import load
    from lichen.train.green.queue import Wish

    return wish(load(**flags), job, Wish.RELEASE, as_json=as_json)
