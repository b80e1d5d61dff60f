"""Plan: when, where and on how many nodes a job runs, and what that emits.

    avoided = carbon of running now − expected carbon          [gCO₂e]

Both sides are priced with one signal and one power, so their errors are shared: lows are taken from
lows and highs from highs (docs/method/uncertainty.md). The signal may be a forecast: what a plan
avoids is known when the job has run and the actual intensity is in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError
from lichen.ledger.window import aware

if TYPE_CHECKING:
    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Carbon
    from lichen.ledger.signal import SignalKind


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of running, in one zone, on a number of nodes.

    Raises:
        InputError: it does not last, or has no node.
        NaiveTime: an end of it has no time zone.
    """

    start: datetime
    end: datetime
    zone: str
    nodes: int = 1

    def __post_init__(self) -> None:
        """Refuse a stretch in which nothing can run."""
        if aware(self.end) <= aware(self.start):
            raise InputError(f"a segment must last: {self.start} to {self.end}")
        if self.nodes < 1:
            raise InputError(f"a segment needs a node, got {self.nodes}")

    @property
    def duration(self) -> timedelta:
        """From start to end."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When, where and on how many nodes; the carbon of it, and of running now at home.

    The segments are long enough for the job's p90; `expected` and `run_now` are of its expected
    duration. A job that is done earlier leaves the rest out. Past `latest_safe_start` a job that
    has not started is started whatever the grid. `kind` and `sources` say which signal it was made
    under, `issued_at` how old the oldest is; `gaps` name what was missing.

    Raises:
        InputError: there is no segment, or two of them overlap.
    """

    segments: tuple[Segment, ...]
    expected: Estimate[Carbon]
    run_now: Estimate[Carbon]
    latest_safe_start: datetime
    method: str
    kind: SignalKind
    sources: tuple[str, ...]
    issued_at: datetime
    gaps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a plan that nobody could follow."""
        if not self.segments:
            raise InputError(f"a plan of {self.method} needs a segment")
        for one, other in pairwise(self.segments):
            if other.start < one.end:
                raise InputError(f"segments overlap: {one} and {other}")

    @property
    def start(self) -> datetime:
        """When the job starts."""
        return self.segments[0].start

    @property
    def end(self) -> datetime:
        """When it ends at the latest, if it keeps its p90."""
        return self.segments[-1].end

    @property
    def zone(self) -> str:
        """Where it starts."""
        return self.segments[0].zone

    @property
    def running(self) -> timedelta:
        """Running time of all segments, restarts included."""
        return sum((segment.duration for segment in self.segments), timedelta(0))

    @property
    def avoided(self) -> Estimate[Carbon]:
        """Run-now minus expected, errors shared. [gCO₂e]"""
        return self.run_now.minus_shared(self.expected)

    @property
    def share(self) -> float:
        """Avoided over run-now, best estimates; 0 where running now emits nothing. [1]"""
        now = self.run_now.value.in_grams
        return self.avoided.value.in_grams / now if now else 0.0
