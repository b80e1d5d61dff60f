"""Shares: a scripted part of an upstream's energy, for tests of what is measured of a call.

t = 1 s of CPU time for each call; its energy [J] and embodied carbon [gCO₂e] are this machine's.

Source: lichen.meter.host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.errors import MeterUnavailable
from lichen.meter.host import reading_of_cpu

if TYPE_CHECKING:
    from lichen.ledger.ports import CallReading


class CpuShare:
    """Keeps `Share`: each call takes one second of CPU time.

    `fails` names the method that raises MeterUnavailable, "begin" or "end"; where it does not know
    (`knows`), `end` gives None. `begun` and `ended` count calls.
    """

    method = "process/1"
    factors = "scripted"

    def __init__(self, *, fails: str = "", knows: bool = True) -> None:
        self.fails, self.knows = fails, knows
        self.begun = self.ended = 0

    def begin(self) -> object:
        """A call begins.

        Raises:
            MeterUnavailable: it is told to.
        """
        if self.fails == "begin":
            raise MeterUnavailable("the meter", "it is gone", "mend it")
        self.begun += 1
        return self.begun

    def end(self, begun: object) -> tuple[CallReading, float] | None:
        """Energy, embodied carbon and CPU time [s] of one second; None where it does not know.

        Raises:
            MeterUnavailable: it is told to.
        """
        assert begun
        self.ended += 1
        if self.fails == "end":
            raise MeterUnavailable("the meter", "it is gone", "mend it")
        return (reading_of_cpu(1.0), 1.0) if self.knows else None
