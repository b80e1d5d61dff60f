"""Spans: the times the overview can look back over, each cut into bars.

    hour   60 minutes      day   24 hours      month   30 days      year   52 weeks

The last bar is the one under way. Hours and days begin as the roll-ups keep them, in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lichen.ledger.rollup import Period


@dataclass(frozen=True, slots=True)
class Span:
    """A look back from now. `step`: length of a bar [s]; `every`: least time between updates [s].

    `fresh` is how long sums over the past may serve before they are read again [s].
    """

    name: str
    title: str
    bar: str
    period: Period
    step: int
    count: int
    every: float
    fresh: float

    def since(self, now: datetime) -> datetime:
        """When the first bar begins."""
        return floor(now, self.period) + timedelta(
            seconds=int(self.period) - self.step * self.count
        )

    def settled(self, now: datetime) -> datetime:
        """Before this moment a roll-up seldom changes: the two newest are still being written."""
        return floor(now, self.period) - timedelta(seconds=int(self.period))

    def bar_of(self, moment: datetime, since: datetime) -> int:
        """The number of the bar a moment falls in."""
        return int((moment - since).total_seconds()) // self.step

    def label(self, start: datetime, now: datetime) -> str:
        """How a bar is called on the axis: the time where `now` is told, or the date."""
        if self.period is Period.DAY:
            return f"{start.astimezone(UTC):%-d %b}"
        return f"{start.astimezone(now.tzinfo):%H:%M}"


def floor(moment: datetime, period: Period) -> datetime:
    """The moment at which a period began."""
    seconds = int(moment.timestamp()) // int(period) * int(period)
    return datetime.fromtimestamp(seconds, UTC)


SPANS = (
    Span("hour", "last hour", "minute", Period.MINUTE, 60, 60, every=1.0, fresh=60.0),
    Span("day", "last day", "hour", Period.HOUR, 3600, 24, every=5.0, fresh=60.0),
    Span("month", "last 30 days", "day", Period.DAY, 86400, 30, every=15.0, fresh=300.0),
    Span("year", "last year", "week", Period.DAY, 7 * 86400, 52, every=60.0, fresh=900.0),
)
BY_NAME = {span.name: span for span in SPANS}
