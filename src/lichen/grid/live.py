"""Live: what all live sources do alike; a source says only how its own API is asked and read.

    what was    in UTC days: a settled day is asked once and kept for ever
    what will   in `lichen.grid.live_forecast`

A source's file gives a place for a zone, and points for a place. Here they are looked at
(`lichen.grid.point`), kept (`lichen.grid.shelf`) and put together to a signal.

What is a forecast or an estimate until the actual value is out says so (`Standing.PROVISIONAL`), as
does a step that still runs; a day that holds one is not kept for ever.

Average and marginal never mix: a source has one kind, and its answers are kept under it.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from lichen.grid.point import (
    Point,
    Wanted,
    ceil,
    floor,
    look_at,
    packed,
    signal,
    unpacked,
)
from lichen.grid.refusal import Refused
from lichen.grid.regions import grid_zone
from lichen.grid.shelf import Kept
from lichen.ledger.errors import SignalUnavailable
from lichen.ledger.signal import SignalKind, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lichen.grid.web import Reply, Web
    from lichen.ledger.signal import GridSignal
    from lichen.ledger.window import Window

_DAY = timedelta(days=1)
# Three years: more is a slip, and hundreds of requests.
_LONGEST = timedelta(days=3 * 366)
# What reading an answer of another shape raises; a number may be too long for any clock or float,
# and JSON too deep for any reader.
_OTHER_SHAPE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
# What a source did not have yet, it is not asked for again sooner.
_SOON = timedelta(minutes=5)


class Issue(NamedTuple):
    """A forecast as a source issued it."""

    issued_at: datetime
    points: list[Point]


class LiveSource:
    """A source that is asked over the network; inherit it and say how.

    `needs` are the names of its credentials, in the order its constructor takes them after `web`.

    Raises:
        SignalUnavailable: a credential is missing.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    url: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[SignalKind] = SignalKind.AVERAGE
    step: ClassVar[timedelta] = timedelta(hours=1)
    # The longest span of what was that one request gives.
    longest: ClassVar[timedelta]
    # How long after its end a day may still be corrected.
    settles: ClassVar[timedelta]
    # How long an answer about today, and a forecast, stand until it is worth asking again.
    renewed: ClassVar[timedelta] = timedelta(minutes=30)
    # Where a cheaper request gives the last hours only, how many. None: it does not matter.
    recent: ClassVar[timedelta | None] = None

    def __init__(self, web: Web, *credentials: str) -> None:
        self.web = web
        web.secrets = tuple(secret for secret in credentials if secret)
        web.account = credentials
        missing = [
            name for name, value in zip(self.needs, credentials, strict=True) if not value.strip()
        ]
        if missing:
            names = ", ".join(name.upper() for name in missing)
            raise SignalUnavailable(
                self.title, f"it needs {names}, which is not set", f"set {names} or do without it"
            )
        if not all(value.isprintable() for value in credentials):
            names = " or ".join(name.upper() for name in self.needs)
            raise SignalUnavailable(
                self.title, f"{names} holds a character that cannot be sent", "set it anew"
            )
        # Two threads that miss the same answer ask once: the second finds it on the shelf.
        self._asking = Lock()

    def place(self, zone: str) -> str:
        """What this source calls a zone.

        Raises:
            UnknownZone: it does not know it.
        """
        raise NotImplementedError

    def actual(self, wanted: Wanted, place: str) -> Sequence[Point]:
        """What was, for [wanted.start, wanted.end); what the source does not have is left out.

        Raises:
            SignalUnavailable: it cannot be asked.
            ValueError, KeyError, TypeError, IndexError: it answered in another shape.
        """
        raise NotImplementedError

    def intensity(self, zone: str, window: Window) -> GridSignal:
        """The steps that cover the window, as they were. [gCO₂e/kWh]

        Its `standing` says whether they are final: what is not must not be settled on.

        Raises:
            UnknownZone: this source does not know the zone.
            SignalUnavailable: it cannot be asked, does not have the window, or answers wrongly.
        """
        place = self.place(zone)
        asked = self.wanted(zone, window.start, window.end)
        if window.start > self.web.now():
            raise SignalUnavailable(
                str(asked), "it has not been yet", "ask for the forecast of that time"
            )
        if window.duration > _LONGEST:
            raise SignalUnavailable(
                str(asked), f"it is more than {_LONGEST.days} days", "ask for less at once"
            )
        start = floor(window.start, self.step)
        end = max(ceil(window.end, self.step), start + self.step)
        wanted = self.wanted(zone, start, end)
        with self._asking:
            days = [self._day(wanted, place, day) for day in _days(start, end)]
            points = {point.start: point for _, found in days for point in found}
        return signal(wanted, points, max(stored for stored, _ in days))

    def wanted(self, zone: str, start: datetime, end: datetime) -> Wanted:
        """What is asked for, in the words of signals and errors."""
        return Wanted(self.name, grid_zone(zone), self.kind, start, end, self.step)

    def _day(self, wanted: Wanted, place: str, day: datetime) -> tuple[datetime, list[Point]]:
        """The points of one UTC day, off the shelf or asked for with the days after it."""
        now = self.web.now()
        kept, points = self.kept_points("actual", place, f"{day:%F}")
        first = max(wanted.start, day)
        last = min(wanted.end, day + _DAY) - self.step
        is_there = {at(first), at(last)} <= {point.start for point in points}
        if kept and kept.stands(now) and (is_there or now - kept.stored < _SOON):
            return kept.stored, points
        start = first if self.recent and first > now - self.recent else day
        end = min(max(wanted.end, day + _DAY), start + self.longest, ceil(now, self.step))
        asked = wanted._replace(start=start, end=max(end, start + self.step))
        try:
            found = self.checked(asked, self.actual, asked, place)
        except SignalUnavailable:
            if kept and is_there:
                return kept.stored, points
            raise
        return now, self._keep_days(asked, place, found)[at(day)]

    def _keep_days(
        self, asked: Wanted, place: str, found: Sequence[Point]
    ) -> dict[int, list[Point]]:
        """Keep what was found by day, beside what was known: for ever what is whole and settled."""
        now = self.web.now()
        days: dict[int, list[Point]] = {}
        for day in _days(asked.start, asked.end):
            _, known = self.kept_points("actual", place, f"{day:%F}")
            merged = {point.start: point for point in known}
            of_day = (p for p in found if at(day) <= p.start < at(day + _DAY))
            merged |= {p.start: self._as_of(now, p) for p in of_day}
            days[at(day)] = points = [merged[start] for start in sorted(merged)]
            is_whole = len(points) == _DAY // self.step
            is_final = all(point.standing < Standing.PROVISIONAL for point in points)
            is_settled = is_whole and is_final and day + _DAY + self.settles <= now
            until = None if is_settled else now + self.renewed
            kept = Kept(now, until, {"points": packed(points)})
            self.web.shelf.put(self.key("actual", place, f"{day:%F}"), kept)
        return days

    def _as_of(self, now: datetime, point: Point) -> Point:
        """A point as it stands now: that of a step that still runs is not final."""
        runs = point.start + self.step.total_seconds() > now.timestamp()
        return point._replace(standing=Standing.PROVISIONAL) if runs else point

    def checked(self, wanted: Wanted, ask: Any, *arguments: Any) -> Any:
        """What a source answers, looked at; a shape it never had becomes an error that says so."""
        try:
            found = ask(*arguments)
            points = found.points if isinstance(found, Issue) else found
            look_at(points, wanted.zone, self.kind, self.step)
        except _OTHER_SHAPE as error:
            why = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise Refused(
                str(wanted),
                f"its answer cannot be right: {self.web.quote(why)}",
                "nothing of it was used; see whether its API has changed",
            ) from None
        self.web.shelf.put(self.web.key("last"), Kept(self.web.now(), None, str(wanted)))
        return found

    def kept_points(self, *key: str) -> tuple[Kept | None, list[Point]]:
        """What lies on the shelf, and its points; (None, []) where it is not to be trusted."""
        kept = self.web.shelf.get(*self.key(*key))
        if kept is None:
            return None, []
        try:
            return kept, unpacked(kept.what["points"])
        except (ValueError, TypeError, KeyError):
            return None, []

    def key(self, *key: str) -> tuple[str, ...]:
        """The key of an answer on the shelf: source, address and account, kind, then what it is."""
        return self.web.key(self.kind.value, *key)

    def json(self, wanted: Wanted, reply: Reply) -> Any:
        """The JSON of a reply.

        Raises:
            Refused: it is none.
        """
        try:
            return json.loads(reply.body)
        except ValueError:
            said = self.web.quote(reply.body[:400].decode("utf-8", "replace"))
            raise Refused(
                str(wanted), f"it answered no JSON but {said!r}", "see whether its API has changed"
            ) from None


def _days(start: datetime, end: datetime) -> Iterator[datetime]:
    """The UTC days, each at its midnight, that [start, end) touches."""
    day = floor(start, _DAY)
    while day < end:
        yield day
        day += _DAY


def at(time: datetime) -> int:
    """Whole seconds since 1970 UTC, as points count time. [s]"""
    return int(time.timestamp())
