"""`lichen status [ID]`: the jobs of a ledger, or one of them."""

from __future__ import annotations

from typing import Any

import click

from lichen.cli.flags import json_flag, settings_flags


@click.command(short_help="Show the jobs that wait, run and ran.")
@click.argument("job", metavar="[ID]", required=False)
@click.option("--newest", default=20, metavar="N", show_default=True, help="How many to list.")
@settings_flags("ledger")
@json_flag
def status(*, job: str | None, newest: int, as_json: bool, **flags: Any) -> None:
    """Show the jobs that wait, run and ran; with an ID, what really ran of one.

    ID may be shortened to where it begins or ends.
    """
    from lichen.assemble import open_queue
    from lichen.cli import plain
    from lichen.cli.green_view import plain_record, show_job, show_jobs
    from lichen.cli.reading import existing
    from lichen.settings import load

    settings = load(**flags)
    existing(settings.ledger).close()
    with open_queue(settings) as queue:
        records = [queue.get(job)] if job else queue.newest(newest)
        rows = [(each, queue.driven(each.id)) for each in records]
        if as_json:
            said = [
                plain_record(each, queue.latest(each.id), driven=driven) for each, driven in rows
            ]
            plain.echo(said[0] if job else {"jobs": said})
        elif job:
            show_job(rows[0][0], queue.latest(rows[0][0].id), driven=rows[0][1])
        else:
            show_jobs(rows)
