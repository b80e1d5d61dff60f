"""Books put together: a store, prices, provers, and meters for measured windows."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.assemble.grids import make_grid
from lichen.assemble.jobs import settlement_provers
from lichen.assemble.plugins import plugin
from lichen.ledger.book import Book
from lichen.ledger.errors import InputError
from lichen.ledger.pricing import Pricer, Raw
from lichen.ledger.writer import BulkWriter
from lichen.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.entry import Entry, Figures
    from lichen.ledger.errors import LedgerError
    from lichen.ledger.ports import (
        CallMeter,
        CallReading,
        Store,
        WindowMeter,
    )
    from lichen.ledger.proof import Prover
    from lichen.meter.discovery import Found


def open(  # noqa: A001 (lichen.open reads as what it is)
    ledger: str | os.PathLike[str] | None = None, *, zone: str | None = None
) -> Book:
    """The book at `ledger` (a file, "memory:" or "postgresql://..."), settings filling the rest.

    Raises:
        UnknownZone: no such grid zone.
        StoreUnavailable: the ledger cannot be opened.
    """
    return open_book(load(ledger=None if ledger is None else str(ledger), zone=zone))


def open_book(
    settings: Settings,
    *,
    on_error: Callable[[LedgerError], None] | None = None,
    meter: Callable[[], WindowMeter] | None = None,
) -> Book:
    """The book of these settings; with `on_error`, entries go in through a bulk writer.

    `meter` makes what measured windows are read by, the best meters here by default.
    """
    from lichen.calls.steps import Place  # noqa: PLC0415 (strategies are put together here)
    from lichen.grid.zones import default_zone  # noqa: PLC0415

    zone, _ = default_zone(settings.zone or None)
    pricer = make_pricer(settings)
    pricer.intensity(zone, time.time_ns() // 1000)  # an unknown zone is refused at the start
    store = open_store(settings.ledger)
    writer = None
    if on_error is not None:
        writer = BulkWriter(store, beside=_beside(store), on_error=on_error)
    made = meter or make_window_meter
    provers = {**_installed_provers(), **settlement_provers(settings)}
    book = Book(store, pricer, writer=writer, provers=provers, zone=zone, meter=made)
    book.file = Place(settings.ledger, settings.state).file
    return book


def _installed_provers() -> dict[str, Prover]:
    """What runs the evidence of savings again, by method: each entry point names some of them."""
    made: dict[str, Prover] = {}
    for point in entry_points(group="lichen.prover"):
        made.update(point.load())
    return made


def _beside(store: Store) -> Path | None:
    """Where a writer's tally goes: next to a file, or in the state folder for a database elsewhere.

    Source: XDG Base Directory Specification, `XDG_STATE_HOME`.
    """
    path, address = getattr(store, "path", None), getattr(store, "address", None)
    if isinstance(path, Path):
        return path
    if not isinstance(address, str):
        return None
    state = os.environ.get("XDG_STATE_HOME", "")
    home = Path(state) if Path(state).is_absolute() else Path("~/.local/state").expanduser()
    with suppress(OSError):  # the writer says what is wrong, and goes on without a tally
        (home / "lichen").mkdir(mode=0o700, parents=True, exist_ok=True)
    return home / "lichen" / hashlib.sha256(address.encode()).hexdigest()[:32]


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
    from lichen.calls import acts  # noqa: PLC0415 (put together here)
    from lichen.calls.gate import price as of_gate  # noqa: PLC0415
    from lichen.grid.regions import pue_of  # noqa: PLC0415
    from lichen.meter.host import factors, reading_of_cpu  # noqa: PLC0415
    from lichen.meter.windows import reading_of_window  # noqa: PLC0415
    from lichen.train.green.account import reprice  # noqa: PLC0415

    def from_cpu(raw: Raw) -> CallReading | None:
        seconds = raw.raw.get(f"{raw.prefix}cpu_seconds")
        return None if seconds is None else reading_of_cpu(float(seconds))

    def from_window(raw: Raw) -> CallReading | None:
        return reading_of_window(raw.raw, raw.prefix)

    def again(figures: Figures, entry: Entry) -> Figures:
        return acts.reprice(figures, entry, pricer=pricer)

    calls = make_call_meter()
    readers = {"process": from_cpu, "window": from_window}
    whole: dict[str, Callable[[Figures, Entry], Figures]] = {
        "settlement": partial(reprice, reading=reading_of_cpu, factors=factors),
        "difference": again,
        "gate": lambda figures, entry: of_gate.reprice(figures, entry, pricer=pricer),
    }
    pricer = Pricer(
        calls, make_grid(settings), readers, spans=("window",), whole=whole, pue_of=pue_of
    )
    return pricer


def make_call_meter() -> CallMeter:
    """What calls to models are priced by."""
    made: CallMeter = plugin("lichen.meter", "tokens")()
    return made


def find_meters() -> list[Found]:
    """The meters of this machine, each made or with the reason why it could not be."""
    from lichen.meter.discovery import look  # noqa: PLC0415 (put together here)

    points = sorted(entry_points(group="lichen.meter"), key=lambda point: point.name)
    return look((point.name, point.load) for point in points)


def make_window_meter(
    *,
    clock: Callable[[], float] | None = None,
    peak_bytes: Callable[[], float] | None = None,
) -> WindowMeter:
    """What measured windows are read by: the best meters here, no domain twice.

    `clock` gives the CPU time [s] and `peak_bytes` the most memory of what is measured, of this
    process and all it started by default.
    """
    from lichen.meter.discovery import best  # noqa: PLC0415 (put together here)
    from lichen.meter.gauges import Gauges  # noqa: PLC0415

    return Gauges(best(find_meters()), clock=clock, peak_bytes=peak_bytes)
