"""An upstream put together from the settings, with what lies around it for when it fails."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lichen.calls.exchange import Upstream
    from lichen.calls.resilience.options import ResilienceOptions
    from lichen.calls.resilience.resilient import Resilient
    from lichen.calls.resilience.standby import Standby
    from lichen.calls.upstream import Key
    from lichen.calls.upstreams import UpstreamOptions, Upstreams
    from lichen.settings import Settings

_WORLD = "WORLD"


def open_upstreams(
    settings: Settings, first: Upstream, warn: Callable[[object], None]
) -> Upstreams:
    """The first upstream, and those of the other providers, which are opened when they are asked.

    Raises:
        InputError: one that is configured cannot be used as it is.
    """
    from lichen.calls.providers.addresses import PROVIDERS  # noqa: PLC0415 (put together here)
    from lichen.calls.upstreams import UpstreamOptions, Upstreams  # noqa: PLC0415

    _check_zones(settings, PROVIDERS)
    others = {name: partial(_of_provider, settings, name, warn) for name in PROVIDERS}
    for name, open_one in others.items():
        if getattr(settings, name) != UpstreamOptions():
            open_one()  # what is wrong with it is said at the start
    return Upstreams(first, others)


def _check_zones(settings: Settings, providers: Iterable[str]) -> None:
    """See that every zone that calls may be booked under is one.

    Raises:
        InputError: one is not; names the setting, and the nearest known zones.
    """
    from lichen.grid.zones import default_zone  # noqa: PLC0415 (put together here)

    told = {
        ("upstream_zone", "LICHEN_UPSTREAM_ZONE"): settings.upstream_zone,
        (
            "[resilience] fallback_zone",
            "LICHEN_RESILIENCE_FALLBACK_ZONE",
        ): settings.resilience.fallback_zone,
    }
    for name in providers:
        of_it, variable = getattr(settings, name), f"LICHEN_{name.upper()}"
        told[f"[{name}] zone", f"{variable}_ZONE"] = of_it.zone
        told[f"[{name}] fallback_zone", f"{variable}_FALLBACK_ZONE"] = of_it.fallback_zone
    for table in settings.gate.cascade:
        told[f"[[gate.cascade]] {table.name}", "upstream_zone"] = table.upstream_zone
    for (setting, variable), zone in told.items():
        with _naming(setting, variable):
            default_zone(zone or None)


def _of_provider(settings: Settings, name: str, warn: Callable[[object], None]) -> Resilient:
    """A provider's own service, or where the settings say it is.

    Raises:
        InputError: a URL, a key or a map of models makes no sense.
    """
    from lichen.calls.providers.addresses import PROVIDERS  # noqa: PLC0415 (put together here)
    from lichen.calls.upstream import HttpUpstream, Key  # noqa: PLC0415

    at, told = PROVIDERS[name], getattr(settings, name)
    variable = f"LICHEN_{name.upper()}"
    with _naming(f"[{name}] upstream", f"{variable}_UPSTREAM"):
        upstream = HttpUpstream(
            told.upstream.rstrip("/").removesuffix("/v1beta") or at.url,
            zone=told.zone or _WORLD,
            key=Key(told.key, at.header, f"{variable}_UPSTREAM"),
            **how_spoken(settings),
        )
    key = Key(told.fallback_key, at.header, f"{variable}_FALLBACK")
    with _naming(f"[{name}] fallback", key.setting):
        standby = _standby(settings, told, key, warn)
    return _around(settings, upstream, standby, shares_key=bool(told.key))


def open_http(settings: Settings, url: str, warn: Callable[[object], None]) -> Resilient:
    """The service at a URL, with retries, a breaker and, where one is set, another in its place.

    Raises:
        InputError: a URL, a key, the authorities or the map of models make no sense.
    """
    from lichen.calls.upstream import HttpUpstream, Key  # noqa: PLC0415 (put together here)

    zone = settings.upstream_zone or _WORLD
    with _naming("upstream", "LICHEN_UPSTREAM"):
        upstream = HttpUpstream(url, zone=zone, key=settings.upstream_key, **how_spoken(settings))
    told = settings.resilience
    key = Key(told.fallback_key, setting="LICHEN_RESILIENCE_FALLBACK")
    with _naming("[resilience] fallback", key.setting):
        standby = _standby(settings, told, key, warn)
    return _around(settings, upstream, standby, shares_key=bool(settings.upstream_key))


def _standby(
    settings: Settings,
    told: ResilienceOptions | UpstreamOptions,
    key: Key,
    warn: Callable[[object], None],
) -> Standby | None:
    """Who is asked while an upstream fails; None where nobody is."""
    from lichen.calls.resilience.standby import Standby, read_models  # noqa: PLC0415
    from lichen.calls.upstream import HttpUpstream  # noqa: PLC0415 (put together here)

    if not told.fallback:
        return None
    zone = told.fallback_zone or _WORLD
    url = told.fallback.rstrip("/").removesuffix("/v1beta")
    other = HttpUpstream(url, zone=zone, key=key, **how_spoken(settings))
    return Standby(other, read_models(told.fallback_models), warn)


@contextmanager
def _naming(setting: str, variable: str) -> Iterator[None]:
    """What is wrong with an upstream is told with the setting that says so, and its variable."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{setting} ({variable}): {error}") from error


def how_spoken(settings: Settings) -> dict[str, Any]:
    """How any upstream is spoken to.

    Raises:
        MissingExtra: requests are to be compressed in a way that needs a package.
    """
    from lichen.calls.coding.codecs import available  # noqa: PLC0415 (put together here)
    from lichen.calls.upstream import Wire  # noqa: PLC0415

    coding = settings.coding
    if coding.upstream not in (*available(), "identity"):
        raise MissingExtra(f"[coding] upstream = {coding.upstream!r}", "a package", "compress")
    return {
        "timeout": settings.timeout,
        "connect_timeout": settings.connect_timeout,
        "wire": Wire(
            settings.limits.answer,
            settings.resilience.authorities,
            coding.upstream,
            coding.requests,
        ),
    }


def _around(
    settings: Settings, upstream: Upstream, standby: Standby | None = None, *, shares_key: bool
) -> Resilient:
    """What lies around an upstream."""
    from lichen.calls.resilience.breaker import Trip  # noqa: PLC0415 (put together here)
    from lichen.calls.resilience.resilient import Bounds, Resilient  # noqa: PLC0415

    told = settings.resilience
    trip = Trip(told.breaker_share, told.breaker_calls, told.breaker_hold)
    return Resilient(
        upstream,
        Bounds(
            told.retries, told.first_pause, told.longest_pause, settings.timeout, told.first_byte
        ),
        trip if told.breaker == "on" else None,
        standby=standby,
        shares_key=shares_key,
    )
