"""The shared meter: one process's energy apportioned among the calls it serves at the same time.

    eᵢ = Σ over intervals in which call i was in flight:  ΔE / n        Σ eᵢ + idle = E

ΔE    energy between two events, an event being a call that begins or ends       [J]
n     calls in flight in that interval                                           [1]
idle  energy of the intervals in which none was                                  [J]

Every joule goes to exactly one place, so the parts sum to the whole; the equal split is a choice,
not a measurement, and docs/method/process.md says what it gets wrong.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Energy

if TYPE_CHECKING:
    from lichen.ledger.ports import Meter

__all__ = ["SharedMeter"]

# The value, its low and its high end, in joules.
_Joules = tuple[float, float, float]
_NONE: _Joules = (0.0, 0.0, 0.0)


class SharedMeter:
    """Apportions a meter's energy; safe to share among threads.

    begin() when a call starts, end(token) when it is over, drain_idle() now and then.
    """

    def __init__(self, meter: Meter) -> None:
        """Apportion what `meter` reads from now on.

        Raises:
            MeterUnavailable: it cannot be read.
        """
        self._meter = meter
        self._lock = threading.Lock()
        self._began: dict[int, _Joules] = {}
        self._tokens = 0
        first = meter.read()
        self._basis = first.basis
        self._last = _joules(first)
        # What a call in flight from the first moment on would have got; each call's part is the
        # difference between its end and its beginning, so that an event costs the same however
        # many calls there are.
        self._each = _NONE
        self._idle = _NONE

    @property
    def in_flight(self) -> int:
        """Calls that have begun and not ended. [1]"""
        return len(self._began)

    def begin(self) -> int:
        """A call begins; its token.

        Raises:
            MeterUnavailable: the meter can no longer be read; the call is not counted.
        """
        with self._lock:
            self._settle()
            self._tokens += 1
            self._began[self._tokens] = self._each
            return self._tokens

    def end(self, token: int) -> Estimate[Energy]:
        """A call is over; its part of the energy. [J]

        Raises:
            InputError: no such call is in flight.
            MeterUnavailable: the meter can no longer be read; the call is over all the same.
        """
        with self._lock:
            if token not in self._began:
                raise InputError(f"no call with token {token!r} is in flight: end it once")
            try:
                self._settle()
            finally:
                began = self._began.pop(token)
            return self._estimate(_minus(self._each, began))

    def drain_idle(self) -> Estimate[Energy]:
        """Energy spent with no call in flight since the last time this was asked. [J]

        Raises:
            MeterUnavailable: the meter can no longer be read.
        """
        with self._lock:
            self._settle()
            idle, self._idle = self._idle, _NONE
            return self._estimate(idle)

    def _settle(self) -> None:
        """Give out the energy since the last event."""
        reading = self._meter.read()
        self._basis = max(self._basis, reading.basis)
        now = _joules(reading)
        spent, self._last = _minus(now, self._last), now
        if self._began:
            share = 1.0 / len(self._began)
            each = self._each
            self._each = (
                each[0] + spent[0] * share,
                each[1] + spent[1] * share,
                each[2] + spent[2] * share,
            )
        else:
            idle = self._idle
            self._idle = (idle[0] + spent[0], idle[1] + spent[1], idle[2] + spent[2])

    def _estimate(self, joules: _Joules) -> Estimate[Energy]:
        """As an interval; rounding may not push an end past the value."""
        value, low, high = joules
        return Estimate(
            Energy.joules(value),
            Energy.joules(min(low, value)),
            Energy.joules(max(high, value)),
            Basis(self._basis),
        )


def _joules(reading: Estimate[Energy]) -> _Joules:
    """Value, low and high. [J]"""
    return reading.value.in_joules, reading.low.in_joules, reading.high.in_joules


def _minus(later: _Joules, sooner: _Joules) -> _Joules:
    """What was added between two sums. [J]"""
    return later[0] - sooner[0], later[1] - sooner[1], later[2] - sooner[2]
