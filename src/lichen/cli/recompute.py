"""`lichen recompute`: price history again with the factors of today."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from lichen.cli.flags import json_flag, settings_flags

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry, Figures
    from lichen.ledger.recompute import Balance, Pricing, Revision


@click.command(short_help="Price history again with today's factors.")
@click.option(
    "--reason",
    default="factors changed",
    metavar="TEXT",
    help="Why, kept in the ledger beside the result. [default: factors changed]",
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--list", "listed", is_flag=True, help="List the revisions made so far, and stop.")
@click.option(
    "--from-zone",
    metavar="ZONE",
    help="Move the entries booked in this zone, such as WORLD where none was set ...",
)
@click.option("--to-zone", metavar="ZONE", help="... to this one. Lichen's own entries move too.")
@settings_flags("ledger", "zone", "trace")
@json_flag
def recompute(
    *,
    reason: str,
    dry_run: bool,
    listed: bool,
    from_zone: str | None,
    to_zone: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Price all history again from its raw quantities, and say by how much it changed.

    Entries keep their tokens, CPU seconds, zone and time, so a new factor applies to old calls as
    well. What was written stays: a revision is added, with the totals before and after.

    --zone moves no entry to another zone: it is the zone of new calls, and that of a --trace. What
    was booked in WORLD since nobody said where it ran is moved by --from-zone WORLD --to-zone ZONE.
    Stop the service first and delete its stored answers (lichen.db.answers): they remember the zone
    they were paid for in, and a hit on one could not be proven by a call that was moved.
    """
    from lichen.assemble import open_book
    from lichen.cli import plain
    from lichen.cli.reading import existing, no_trace_here
    from lichen.settings import load

    settings = load(**flags)
    existing(settings.ledger).close()
    with open_book(settings) as book:
        if listed:
            revisions = book.store.revisions()
        else:
            pricing = _moving(book.pricer, from_zone, to_zone)
            run = _tried if dry_run else _done
            revisions = [_waited(lambda: run(book, pricing, reason))]
    if as_json and listed:
        plain.echo({"revisions": [plain.revision(made) for made in revisions]})
    elif as_json:
        plain.echo({**plain.revision(revisions[0]), "dry_run": dry_run})
    elif listed:
        _list(revisions)
    else:
        _show(revisions[0], dry_run=dry_run)
        if revisions[0].changed and not settings.trace:
            click.echo(no_trace_here("this revision"), err=True)
        if settings.zone and not to_zone:
            _say_zones_stay(settings.zone)


def _moving(pricing: Pricing, from_zone: str | None, to_zone: str | None) -> Pricing:
    """The pricing, with the entries of one zone priced in another.

    Raises:
        UsageError: only one of the two is given.
        UnknownZone: there is no such zone.
    """
    if from_zone is None and to_zone is None:
        return pricing
    if not from_zone or not to_zone:
        raise click.UsageError("--from-zone and --to-zone are given together")
    from lichen.grid.zones import default_zone
    from lichen.settings import Settings

    asked = Settings().with_(zone=from_zone, upstream_zone=to_zone)
    left, (entered, _) = asked.zone, default_zone(asked.upstream_zone)

    def moved(figures: Figures, sample: Entry) -> Figures:
        if figures.zone == left != entered:
            figures = replace(figures, zone=entered)
        return pricing(figures, sample)

    return moved


def _done(book: Book, pricing: Pricing, reason: str) -> Revision:
    book.flush()
    return book.store.reprice(pricing, reason)


def _waited(work: Callable[[], Revision]) -> Revision:
    """Run something long; on a terminal, with a sign of life."""
    from lichen.cli.screen import screen

    with screen(stderr=True).status("pricing history again ..."):
        return work()


def _tried(book: Book, pricing: Pricing, reason: str) -> Revision:
    """What a recompute would give, from reading alone."""
    from datetime import UTC, datetime

    from lichen.ledger.recompute import Balancing, Revision

    before, after = Balancing(), Balancing()
    entries = changed = 0
    for entry in book.store.entries():
        now = pricing(entry.figures, entry)
        before.add(entry.figures, 1)
        after.add(now, 1)
        entries += 1
        changed += now is not entry.figures
    number = len(book.store.revisions()) + 1
    return Revision(
        number, datetime.now(UTC), reason, entries, changed, before.balance, after.balance
    )


def _show(made: Revision, *, dry_run: bool) -> None:
    from lichen.cli.screen import fitted, screen, title
    from lichen.ledger.show import count

    console = screen()
    heading = "Dry run, nothing is written" if dry_run else f"Revision {made.number}"
    were = "would be" if dry_run else "were"
    told = f"{count(made.changed)} of {count(made.entries)} entries {were} priced anew"
    for part_drawn in (
        "",
        title(heading, f"{made.reason} · {told}"),
        "",
        fitted(console, _balances(made, " "), _balances(made, "\n")),
        "",
    ):
        console.print(part_drawn)


def _balances(made: Revision, between: str) -> Table:
    from rich.text import Text

    from lichen.cli.screen import cell, table

    rows = table("", "before", "after", "change")
    for name, part in _PARTS.items():
        had, now = part(made.before), part(made.after)
        change = Text(_change(had.value.amount, now.value.amount), style="bold")
        rows.add_row(name, cell(had, between=between), cell(now, between=between), change)
    return rows


def _say_zones_stay(zone: str) -> None:
    from lichen.cli.screen import screen, sentence

    console = screen()
    console.print(
        sentence(
            f"Entries keep the zone they were booked in: {zone} moves none of them, it is where "
            f"new calls are booked. To move them: --from-zone WORLD --to-zone {zone}",
            "quiet",
        )
    )
    console.print("")


_PARTS: dict[str, Callable[[Balance], Any]] = {
    "energy used": lambda balance: balance.energy,
    "carbon used": lambda balance: balance.carbon,
    "carbon avoided": lambda balance: balance.saved,
}


def _change(had: float, now: float) -> str:
    """The relative change, signed."""
    if now == had:
        return "none"
    if not had:
        return "new"
    return f"{100 * (now - had) / abs(had):+.3g} %".replace("-", "−")


def _list(revisions: list[Revision]) -> None:
    from lichen.cli.screen import clean, fitted, screen, sentence, table, title
    from lichen.ledger.show import count

    console = screen()
    console.print("")
    console.print(title("Revisions of this ledger"))
    console.print("")
    if not revisions:
        console.print(sentence("History was never priced again: every entry is as first written."))
    rows = table("", "when", "why", "entries", "changed", "carbon used", right=(0, 3, 4, 5))
    for made in revisions:
        rows.add_row(
            str(made.number),
            made.at.astimezone().strftime("%Y-%m-%d %H:%M"),
            clean(made.reason),
            count(made.entries),
            count(made.changed),
            _change(made.before.carbon.value.amount, made.after.carbon.value.amount),
        )
    if revisions:
        console.print(fitted(console, rows))
    console.print("")
