"""Chain: several sources in order of preference, as one.

Each is asked until one answers. Whatever a source raises is its own failure, with a reason, and the
next is asked. A source that failed is not asked again for some minutes, so that one that is down
costs its time limit once. Nothing blocks: what could not be used is skipped, and `tried` says what
was asked, what came, and why not, for `lichen doctor` and for a plan.

    what is configured  →  the built-in forecaster  →  the zone's average  →  nothing known: run now

A source's kind is its own: a chain is made for one kind, and another is refused when it is made.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from lichen.grid.refusal import Refused, Unconfigured
from lichen.grid.regions import grid_zone, pue_of
from lichen.ledger.errors import (
    InputError,
    NaiveTime,
    SignalUnavailable,
    SourceError,
    UnknownZone,
)
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.ledger.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lichen.ledger.ports import ForecastSource, IntensitySource

Source = TypeVar("Source")
# Two processes' clocks, or a server's and ours, differ by less.
CLOCKS_DIFFER = timedelta(minutes=10)
_LONGEST_HORIZON = timedelta(days=366)
# How long a source that failed for a zone is not asked for it again.
RESTED = timedelta(minutes=5)
# Tries are kept for whoever wants to know; older ones tell nothing of now.
_KEPT = 64
# Once this long was waited for sources on the network, those not yet asked are left out: whoever
# plans waits some twenty seconds, and the rest of the chain takes none.
PATIENCE = timedelta(seconds=8)


@dataclass(frozen=True, slots=True)
class Tried:
    """One source, asked or not: `outcome` is answered, skipped or failed."""

    source: str
    asked: str
    outcome: str
    why: str
    mend: str
    at: datetime


def joined(near: GridSignal, far: GridSignal) -> GridSignal:
    """One forecast as far as it reaches, and another from there on, in the finer of their steps.

    A step that lies across several of the farther one's is their mean, so carbon is as theirs.
    """
    step = min(near.step, far.step)
    count = -((near.start - far.end) // step)
    cut = []
    for start in (near.start + step * n for n in range(count)):
        part = near if start + step <= near.end else far
        end = min(start + step, part.end)
        cut.append(part.over(Window(max(start, part.start), end, near.zone)))
    return replace(
        near,
        basis=max(near.basis, far.basis),
        source=f"{near.source}, then {far.source}",
        issued_at=max(near.issued_at, far.issued_at),
        step=step,
        values=tuple(part.value.in_g_per_kwh for part in cut),
        lows=tuple(part.low.in_g_per_kwh for part in cut),
        highs=tuple(part.high.in_g_per_kwh for part in cut),
    )


class Chain:
    """Asks each source until one answers.

    `sources` say what was and `forecasts` what will be, in order; one object may be in both.
    `skipped` are those that could not be made: (name, error). `patience` is how long is waited for
    networks before the rest of them is left out.

    Raises:
        InputError: sources are of different kinds.
    """

    def __init__(
        self,
        sources: Sequence[IntensitySource],
        *,
        forecasts: Sequence[ForecastSource] = (),
        skipped: Iterable[tuple[str, SourceError]] = (),
        patience: timedelta = PATIENCE,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._sources, self._forecasts = tuple(sources), tuple(forecasts)
        self._now = clock or (lambda: datetime.now(UTC))
        self._patience = patience.total_seconds()
        self._lock = Lock()
        self._resting: dict[tuple[int, str], tuple[datetime, str]] = {}
        self._tried: dict[tuple[str, str], Tried] = {}
        kinds = {kind for s in (*sources, *forecasts) if (kind := getattr(s, "kind", None))}
        if len(kinds) > 1:
            raise InputError(
                "a chain has one kind of intensity, got "
                f"{' and '.join(sorted(str(kind.value) for kind in kinds))}: they never mix"
            )
        self.kind: SignalKind = next(iter(kinds), SignalKind.AVERAGE)
        for name, error in skipped:
            self._note(name, "anything", "skipped", error)

    # A planner asks whoever forecasts where a cloud region stands, and what its building adds.
    grid_zone = staticmethod(grid_zone)
    pue_of = staticmethod(pue_of)

    @property
    def tried(self) -> tuple[Tried, ...]:
        """What was asked lately, the newest of each source and question, in order."""
        with self._lock:
            return tuple(self._tried.values())

    def intensity(self, zone: str, window: Window) -> GridSignal:
        """Carbon intensity of a zone over a window, from the first that has it. [gCO₂e/kWh]

        Raises:
            UnknownZone: no source knows the zone.
            SignalUnavailable: no source has it for that window.
        """
        return self._first(
            "intensity", zone, self._sources, lambda source: source.intensity(zone, window)
        )

    def part(self, zone: str, window: Window) -> GridSignal:
        """What a source on this machine has of a window, as far as it reaches. [gCO₂e/kWh]

        Raises:
            UnknownZone: no such source knows the zone.
            SignalUnavailable: none has any of it.
        """
        kept: list[Any] = [source for source in self._sources if hasattr(source, "part")]
        return self._first("part", zone, kept, lambda source: source.part(zone, window))

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        """Forecast of a zone from now over a horizon, from the first that has it. [gCO₂e/kWh]

        Where a source does not reach that far, the next one goes on from there.

        Raises:
            UnknownZone: no source knows the zone.
            SignalUnavailable: no source forecasts it that far: nothing is known, so run now.
            InputError: the horizon is not positive, or more than a year.
            NaiveTime: `issued_at` has no time zone.
        """
        if issued_at is not None and issued_at.tzinfo is None:
            raise NaiveTime(issued_at)
        if not timedelta(0) < horizon <= _LONGEST_HORIZON:
            raise InputError(
                f"a forecast's horizon must be positive and at most {_LONGEST_HORIZON.days} days, "
                f"got {horizon / timedelta(days=1):,g} days"
            )
        near: list[GridSignal] = []
        is_now = issued_at is None or abs(issued_at - self._now()) <= CLOCKS_DIFFER

        def ask(source: ForecastSource) -> GridSignal:
            try:
                found = source.forecast(zone, horizon, issued_at=issued_at)
            except Refused:
                raise
            except SignalUnavailable:
                if is_now and not near and hasattr(source, "ahead"):
                    near.append(source.ahead(zone))
                raise
            return joined(near[0], found) if near else found

        return self._first("forecast", zone, self._forecasts, ask)

    def _first(
        self, what: str, zone: str, sources: Sequence[Source], ask: Callable[[Source], GridSignal]
    ) -> GridSignal:
        asked = f"{what} of {grid_zone(zone)}"
        failure: UnknownZone | SourceError | None = None
        began = time.monotonic()
        for source in sources:
            name = _name(source)
            is_late = hasattr(source, "web") and time.monotonic() - began > self._patience
            if why := "the others took too long" if is_late else self._rests(source, asked):
                failure = SignalUnavailable(asked, why, "wait, or configure another source")
                self._note(name, asked, "skipped", failure)
                continue
            try:
                found = _asked(source, asked, ask)
            except UnknownZone as error:
                # One that knows the zone and has nothing says more than one that does not; one
                # behind which there is nothing knows no zone either.
                failure = error if _says_nothing(failure) else failure
                self._note(name, asked, "skipped", error)
            except SourceError as error:
                failure = failure if failure and _says_nothing(error) else error
                self._rest(source, asked, error)
                self._note(name, asked, "failed", error)
            else:
                self._note(name, asked, "answered", found.source)
                return found
        raise failure or Unconfigured(asked)

    def _rests(self, source: object, asked: str) -> str:
        """Why a source is not asked now; empty where it is."""
        with self._lock:
            until, why = self._resting.get((id(source), asked), (self._now(), ""))
        return f"{why}; not asked again before {until:%T} UTC" if self._now() < until else ""

    def _rest(self, source: object, asked: str, error: SourceError) -> None:
        # That a source has nothing of one time says nothing of another.
        if isinstance(error, Refused):
            with self._lock:
                self._resting[id(source), asked] = self._now() + RESTED, error.why

    def _note(self, name: str, asked: str, outcome: str, said: object) -> None:
        why, mend = getattr(said, "why", str(said)), getattr(said, "mend", "")
        with self._lock:
            self._tried.pop((name, asked), None)
            self._tried[name, asked] = Tried(name, asked, outcome, why, mend, self._now())
            while len(self._tried) > _KEPT:
                del self._tried[next(iter(self._tried))]


def _says_nothing(failure: Exception | None) -> bool:
    """Whether a failure tells nothing of the zone that is not told better by another."""
    return not isinstance(failure, SourceError) or isinstance(failure, Unconfigured)


def _asked(source: Source, asked: str, ask: Callable[[Source], GridSignal]) -> GridSignal:
    """A source's answer.

    Raises:
        UnknownZone: it does not know the zone.
        SourceError: it has none, or failed in any other way.
    """
    try:
        found = ask(source)
    except (UnknownZone, SourceError):
        raise
    except Exception as error:  # a plug-in may raise anything, and others may be good
        raise _failed(source, asked, f"{type(error).__name__}: {error}") from error
    if not isinstance(found, GridSignal):
        raise _failed(source, asked, f"{type(found).__name__}, which is no signal")
    return found


def _failed(source: object, asked: str, said: str) -> Refused:
    """The failure of a source whose code is wrong; its credentials are not quoted."""
    web = getattr(source, "web", None)
    return Refused(
        asked,
        f"{_name(source)} failed with {web.quote(said) if web else said}",
        "this is an error in the source: report it, or configure another",
    )


def _name(source: object) -> str:
    return str(getattr(source, "name", type(source).__name__))
