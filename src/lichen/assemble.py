"""Assemble: the only place that puts meters, grids, stores and strategies together.

Built-ins and plug-ins come in by the same door, the entry points `lichen.store`, `lichen.meter` and
`lichen.grid`; everything else meets through the protocols in `lichen.ledger.ports`.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.ledger.book import Book
from lichen.ledger.errors import InputError
from lichen.ledger.pricing import Pricer, Raw
from lichen.ledger.writer import BulkWriter
from lichen.settings import Settings, load

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from lichen.ledger.errors import LedgerError
    from lichen.ledger.ports import CallReading, IntensitySource, Store


def open(  # noqa: A001 (lichen.open reads as what it is)
    ledger: str | os.PathLike[str] | None = None, *, zone: str | None = None
) -> Book:
    """The book at `ledger` (a file, "memory:" or "postgresql://..."), settings filling the rest.

    Raises:
        UnknownZone: no such grid zone.
        StoreUnavailable: the ledger cannot be opened.
    """
    return open_book(load(ledger=None if ledger is None else str(ledger), zone=zone))


def open_book(settings: Settings, *, on_error: Callable[[LedgerError], None] | None = None) -> Book:
    """The book of these settings; with `on_error`, entries go in through a bulk writer."""
    from lichen.calls.proof import PROVERS  # noqa: PLC0415 (strategies are put together here)
    from lichen.grid.zones import default_zone  # noqa: PLC0415

    zone, _ = default_zone(settings.zone or None)
    pricer = make_pricer(settings)
    store = open_store(settings.ledger)
    writer = None
    if on_error is not None:
        path = getattr(store, "path", None)
        writer = BulkWriter(
            store, beside=path if isinstance(path, Path) else None, on_error=on_error
        )
    return Book(store, pricer, writer=writer, provers=PROVERS, zone=zone)


def open_store(where: str) -> Store:
    """The store for a location: its scheme names the entry point, a plain path is SQLite.

    Raises:
        InputError: no installed store has that scheme.
    """
    scheme, colon, rest = where.partition(":")
    known = {point.name: point for point in entry_points(group="lichen.store")}
    if where == "memory:":
        made: Any = known["memory"].load()()
    elif colon and rest.startswith("//"):
        name = "postgresql" if scheme == "postgres" else scheme
        if name not in known:
            raise InputError(
                f"no ledger store for {scheme!r}: give a file's path or one of "
                f"{', '.join(sorted(known))}"
            )
        made = known[name].load()(where)
    else:
        made = known["sqlite"].load()(where)
    store: Store = made
    return store


def make_pricer(settings: Settings) -> Pricer:
    """Today's prices: the token meter, the process meter's power, the grid."""
    from lichen.meter.process import reprice_cpu  # noqa: PLC0415 (put together here)
    from lichen.meter.tokens import TokenMeter  # noqa: PLC0415

    def from_cpu(raw: Raw) -> CallReading | None:
        seconds = raw.raw.get(f"{raw.prefix}cpu_seconds")
        return reprice_cpu(float(seconds)) if seconds is not None else None

    return Pricer(TokenMeter(), make_grid(settings), {"process": from_cpu})


def make_grid(settings: Settings) -> IntensitySource:
    """The recorded trace where one is configured, over the static zones."""
    from lichen.grid.chain import chain  # noqa: PLC0415 (put together here)

    return chain(settings.trace, settings.zone)
