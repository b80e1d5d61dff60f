"""`lichen cancel ID`: end a job, or take it out of the queue."""

from __future__ import annotations

from typing import Any

import click

from lichen.cli.flags import json_flag, settings_flags


@click.command(short_help="End a job, or take it out of the queue.")
@click.argument("job", metavar="ID")
@settings_flags("ledger", "zone", "trace")
@json_flag
def cancel(*, job: str, as_json: bool, **flags: Any) -> int:
    """End a job: one that runs gets SIGTERM, and SIGKILL after its grace.

    Where no runner drives the job, one is started. The exit code is 1 where it has ended already.
    """
    from lichen.cli.following import wish
    from lichen.settings import load
    from lichen.train.green.queue import Wish

    return wish(load(**flags), job, Wish.CANCEL, as_json=as_json)
