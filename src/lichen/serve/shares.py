"""Shares: CPU time as the service books it, its own and the embedded model's.

Joins `lichen.meter`, which turns CPU time into energy, with `lichen.calls`, which asks what a call
took. Where several calls run at once, energy is split equally among those in flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lichen.ledger.errors import MeterUnavailable
from lichen.meter import host
from lichen.meter.process import ProcessMeter, process_seconds
from lichen.meter.shared import SharedMeter

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.local import LocalModel
    from lichen.ledger.estimate import Estimate
    from lichen.ledger.ports import CallReading
    from lichen.ledger.quantities import Energy


class OwnCpu:
    """This process's CPU time since last asked, without what is `claimed`: booked by others."""

    method = host.METHOD

    def __init__(self, claimed: Callable[[], float] = float) -> None:
        self.factors = host.factors()
        self._meter = ProcessMeter()
        self._last = 0.0
        self._claimed = claimed

    def spent(self) -> float:
        """CPU time since the last call. [s]"""
        now = self._meter.cpu_seconds()
        spent, self._last = now - self._last, now
        return spent - self._claimed()

    def reading(self, cpu_seconds: float) -> CallReading:
        """Energy and embodied carbon of a CPU time."""
        return host.reading_of_cpu(cpu_seconds)


class LocalShare:
    """The embedded model's CPU time, call by call, and idle.

    A child that has ended and was started again is metered anew; calls that were under way when it
    ended have no reading.
    """

    method = host.METHOD

    def __init__(self, model: LocalModel) -> None:
        self.factors = host.factors()
        self.model = model
        self._watts = host.busy().watts.value.in_watts
        self._loading = 0.0
        self.renew()

    def renew(self) -> None:
        """Meter the model's process of now: it was started again.

        Raises:
            MeterUnavailable: it has ended, or cannot be read.
        """
        pid = self.model.pid
        self._shared = SharedMeter(ProcessMeter(pid))
        # What it used to load belongs to no call.
        self._loading += process_seconds(pid)

    def begin(self) -> object:
        """A call begins; None where the meter cannot be read."""
        shared = self._shared
        try:
            return shared, shared.begin()
        except MeterUnavailable:
            return None

    def end(self, begun: object) -> tuple[CallReading, float] | None:
        """The call's share and its CPU time [s]; None where it could not be measured."""
        if begun is None:
            return None
        shared, token = cast("tuple[SharedMeter, int]", begun)
        try:
            seconds = self._seconds(shared.end(token))
        except MeterUnavailable:
            return None
        return host.reading_of_cpu(seconds), seconds

    def spent(self) -> float:
        """CPU time outside any call since last asked, loading included. [s]"""
        try:
            idle = self._seconds(self._shared.drain_idle())
        except MeterUnavailable:
            if self.model.alive:
                raise
            # What it used since the last reading went with it: its end is counted as a gap.
            idle = 0.0
        loading, self._loading = self._loading, 0.0
        return idle + loading

    def reading(self, cpu_seconds: float) -> CallReading:
        """Energy and embodied carbon of a CPU time."""
        return host.reading_of_cpu(cpu_seconds)

    def _seconds(self, energy: Estimate[Energy]) -> float:
        return energy.value.in_joules / self._watts
