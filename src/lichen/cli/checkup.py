"""Checkup: each thing lichen needs, looked at; nothing is changed, and no check stops another."""

from __future__ import annotations

import os
import time
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.cli.checkup_answering import gateway, service, upstream
from lichen.cli.checkup_cache import cache, state
from lichen.cli.checkup_green import executors, forecasts, settlements
from lichen.cli.reading import shown
from lichen.cli.row import Row
from lichen.ledger.errors import LichenError, MeterUnavailable, SignalUnavailable
from lichen.ledger.plausible import LEAST_G_PER_KWH
from lichen.ledger.rollup import Period
from lichen.ledger.show import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lichen.meter.discovery import Found
    from lichen.settings import Settings


def checkup(settings: Settings) -> Iterator[Row]:
    """All checks in the order a reader asks: the book, what reads E, what reads I, who answers."""
    checks: tuple[Callable[[Settings], Iterator[Row]], ...] = (
        _ledger,
        cache,
        state,
        _meters,
        _zone,
        _trace,
        _grid,
        forecasts,
        executors,
        settlements,
        gateway,
        upstream,
        service,
    )
    for check in checks:
        try:
            yield from check(settings)
        except (LichenError, ImportError, OSError) as error:
            yield Row(check.__name__.strip("_"), "broken", str(error))


def _ledger(settings: Settings) -> Iterator[Row]:
    from lichen.assemble import open_store
    from lichen.ledger.schema import MIGRATIONS

    where = shown(settings.ledger)
    path = Path(settings.ledger)
    if "://" not in where and where != "memory:" and not path.exists():
        folder = path.absolute().parent
        if os.access(folder, os.W_OK):
            yield Row("ledger", "ok", f"{where} is not there yet: what writes into it makes it")
        else:
            mend = "give another place with --ledger or LICHEN_LEDGER"
            yield Row("ledger", "broken", f"{folder} cannot be written by this user", mend)
        return
    with closing(open_store(settings.ledger)) as store:
        entries = sum(totals.entries for totals in store.totals(Period.DAY))
        gaps = [gap for gap in store.gaps() if gap.count]
        revisions = len(store.revisions())
    kind = type(store).__name__.removesuffix("Store")
    told = f"{where} · {kind}, schema {len(MIGRATIONS)} · {count(entries)} entries"
    yield Row("ledger", "ok", f"{told} · priced again {revisions} times" if revisions else told)
    for gap in gaps:
        yield Row("ledger gap", "gap", f"{count(gap.count)} × {gap.what}, last {gap.last:%F %R}")


def _meters(_: Settings) -> Iterator[Row]:
    """The meter of calls, then those of this machine: which are read in windows, which not, why."""
    from lichen.assemble import find_meters, make_call_meter
    from lichen.meter.discovery import best

    calls = make_call_meter()
    yield Row("tokens meter", "modelled", f"{calls.method}: {calls.factors}")
    found = find_meters()
    chosen = best(found)
    for each in sorted(found, key=lambda one: (one not in chosen, one.name)):
        yield _meter(each, chosen)


def _meter(found: Found, chosen: Sequence[Found]) -> Row:
    """A meter that was made is read once, and says what it covers and whether windows use it."""
    what = f"{found.name} meter"
    if isinstance(found.error, MeterUnavailable):
        return Row(what, "unavailable", found.error.why, found.error.mend)
    if found.error is not None:
        return Row(what, "unavailable", str(found.error))
    meter = found.meter
    power = getattr(meter, "power", None)
    told = f"{power} a busy CPU: " if power is not None else ""
    covers = " and ".join(sorted(meter.covers))
    role = f"windows read {covers} by it" if found in chosen else f"a better one reads {covers}"
    try:
        state = meter.read().basis.name.lower()
    except MeterUnavailable as error:
        return Row(what, "unavailable", error.why, error.mend)
    return Row(what, state, f"{told}{meter.why} · {role}")


def _zone(settings: Settings) -> Iterator[Row]:
    from lichen.assemble import make_pricer
    from lichen.grid.zones import default_zone

    zone, _ = default_zone(settings.zone or None)
    known, gaps = make_pricer(settings).intensity(zone, time.time_ns() // 1000)
    told = f"{zone}: {known}"
    if settings.zone and not gaps:
        yield Row("grid zone", known.basis.name.lower(), told)
    else:
        mend = "say where this machine runs: --zone, LICHEN_ZONE, or zone in lichen.toml"
        yield Row("grid zone", "assumed", f"none is set, so {told}", mend)
    if settings.upstream and not settings.upstream_zone:
        mend = "say where the upstream computes: LICHEN_UPSTREAM_ZONE"
        yield Row("upstream zone", "assumed", "none is set, so the world average", mend)


def _trace(settings: Settings) -> Iterator[Row]:
    if not settings.trace:
        yield Row("grid trace", "unavailable", "none is set; yearly averages serve")
        return
    from lichen.grid.trace import TraceSource

    signal = TraceSource(settings.trace, settings.zone).signal
    told = f"{settings.trace}: {signal.start:%F %R} to {signal.end:%F %R}"
    top = max(signal.values)
    if 0 < top < LEAST_G_PER_KWH:
        mend = "look at the file: plans do not believe it"
        yield Row("grid trace", "gap", f"{told}, at most {top:g} gCO₂e/kWh, likely no g", mend)
    elif signal.start <= datetime.now(UTC) < signal.end:
        yield Row("grid trace", "ok", told)
    else:
        mend = "outside its span the yearly average stands in; record a newer one"
        yield Row("grid trace", "assumed", f"{told}, which is not now", mend)


def _grid(settings: Settings) -> Iterator[Row]:
    """Each live source: whether it is configured, and when it answered last. None is asked now."""
    from lichen.assemble import grid_names

    configured = grid_names(settings)
    for point in sorted(entry_points(group="lichen.grid"), key=lambda point: point.name):
        needs = getattr(point.load(), "needs", None)
        if needs is None:
            continue
        what = f"{point.name} grid"
        if point.name in configured:
            yield _live(what, point.name, settings)
        else:
            keys = " and ".join(need.upper() for need in needs)
            mend = f"add {point.name} to LICHEN_GRID" + (f", set {keys}" if keys else "")
            yield Row(what, "unavailable", "not configured", mend)


def _live(what: str, name: str, settings: Settings) -> Row:
    from lichen.assemble import make_live

    try:
        source: Any = make_live(name, settings)
    except SignalUnavailable as error:
        return Row(what, "unavailable", error.why, error.mend)
    if why := source.web.held():
        return Row(what, "unavailable", why, "the next source of the chain stands in")
    last, trouble = (source.web.shelf.get(*source.web.key(kept)) for kept in ("last", "trouble"))
    if trouble and (last is None or trouble.stored > last.stored):
        told = f"at {trouble.stored:%F %R} UTC {trouble.what}"
        return Row(
            what,
            "unavailable",
            told,
            "check its credential and its status; the next source of the chain stands in",
        )
    told = "never asked yet" if last is None else f"answered {last.stored:%F %R} UTC: {last.what}"
    return Row(what, "ok", f"{source.kind.value}, {told}")
