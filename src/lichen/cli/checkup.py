"""Checkup: each thing lichen needs, looked at; nothing is changed, and no check stops another."""

from __future__ import annotations

import asyncio
import http.client
import os
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from lichen.cli.checkup_cache import cache, state
from lichen.cli.checkup_green import executors, forecasts, settlements
from lichen.cli.reading import shown
from lichen.cli.row import Row
from lichen.ledger.errors import LichenError, MeterUnavailable, SignalUnavailable
from lichen.ledger.rollup import Period
from lichen.ledger.show import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lichen.meter.discovery import Found
    from lichen.settings import Settings

# What the gateway is built on; see the extra `serve`.
_SERVE = ("httptools", "orjson", "uvloop")
_PROBE_S = 1.0
# How long an upstream far away may take to be reached. [s]
_REACH_S = 5.0
OPENAI = "https://api.openai.com"


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
        _gateway,
        _upstream,
        _service,
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
            yield Row("ledger", "ok", f"{where} is not there yet: `lichen serve` makes it")
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
    if signal.start <= datetime.now(UTC) < signal.end:
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


def _gateway(_: Settings) -> Iterator[Row]:
    missing = [name for name in _SERVE if find_spec(name) is None]
    if missing:
        told = f"{', '.join(missing)} not installed"
        yield Row("gateway", "broken", told, "pip install 'lichen[serve]'")
    else:
        yield Row("gateway", "ok", f"{', '.join(_SERVE)} are installed")


def _upstream(settings: Settings) -> Iterator[Row]:
    """Who answers what lichen cannot: the first set of URL, OpenAI's key, the embedded model."""
    local = list(_local(settings))
    if settings.upstream:
        whose = "lichen's own key" if settings.upstream_key else "the clients' keys"
        yield _tried(settings.upstream, f"{_bare(settings.upstream)}, shown {whose}")
    elif os.environ.get("OPENAI_API_KEY"):
        mend = "to have the embedded model answer: env -u OPENAI_API_KEY lichen serve"
        yield _tried(OPENAI, "OpenAI, since OPENAI_API_KEY is set", mend)
    elif any(row.state == "broken" for row in local):
        mend = "set OPENAI_API_KEY or --upstream, or install the embedded model"
        yield Row("upstream", "broken", "nothing is set that could answer", mend)
    else:
        yield Row("upstream", "ok", "the embedded model, since no provider is set")
        yield from local
        return
    for row in local:
        # It is not asked where another upstream is, so its absence breaks nothing.
        yield replace(row, state="unavailable") if row.state == "broken" else row


class _Reached(asyncio.Protocol):
    """Says nothing and leaves."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


def _tried(url: str, who: str, mend: str = "") -> Row:
    """Whether an upstream can be reached: connected to as a call would be, and asked nothing.

    No credential is sent, so it says nothing about the key.
    """
    from lichen.calls.proxy import Route

    async def connect() -> None:
        await Route(url).connect(asyncio.get_running_loop(), _Reached)

    try:
        asyncio.run(asyncio.wait_for(connect(), _REACH_S))
    except (OSError, TimeoutError) as error:
        why = str(error) or f"no answer within {_REACH_S:.0f} s"
        out = mend or "look at the address and the network, or set another with --upstream"
        return Row("upstream", "broken", f"{who}; cannot be reached: {why}", out)
    return Row("upstream", "ok", f"{who}; reached, the key not tried")


def _local(settings: Settings) -> Iterator[Row]:
    from lichen.calls.gguf import find_gguf

    if find_spec("xllamacpp") is None:
        mend = "pip install 'lichen[local]'"
        yield Row("embedded model", "broken", "xllamacpp (llama.cpp) is not installed", mend)
        return
    try:
        path = find_gguf(settings.gguf or None)
    except LichenError as error:
        yield Row("embedded model", "broken", str(error))
    else:
        yield Row("embedded model", "ok", f"{path.name}, {path.stat().st_size / 1e6:.0f} MB")


def _service(settings: Settings) -> Iterator[Row]:
    """Whether lichen answers on its port now."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{settings.port}"
    try:
        connection = http.client.HTTPConnection(settings.host, settings.port, timeout=_PROBE_S)
        with closing(connection):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            ours = answer.status == http.HTTPStatus.OK and answer.read(8).strip() == b"ok"
    except ConnectionRefusedError:
        yield Row("service", "unavailable", f"not running at {base}", "lichen serve")
    except (OSError, http.client.HTTPException) as error:
        yield Row("service", "broken", f"{base}: {error}", "choose another port with --port")
    else:
        if ours:
            yield Row("service", "ok", f"answers at {base}; the dashboard is {base}/")
        else:
            mend = "choose another port with --port"
            yield Row("service", "broken", f"{base} is another program's", mend)


def _bare(url: str) -> str:
    """A URL without any credential in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
