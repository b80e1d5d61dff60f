"""Shares: CPU time as the service books it, its own and the embedded model's.

Joins `meter.process`, which reads CPU time and turns it into energy, with `calls`, which asks what
one call took. Where several calls run at once, CPU time is split equally among those in flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.meter.process import FACTORS, METHOD, CpuClock, reading_of_cpu

if TYPE_CHECKING:
    from lichen.ledger.ports import CallReading


class OwnCpu:
    """This process's CPU time since last asked."""

    method = METHOD
    factors = FACTORS

    def __init__(self) -> None:
        self._clock = CpuClock()
        self._last = self._clock.seconds()

    def spent(self) -> float:
        """CPU time since the last call. [s]"""
        now = self._clock.seconds()
        spent, self._last = now - self._last, now
        return max(0.0, spent)

    def reading(self, cpu_seconds: float) -> CallReading:
        """Energy and embodied carbon of a CPU time."""
        return reading_of_cpu(cpu_seconds)
