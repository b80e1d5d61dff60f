"""Grids put together: what prices entries, what plans look ahead with, what is learnt from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.assemble.plugins import found, plugin
from lichen.ledger.errors import (
    InputError,
    MissingExtra,
    SignalUnavailable,
    SourceError,
    to_install,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from lichen.grid.chain import Chain
    from lichen.grid.trace import TraceSource
    from lichen.ledger.ports import (
        ForecastSource,
        IntensitySource,
    )
    from lichen.ledger.signal import SignalKind
    from lichen.settings import Settings


def make_grid(settings: Settings) -> IntensitySource:
    """The recorded trace where one is configured, then the static zones.

    It prices entries as they are written, so nothing in it waits for a network.

    Raises:
        InputError: a setting names a live source that is not there; plans would miss it later.
    """
    from lichen.grid.chain import Chain  # noqa: PLC0415 (put together here)

    for name in grid_names(settings):
        found("lichen.grid", name)

    return Chain([*_traces(settings), plugin("lichen.grid", "zones")()])


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
    average: Any = plugin("lichen.grid", "zones")(kind=wanted)
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
        made: Any = plugin("lichen.forecast", "history")
        forecaster: ForecastSource = made(open_history(settings, clock=clock))
    except MissingExtra as error:
        mend = to_install(error.extra)
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

    source = plugin("lichen.grid", name)
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
    return [plugin("lichen.grid", "trace")(settings.trace, settings.zone)]
