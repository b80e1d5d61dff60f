"""Assemble: the only place that puts meters, grids, stores and strategies together.

Built-ins and plug-ins come in by the same door, the entry points `lichen.store`, `lichen.meter`,
`lichen.grid` and `lichen.executor`; everything else meets through the protocols in
`lichen.ledger.ports`.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.ledger.book import Book
from lichen.ledger.errors import InputError, MissingExtra, SignalUnavailable, SourceError
from lichen.ledger.pricing import Pricer, Raw
from lichen.ledger.writer import BulkWriter
from lichen.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from lichen.calls.answers import AnswerStore
    from lichen.calls.booking import Booker
    from lichen.calls.exact import ExactCache
    from lichen.calls.exchange import Onward, Step, Upstream
    from lichen.grid.chain import Chain
    from lichen.grid.trace import TraceSource
    from lichen.ledger.errors import LedgerError
    from lichen.ledger.ports import (
        CallMeter,
        CallReading,
        ForecastSource,
        IntensitySource,
        Store,
        WindowMeter,
    )
    from lichen.ledger.proof import Prover
    from lichen.ledger.signal import SignalKind
    from lichen.meter.discovery import Found
    from lichen.train.green.executor import Executor
    from lichen.train.green.planning import Planner
    from lichen.train.green.queue import Queue
    from lichen.train.green.runner import Runner
    from lichen.train.green.settle import Settler


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
        writer = BulkWriter(store, beside=_beside(store), on_error=on_error)
    made = meter or make_window_meter
    provers = {**PROVERS, **_settlement_provers(settings)}
    return Book(store, pricer, writer=writer, provers=provers, zone=zone, meter=made)


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
    from lichen.meter.host import factors, reading_of_cpu  # noqa: PLC0415 (put together here)
    from lichen.meter.windows import reading_of_window  # noqa: PLC0415
    from lichen.train.green.account import reprice  # noqa: PLC0415

    def from_cpu(raw: Raw) -> CallReading | None:
        seconds = raw.raw.get(f"{raw.prefix}cpu_seconds")
        return None if seconds is None else reading_of_cpu(float(seconds))

    def from_window(raw: Raw) -> CallReading | None:
        return reading_of_window(raw.raw, raw.prefix)

    calls = make_call_meter()
    readers = {"process": from_cpu, "window": from_window}
    whole = {"settlement": partial(reprice, reading=reading_of_cpu, factors=factors)}
    return Pricer(calls, make_grid(settings), readers, spans=("window",), whole=whole)


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
    """The recorded trace where one is configured, then the static zones.

    It prices entries as they are written, so nothing in it waits for a network.
    """
    from lichen.grid.chain import Chain  # noqa: PLC0415 (put together here)

    return Chain([*_traces(settings), _plugin("lichen.grid", "zones")()])


def open_grid(
    settings: Settings,
    *,
    kind: SignalKind | None = None,
    forecaster: ForecastSource | None = None,
    skipped: Sequence[tuple[str, SourceError]] = (),
    clock: Callable[[], datetime] | None = None,
) -> Chain:
    """All that is known of grids, for plans and forecasts: average unless `kind` is another.

    In order: a recorded trace, the live sources that are configured, the forecaster, the zone's
    average. What cannot be used is left out, and `tried` of the chain says why, for those `skipped`
    by whoever asks too.

    Raises:
        InputError: a setting names a source that is not there, or an address that is none.
    """
    from lichen.grid.chain import Chain  # noqa: PLC0415 (put together here)
    from lichen.grid.playback import Playback  # noqa: PLC0415
    from lichen.ledger.signal import SignalKind  # noqa: PLC0415

    wanted = kind or SignalKind.AVERAGE
    live, unusable = _live(settings, wanted, clock)
    average: Any = _plugin("lichen.grid", "zones")(kind=wanted)
    traces = _traces(settings) if wanted is SignalKind.AVERAGE else []
    played = [Playback(trace, clock) if clock else Playback(trace) for trace in traces]
    ahead = [source for source in live if hasattr(source, "forecast")]
    return Chain(
        [*traces, *live, average],
        forecasts=[*played, *ahead, *([] if forecaster is None else [forecaster]), average],
        skipped=[*unusable, *skipped],
        clock=clock,
    )


def open_forecasts(settings: Settings, *, clock: Callable[[], datetime] | None = None) -> Chain:
    """Who is asked of the time ahead, the built-in forecaster on recorded history among them.

    Raises:
        InputError: as `open_grid`.
    """
    try:
        made: Any = _plugin("lichen.forecast", "history")
        forecaster: ForecastSource = made(open_history(settings, clock=clock))
    except MissingExtra as error:
        mend = f"pip install 'lichen[{error.extra}]'"
        missing = SignalUnavailable("a forecast from history", "numpy is not installed", mend)
        return open_grid(settings, skipped=[("forecaster", missing)], clock=clock)
    return open_grid(settings, forecaster=forecaster, clock=clock)


def open_history(
    settings: Settings,
    *,
    kind: SignalKind | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Chain:
    """What was, hour by hour, and no stand-in: the recorded trace and the live sources.

    A forecaster learns from this one: a yearly average has no hours to learn from.

    Raises:
        InputError: a setting names a source that is not there, or an address that is none.
    """
    from lichen.grid.chain import Chain  # noqa: PLC0415 (put together here)
    from lichen.ledger.signal import SignalKind  # noqa: PLC0415

    wanted = kind or SignalKind.AVERAGE
    live, skipped = _live(settings, wanted, clock)
    traces = _traces(settings) if wanted is SignalKind.AVERAGE else []
    return Chain([*traces, *live], skipped=skipped, clock=clock)


def _live(
    settings: Settings, wanted: SignalKind, clock: Callable[[], datetime] | None
) -> tuple[list[Any], list[tuple[str, SourceError]]]:
    """The live sources of a kind that can be used, and why the others cannot."""
    live: list[Any] = []
    skipped: list[tuple[str, SourceError]] = []
    for name in grid_names(settings):
        try:
            made: Any = make_live(name, settings, clock=clock)
        except SourceError as error:
            skipped.append((name, error))
            continue
        if made.kind is wanted:
            live.append(made)
        else:
            why = f"it is {made.kind.value}, and {wanted.value} is asked for"
            skipped.append((name, SignalUnavailable(name, why, "the two never mix")))
    return live, skipped


def grid_names(settings: Settings) -> tuple[str, ...]:
    """The live sources that are configured, in order."""
    return tuple(dict.fromkeys(filter(None, (name.strip() for name in settings.grid.split(",")))))


def make_live(
    name: str, settings: Settings, *, clock: Callable[[], datetime] | None = None
) -> IntensitySource:
    """A live source by the name of its entry point, with its credentials.

    Raises:
        InputError: there is no such source, or its address is none.
        SignalUnavailable: a credential is missing.
    """
    from lichen.grid.shelf import Shelf, user_folder  # noqa: PLC0415 (put together here)
    from lichen.grid.web import Web  # noqa: PLC0415

    source = _plugin("lichen.grid", name)
    if not hasattr(source, "needs"):
        raise InputError(f"{name!r} is no live source of a grid: take it out of the setting grid")
    folder = Path(settings.grid_cache) if settings.grid_cache else user_folder(os.environ)
    shelf = Shelf(None if settings.grid_cache == "memory:" else folder)
    url = _addresses(settings).get(name, source.url)
    web = Web(name, url, shelf=shelf) if clock is None else Web(name, url, shelf=shelf, clock=clock)
    # A plug-in's credential has no setting; the environment may have it.
    given = [getattr(settings, n, "") or os.environ.get(n.upper(), "") for n in source.needs]
    given = [value.strip() for value in given]  # a file's last line break is no part of a key
    made: IntensitySource = source(web, *given)
    return made


def _addresses(settings: Settings) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in settings.grid_urls.split(",") if pair.strip()]
    if any(not url for _, _, url in pairs):
        raise InputError(f"grid_urls are written as name=url,name=url, got {settings.grid_urls!r}")
    return {name.strip(): url.strip() for name, _, url in pairs}


def _traces(settings: Settings) -> list[TraceSource]:
    """The recorded trace, where one is configured.

    Raises:
        InputError: it is not said of which zone it is.
    """
    if not settings.trace:
        return []
    if not settings.zone:
        raise InputError(f"trace {settings.trace} needs its zone: set --zone or LICHEN_ZONE")
    return [_plugin("lichen.grid", "trace")(settings.trace, settings.zone)]


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
    name = upstream.name or upstream.url
    rules = Rules(settings.rules)
    exact = ExactCache(answers, booker, rules, upstream=name, entry_limit=limit)
    steps: list[Step] = [exact, Coalesce(booker, limit=limit), Keeping(answers, entry_limit=limit)]
    return pipeline(steps, Metered(upstream, booker, warn)), exact


def open_queue(settings: Settings) -> Queue:
    """The queue of jobs in the ledger's file.

    Raises:
        InputError: the ledger is no file.
        StoreUnavailable: it cannot be opened.
    """
    from lichen.train.green.queue import Queue  # noqa: PLC0415 (strategies are put together here)

    return Queue(settings.ledger)


def make_planner(settings: Settings) -> Planner:
    """Plans over what the grid's sources say of the time ahead.

    Raises:
        InputError: as `open_grid`.
        MissingExtra: numpy is not installed.
    """
    from lichen.train.green.planning import Planner  # noqa: PLC0415 (as above)

    return Planner(source=open_forecasts(settings))


def make_settler(settings: Settings, store: Store) -> Settler:
    """Settles jobs by what recordings and live sources say the grid emitted.

    Raises:
        InputError: as `open_history`.
    """
    from lichen.meter.host import factors, reading_of_cpu  # noqa: PLC0415 (put together here)
    from lichen.train.green.settle import Settler  # noqa: PLC0415

    return Settler(store, open_history(settings), reading_of_cpu, factors=factors())


def _settlement_provers(settings: Settings) -> dict[str, Prover]:
    from lichen.meter.host import factors, reading_of_cpu  # noqa: PLC0415 (put together here)
    from lichen.train.green.account import RUN_NOW  # noqa: PLC0415
    from lichen.train.green.proof import ProveSettlement  # noqa: PLC0415

    made = ProveSettlement(
        partial(open_queue, settings), partial(open_history, settings), reading_of_cpu, factors
    )
    return {RUN_NOW: made}


def make_executor(name: str) -> Executor:
    """The executor of that name.

    Raises:
        InputError: nothing installed provides it.
    """
    made: Executor = _plugin("lichen.executor", name)()
    return made


def make_runner(settings: Settings, queue: Queue, *, shown: bool = False) -> Runner:
    """A runner of the queue's jobs; `shown` lets their commands write to this terminal."""
    from lichen.train.green.runner import Runner  # noqa: PLC0415 (strategies are put together here)

    return Runner(queue, make_planner(settings), cache(make_executor), shown=shown)
