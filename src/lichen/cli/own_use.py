"""Own use: what a verb of lichen itself took, booked beside what it measured or moved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry
    from lichen.settings import Settings


def book_own_use(settings: Settings, unit: str) -> None:
    """Book it into the ledger; what cannot be is said, and breaks nothing."""
    from lichen.assemble import open_book
    from lichen.ledger.errors import LichenError

    try:
        with open_book(settings) as book:
            book.add(own_use(book, unit))
    except (LichenError, OSError) as error:
        click.echo(f"lichen: its own use is not booked: {error}", err=True)


def own_use(book: Book, unit: str) -> Entry:
    """What lichen itself took so far: CPU time of this process, beside work of that unit."""
    import os
    from datetime import UTC, datetime, timedelta

    from lichen.ledger.entry import OWN, Entry, Figures
    from lichen.ledger.measurer import JOB
    from lichen.ledger.window import Window, Work, microseconds
    from lichen.meter import host

    job = os.environ.get(JOB)
    spent, now = time.process_time(), datetime.now(UTC)
    window = Window(now - timedelta(seconds=spent), now, book.zone)
    reading = host.reading_of_cpu(spent)
    made, gaps = book.pricer.footprint(reading, book.zone, microseconds(window.start))
    figures = Figures(
        name="overhead",
        strategy=OWN,
        work=Work(0, unit),
        footprint=made,
        method=host.METHOD,
        factors=host.factors(),
        zone=book.zone,
        raw={"cpu_seconds": spent, **({"job": job} if job else {})},
        gaps=gaps,
    )
    return Entry.of(window, figures)
