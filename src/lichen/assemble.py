"""Assemble: the only place that puts meters, grids, stores and strategies together.

Built-ins and plug-ins come in by the same door, the entry points `lichen.store`, `lichen.meter` and
`lichen.grid`; everything else meets through the protocols in `lichen.ledger.ports`.
"""

from __future__ import annotations

import time
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

    from lichen.calls.answers import AnswerStore
    from lichen.calls.booking import Booker
    from lichen.calls.exact import ExactCache
    from lichen.calls.exchange import Onward, Step, Upstream
    from lichen.ledger.errors import LedgerError
    from lichen.ledger.ports import CallMeter, CallReading, IntensitySource, Store, WindowMeter
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
    from lichen.calls.proof import PROVERS  # noqa: PLC0415 (strategies are put together here)
    from lichen.grid.zones import default_zone  # noqa: PLC0415

    zone, _ = default_zone(settings.zone or None)
    pricer = make_pricer(settings)
    pricer.intensity(zone, time.time_ns() // 1000)  # an unknown zone is refused at the start
    store = open_store(settings.ledger)
    writer = None
    if on_error is not None:
        path = getattr(store, "path", None)
        beside = path if isinstance(path, Path) else None
        writer = BulkWriter(store, beside=beside, on_error=on_error)
    made = meter or make_window_meter
    return Book(store, pricer, writer=writer, provers=PROVERS, zone=zone, meter=made)


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
    from lichen.meter.host import reading_of_cpu  # noqa: PLC0415 (put together here)
    from lichen.meter.windows import reading_of_window  # noqa: PLC0415

    def from_cpu(raw: Raw) -> CallReading | None:
        seconds = raw.raw.get(f"{raw.prefix}cpu_seconds")
        return None if seconds is None else reading_of_cpu(float(seconds))

    def from_window(raw: Raw) -> CallReading | None:
        return reading_of_window(raw.raw, raw.prefix)

    calls = make_call_meter()
    readers = {"process": from_cpu, "window": from_window}
    return Pricer(calls, make_grid(settings), readers, spans=("window",))


def make_call_meter() -> CallMeter:
    """What calls to models are priced by."""
    made: CallMeter = _plugin("lichen.meter", "tokens")()
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


def make_grid(settings: Settings) -> IntensitySource:
    """The recorded trace where one is configured, then the static zones."""
    from lichen.grid.chain import Chain  # noqa: PLC0415 (put together here)

    sources: list[IntensitySource] = [_plugin("lichen.grid", "zones")()]
    if settings.trace:
        if not settings.zone:
            raise InputError(f"trace {settings.trace} needs its zone: set --zone or LICHEN_ZONE")
        sources.insert(0, _plugin("lichen.grid", "trace")(settings.trace, settings.zone))
    return Chain(sources)


def _plugin(group: str, name: str) -> Any:
    known = {point.name: point for point in entry_points(group=group)}
    if name not in known:
        raise InputError(
            f"nothing installed provides {name!r} in {group}: known are {', '.join(sorted(known))}"
        )
    return known[name].load()


def open_answers(settings: Settings, warn: Callable[[object], None]) -> AnswerStore:
    """The answer store, by default beside a ledger that is a file."""
    from lichen.calls.answers import AnswerStore  # noqa: PLC0415 (strategies are put together here)

    where = settings.cache or (
        "memory:" if ":" in settings.ledger else f"{settings.ledger}.answers"
    )
    path = None if where == "memory:" else Path(where)
    return AnswerStore(path, size=settings.cache_size, warn=warn)


def open_pipeline(
    settings: Settings,
    upstream: Upstream,
    booker: Booker,
    answers: AnswerStore,
    warn: Callable[[object], None],
) -> tuple[Onward, ExactCache]:
    """The layers of a call, outermost first: exact, coalesce, keeping, and the metered upstream."""
    from lichen.calls.coalesce import Coalesce  # noqa: PLC0415 (strategies are put together here)
    from lichen.calls.exact import ExactCache  # noqa: PLC0415
    from lichen.calls.exchange import pipeline  # noqa: PLC0415
    from lichen.calls.keeping import Keeping  # noqa: PLC0415
    from lichen.calls.metered import Metered  # noqa: PLC0415
    from lichen.calls.rules import Rules  # noqa: PLC0415

    limit = settings.cache_entry_limit
    name = "local:" + settings.gguf if upstream.share is not None else upstream.url
    exact = ExactCache(answers, booker, Rules(settings.rules), upstream=name)
    steps: list[Step] = [exact, Coalesce(booker, limit=limit), Keeping(answers, entry_limit=limit)]
    return pipeline(steps, Metered(upstream, booker, warn)), exact
