"""The history a forecast stands on: as much of a source as there is, and nothing of later.

A source is asked for 56 weeks before the hour of issue. Where it has fewer, the longest stretch
that ends lately is looked for; where its newest value is older than two days, there is no forecast:
what a grid did then says little about tomorrow. What is not there is not made up: a source that has
a gap says so, and history begins after it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from lichen.grid.regions import grid_zone
from lichen.ledger.errors import NotOfThisSource, SignalUnavailable
from lichen.ledger.signal import GridSignal
from lichen.ledger.window import EPOCH, Window

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lichen.ledger.ports import IntensitySource
    from lichen.ledger.signal import SignalKind

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
# A year, and the four weeks that its first profile needs.
MEMORY = 56 * WEEK
# Live sources publish an hour or a few late; two days late is another weather.
STALE = timedelta(days=2)
_LAGS = (timedelta(0), HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, STALE)


class Known(NamedTuple):
    """What was known of a zone: values in whole hours, oldest first. [gCO₂e/kWh]"""

    zone: str
    kind: SignalKind
    source: str
    start: datetime
    step: timedelta
    values: tuple[float, ...]

    @property
    def end(self) -> datetime:
        """The end of the newest step."""
        return self.start + self.step * len(self.values)


def monday(moment: datetime) -> datetime:
    """The start of the UTC week of a moment, when its fit is made."""
    # 1970-01-01 was a Thursday.
    since = moment - (EPOCH - 3 * DAY)
    return moment - since % WEEK


def known(history: IntensitySource | GridSignal, zone: str, issued_at: datetime) -> Known:
    """What was known of a zone at `issued_at`: whole steps that had ended, at least a day of them.

    Raises:
        UnknownZone: the history is of another zone, or the source knows no such zone.
        SignalUnavailable: there is less than a day, it is stale, or its step divides no hour.
    """
    if isinstance(history, GridSignal):
        if grid_zone(zone) != history.zone:
            mend = "record the history of that zone, too"
            raise NotOfThisSource(zone, history.source, history.zone, mend)
        found = history
    else:
        found = _asked(history, zone, issued_at)
    return _cut(_usable(found, issued_at), zone, issued_at)


def _usable(found: GridSignal, issued_at: datetime) -> GridSignal:
    """The signal, if its step divides an hour; a yearly average is no history."""
    if found.step > HOUR or HOUR % found.step:
        why = f"the step of {found.source} is {found.step}"
        raise _none(found.zone, issued_at, why, "5, 15, 30 or 60 min")
    return found


def _asked(source: IntensitySource, zone: str, issued_at: datetime) -> GridSignal:
    """The longest history the source has that ends lately."""

    def ask(start: datetime, end: datetime) -> GridSignal:
        return _usable(source.intensity(zone, Window(start, end, zone)), issued_at)

    this = monday(issued_at)
    try:
        return ask(this - MEMORY, issued_at)
    except SignalUnavailable:
        end = _newest(ask, issued_at)
    # Whole weeks, so that every forecast of one week stands on one beginning and one fit.
    starts = sorted(
        {this - weeks * WEEK for weeks in range(1, MEMORY // WEEK)}
        | {end - days * DAY for days in range(1, 8)}
    )
    found = ask(starts[-1], end)
    first, last = 0, len(starts) - 1
    while first < last:
        middle = (first + last) // 2
        try:
            found = ask(starts[middle], end)
            last = middle
        except SignalUnavailable:
            first = middle + 1
    return found


def _newest(ask: Callable[[datetime, datetime], GridSignal], issued_at: datetime) -> datetime:
    """The end of the newest day the source has.

    Raises:
        SignalUnavailable: it has none that ends within two days, and says why.
    """
    failure: SignalUnavailable | None = None
    for lag in _LAGS:
        end = issued_at - lag
        try:
            ask(end - DAY, end)
        except SignalUnavailable as error:
            failure = error
        else:
            return end
    assert failure is not None
    raise failure


def _cut(found: GridSignal, zone: str, issued_at: datetime) -> Known:
    """The steps from 56 weeks ago on that had ended at `issued_at`, in whole hours."""
    per_hour = HOUR // found.step
    last = min((issued_at - found.start) // found.step, len(found.values))
    newest = found.start + last * found.step
    if last < DAY // found.step:
        had = max(last, 0) * found.step
        raise _none(
            zone, issued_at, f"{found.source} has {had} of history before it", "a day of it"
        )
    if issued_at - newest > STALE:
        why = f"{found.source} ends at {newest.isoformat()}, more than {STALE.days} days before"
        raise _none(zone, issued_at, why, "newer history")
    first = max(0, -((found.start - (monday(issued_at) - MEMORY)) // found.step))
    first += (last - first) % per_hour
    start = found.start + first * found.step
    return Known(found.zone, found.kind, found.source, start, found.step, found.values[first:last])


def _none(zone: str, issued_at: datetime, why: str, needed: str) -> SignalUnavailable:
    return SignalUnavailable(
        f"forecast of {zone} at {issued_at.isoformat()}", why, f"a forecast needs {needed}"
    )
