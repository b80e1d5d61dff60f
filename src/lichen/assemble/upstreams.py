"""An upstream put together from the settings, with what lies around it for when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.resilience.resilient import Resilient
    from lichen.settings import Settings

_WORLD = "WORLD"


def open_http(settings: Settings, url: str, warn: Callable[[object], None]) -> Resilient:
    """The service at a URL, with retries, a breaker and, where one is set, another in its place.

    Raises:
        InputError: a URL, a key, the authorities or the map of models make no sense.
    """
    from lichen.calls.resilience.breaker import Trip  # noqa: PLC0415 (put together here)
    from lichen.calls.resilience.resilient import Bounds, Resilient  # noqa: PLC0415
    from lichen.calls.resilience.standby import Standby, read_models  # noqa: PLC0415
    from lichen.calls.upstream import HttpUpstream, Wire  # noqa: PLC0415

    told = settings.resilience
    how: dict[str, Any] = {
        "timeout": settings.timeout,
        "connect_timeout": settings.connect_timeout,
        "wire": Wire(settings.limits.answer, told.authorities),
    }
    zone = settings.upstream_zone or _WORLD
    upstream = HttpUpstream(url, zone=zone, key=settings.upstream_key, **how)
    standby = None
    if told.fallback:
        zone, key = told.fallback_zone or _WORLD, told.fallback_key
        other = HttpUpstream(told.fallback, zone=zone, key=key, **how)
        standby = Standby(other, read_models(told.fallback_models), warn)
    trip = Trip(told.breaker_share, told.breaker_calls, told.breaker_hold)
    return Resilient(
        upstream,
        Bounds(
            told.retries, told.first_pause, told.longest_pause, settings.timeout, told.first_byte
        ),
        trip if told.breaker == "on" else None,
        standby=standby,
        shares_key=bool(settings.upstream_key),
    )
