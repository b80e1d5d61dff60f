"""Live forecasts: what a live source says will be, asked when it may have issued another.

A forecast stands until the source makes the next one. Where the source cannot be asked then, the
one it gave lately still stands, up to a day: its `issued_at` says from when it is. One that is
older than a day, or from the future, is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from lichen.grid.live import Issue, LiveSource, at
from lichen.grid.point import Wanted, ceil, floor, packed, signal
from lichen.grid.refusal import Refused
from lichen.grid.shelf import Kept
from lichen.ledger.errors import InputError, SignalUnavailable
from lichen.ledger.window import aware

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.grid.point import Point
    from lichen.ledger.signal import GridSignal

# A forecast this old is no news of tomorrow.
_OLDEST_FORECAST = timedelta(hours=24)
# Two processes' clocks, or a server's and ours, differ by less.
_CLOCKS_DIFFER = timedelta(minutes=10)


class LiveForecast(LiveSource):
    """A live source that forecasts too."""

    # How far ahead it forecasts, at most.
    reach: ClassVar[timedelta]

    def issued(self, wanted: Wanted, place: str) -> Issue:
        """The newest forecast, whatever part of [wanted.start, wanted.end) it covers.

        Raises:
            SignalUnavailable: it cannot be asked.
            ValueError, KeyError, TypeError, IndexError: it answered in another shape.
        """
        raise NotImplementedError

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        """The newest forecast from now over a horizon. [gCO₂e/kWh]

        `issued_at` may be now: what was forecast before, this source does not keep.

        Raises:
            UnknownZone: this source does not know the zone.
            SignalUnavailable: it cannot be asked, does not reach that far, or answers wrongly.
            InputError: the horizon is not positive.
        """
        place = self.place(zone)
        now = self.web.now()
        if horizon <= timedelta(0):
            raise InputError(f"a forecast's horizon must be positive, got {horizon}")
        start = floor(now, self.step)
        end = ceil(now + min(horizon, self.reach + self.step), self.step)
        wanted = self.wanted(zone, start, end)
        if issued_at is not None and not self._is_now(aware(issued_at), now):
            return self._past(wanted, place, issued_at)
        if end - start > self.reach:
            raise SignalUnavailable(
                str(wanted),
                f"it forecasts {self.reach} from the step that runs",
                "ask for less",
            )
        with self._asking:
            issue = self._newest(wanted, place)
        return signal(wanted, {point.start: point for point in issue.points}, issue.issued_at)

    def ahead(self, zone: str) -> GridSignal:
        """The newest forecast from now, as far as it reaches. [gCO₂e/kWh]

        Raises:
            UnknownZone: this source does not know the zone.
            SignalUnavailable: it cannot be asked, or has not even the step that runs.
        """
        place = self.place(zone)
        start = floor(self.web.now(), self.step)
        with self._asking:
            issue = self._newest(self.wanted(zone, start, start + self.reach), place)
        points = {point.start: point for point in issue.points}
        end = start + self.step
        while at(end) in points and end - start < self.reach:
            end += self.step
        return signal(self.wanted(zone, start, end), points, issue.issued_at)

    def _is_now(self, issued_at: datetime, now: datetime) -> bool:
        return abs(issued_at - now) <= _CLOCKS_DIFFER

    def _past(self, wanted: Wanted, place: str, issued_at: datetime) -> GridSignal:
        """A forecast of some time ago, where a source keeps them."""
        del place
        raise SignalUnavailable(
            str(wanted),
            f"it keeps no forecast as issued at {issued_at:%F %R}",
            "use the forecast that was stored then",
        )

    def _newest(self, wanted: Wanted, place: str) -> Issue:
        """The forecast that stands; where the source cannot be asked, the one it gave lately."""
        now = self.web.now()
        kept, points = self.kept_points("forecast", place)
        last = Issue(_issued_at(kept), points) if kept else None
        if kept and last and kept.stands(now) and _reaches(kept, points, wanted):
            return last
        try:
            issue = self._fresh(wanted, place)
        except SignalUnavailable:
            if last is None or last.issued_at < now - _OLDEST_FORECAST:
                raise
            return last
        what = {
            "issued_at": issue.issued_at.timestamp(),
            "asked_to": at(wanted.end),
            "points": packed(issue.points),
        }
        until = floor(now, self.renewed) + self.renewed
        self.web.shelf.put(self.key("forecast", place), Kept(now, until, what))
        return issue

    def _fresh(self, wanted: Wanted, place: str) -> Issue:
        """A forecast as the source gives it now, if it is one of now."""
        now = self.web.now()
        issue: Issue = self.checked(wanted, self.issued, wanted, place)
        if not now - _OLDEST_FORECAST <= issue.issued_at <= now + _CLOCKS_DIFFER:
            raise Refused(
                str(wanted),
                f"its newest forecast was issued {issue.issued_at:%F %R} UTC",
                "it may be stuck: see its status, or configure another source",
            )
        # Clocks differ: nothing is from later than now.
        return Issue(min(issue.issued_at, now), issue.points)


def _reaches(kept: Kept, points: Sequence[Point], wanted: Wanted) -> bool:
    """Whether a kept forecast has what is wanted, or all that the source had when asked for it."""
    if points and points[-1].start >= at(wanted.end - wanted.step):
        return True
    return bool(kept.what.get("asked_to", 0) >= at(wanted.end))


def _issued_at(kept: Kept) -> datetime:
    try:
        return datetime.fromtimestamp(kept.what["issued_at"], UTC)
    except (ValueError, TypeError, KeyError, OverflowError):
        return kept.stored
