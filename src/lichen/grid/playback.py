"""Playback: a recorded trace that goes on past now, as a forecast.

Somebody else's forecast in a file, or a year played back: what the trace says of the time ahead. A
trace that ended before now says nothing, and a forecaster learns from it instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lichen.ledger.window import Window, aware

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.grid.trace import TraceSource
    from lichen.ledger.signal import GridSignal


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Playback:
    """The steps of a trace that are to come."""

    trace: TraceSource
    clock: Callable[[], datetime] = _now
    name: str = "trace"

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        """What the trace says from now, or from `issued_at`, over a horizon. [gCO₂e/kWh]

        Raises:
            UnknownZone: the trace is of another zone.
            SignalUnavailable: it does not reach that far.
            NaiveTime: `issued_at` has no time zone.
        """
        start = self.clock() if issued_at is None else aware(issued_at)
        signal = self.trace.intensity(zone, Window(start, start + horizon, zone))
        # Played back: it was not issued in times to come.
        return replace(signal, issued_at=min(signal.issued_at, start))

    def ahead(self, zone: str) -> GridSignal:
        """All that the trace has from now on. [gCO₂e/kWh]

        Raises:
            UnknownZone: the trace is of another zone.
            SignalUnavailable: it has ended.
        """
        now, whole = self.clock(), self.trace.signal
        left = whole.end - now
        # Of one that has ended, a step is asked for that it does not have.
        return self.forecast(zone, left if left > timedelta(0) else whole.step, issued_at=now)
