"""`lichen status [ID]`: the jobs of a ledger, or one of them, and what their waiting was worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lichen.cli.flags import json_flag, settings_flags

if TYPE_CHECKING:
    from lichen.settings import Settings
    from lichen.train.green.queue import Queue
    from lichen.train.green.record import Record
    from lichen.train.green.settle import Settlement

# More jobs than anybody has.
_ALL = 1_000_000


@click.command(short_help="Show the jobs that wait, run and ran; settle those that ran.")
@click.argument("job", metavar="[ID]", required=False)
@click.option(
    "--newest",
    type=click.IntRange(min=1),
    default=20,
    metavar="N",
    show_default=True,
    help="How many to list.",
)
@click.option(
    "--settle",
    "settling",
    is_flag=True,
    help="Settle every job there is, however long the grid's sources take, and say why not.",
)
@settings_flags("ledger", "zone", "trace", "grid")
@json_flag
def status(*, job: str | None, newest: int, settling: bool, as_json: bool, **flags: Any) -> None:
    """Show the jobs that wait, run and ran; with an ID, what really ran of one.

    ID may be shortened to where it begins or ends. Jobs that ended are settled on the way, where it
    is known what the grid emitted: what their waiting avoided goes into the ledger, once.
    """
    from lichen.assemble import open_queue
    from lichen.cli.reading import existing
    from lichen.cli.settling import LIMIT_S, settle
    from lichen.settings import load

    settings = load(**flags)
    existing(settings.ledger).close()
    with open_queue(settings) as queue:
        records = [queue.get(job)] if job else queue.newest(newest)
        every = queue.newest(_ALL) if settling else records
        settled = settle(
            settings,
            queue,
            [one for one in every if one.state.ended],
            limit_s=None if settling else LIMIT_S,
        )
        if job:
            _one(settings, queue, records[0], settled.get(records[0].id), as_json=as_json)
        else:
            _list(queue, records, settled, as_json=as_json)
            if settling and not as_json:
                _why_not(settled)


def _one(
    settings: Settings, queue: Queue, record: Record, found: Settlement | None, *, as_json: bool
) -> None:
    from lichen.cli import plain
    from lichen.cli.green_view import plain_record, show_job
    from lichen.cli.settling import plain_settlement, show, worth

    driven, planning = queue.driven(record.id), queue.latest(record.id)
    shares = worth(settings, queue, found) if found else None
    if as_json:
        said = plain_record(record, planning, driven=driven)
        plain.echo({**said, "settlement": plain_settlement(found, shares)})
        return
    show_job(record, planning, driven=driven)
    if found:
        show(found, shares)


def _list(
    queue: Queue, records: list[Record], settled: dict[str, Settlement], *, as_json: bool
) -> None:
    from lichen.cli import plain
    from lichen.cli.green_view import plain_record, show_jobs
    from lichen.cli.settling import plain_settlement

    rows = [(each, queue.driven(each.id)) for each in records]
    if not as_json:
        show_jobs(rows, settled)
        return
    said = [
        {
            **plain_record(each, queue.latest(each.id), driven=driven),
            "settlement": plain_settlement(settled.get(each.id)),
        }
        for each, driven in rows
    ]
    plain.echo({"jobs": said})


def _why_not(settled: dict[str, Settlement]) -> None:
    from lichen.cli.screen import screen, sentence

    console = screen()
    for one in settled.values():
        if one.entry is None:
            console.print(sentence(f"{one.record.id} is not settled yet: {one.why}", "warn"))
