"""Grid: what the page at `/grid` is made of, and who brings it.

This room knows no grid and no queue: whoever puts the dashboard together gives a `Lookout` that
keeps what was last seen, and a page never waits for a source that is slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lichen.ledger.errors import LichenError
from lichen.ledger.window import Window

if TYPE_CHECKING:
    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Carbon, CarbonIntensity
    from lichen.ledger.signal import GridSignal

HOUR = timedelta(hours=1)
# Hours shown before this one, and from it on.
BEFORE, AFTER = 24, 48


class Asked(NamedTuple):
    """A source that was asked or left out: its name, how that ended, and why in words."""

    source: str
    outcome: str
    why: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the queue: planned or real windows, what was expected and what came of it. [gCO₂e]

    `settled` is the saving once it is known, else `note` says what there is to say. `power` is that
    at which the expected was worked out, in words; `elsewhere` the zone where it runs, where that
    is on another grid than the page's.
    """

    name: str
    command: str
    state: str
    windows: tuple[tuple[datetime, datetime], ...]
    expected: Estimate[Carbon] | None
    settled: Estimate[Carbon] | None
    note: str = ""
    power: str = ""
    elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a grid at a time; a signal that is None could not be had, `why` says why."""

    zone: str
    at: datetime
    past: GridSignal | None = None
    ahead: GridSignal | None = None
    why: str = ""
    asked: tuple[Asked, ...] = ()
    jobs: tuple[Job, ...] = ()


class Lookout(Protocol):
    """Keeps an eye on the grid."""

    def seen(self) -> Seen | None:
        """What was seen last, at once; None where nothing has been seen yet."""
        ...


class Hour(NamedTuple):
    """An hour's mean intensity [gCO₂e/kWh], None where it is not known; whether it is to come."""

    start: datetime
    intensity: Estimate[CarbonIntensity] | None
    ahead: bool


def hours(seen: Seen, now: datetime) -> list[Hour]:
    """The hours shown, each from the recording or from the forecast."""
    this = now.replace(minute=0, second=0, microsecond=0)
    made = []
    for n in range(-BEFORE, AFTER):
        start, ahead = this + HOUR * n, n >= 0
        signals = (seen.ahead, seen.past) if ahead else (seen.past, None)
        made.append(Hour(start, _mean(signals, start, max(start, now) if n == 0 else start), ahead))
    return made


def _mean(
    signals: tuple[GridSignal | None, ...], hour: datetime, start: datetime
) -> Estimate[CarbonIntensity] | None:
    """The mean over an hour, or over what of it is still to come."""
    for signal in signals:
        if signal is None:
            continue
        begin = max(start, min(signal.start, hour + HOUR))
        if signal.end <= begin:
            continue
        end = min(hour + HOUR, signal.end)
        # Half an hour that is known says enough of the hour; less does not.
        if end - begin < HOUR / 2 and begin > start:
            continue
        try:
            return signal.over(Window(begin, max(begin, end), signal.zone))
        except LichenError:
            continue
    return None


def cleanest(
    shown: list[Hour], count: int, now: datetime
) -> tuple[datetime, datetime, float] | None:
    """The cleanest hours after each other that are to come: start, end, mean [gCO₂e/kWh].

    Of the hour that runs only what is left counts, so none begins before now.
    """
    ahead = [hour for hour in shown if hour.ahead]
    best = None
    for first in range(len(ahead) - count + 1):
        some = [hour.intensity for hour in ahead[first : first + count]]
        known = [each.value.in_g_per_kwh for each in some if each]
        if len(known) == count and (best is None or sum(known) / count < best[2]):
            start = ahead[first].start
            best = max(start, now), start + HOUR * count, sum(known) / count
    return best
