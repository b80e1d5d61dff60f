"""JobMeter: the energy of a job on this machine's cards, and of its CPU time.

    E = Σ cards (its share of the counter) + E(CPU time of its processes)      [J]

Whose part of a card's energy a job has can be told only while its processes live, so it is read
again and again; what it used before the first reading and after the last is missed: a quarter of a
second each, as often as a runner looks.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import MeterUnavailable
from lichen.ledger.estimate import zero
from lichen.ledger.quantities import Energy
from lichen.meter.host import reading_of_cpu
from lichen.meter.nvml import NvmlMeter
from lichen.meter.process import living_children, tree_seconds

if TYPE_CHECKING:
    from lichen.ledger.estimate import Estimate

__all__ = ["JobMeter", "has_cards"]


def has_cards(nvml: Any = None) -> bool:
    """Whether there are cards here whose energy can be told by process."""
    try:
        NvmlMeter(nvml=nvml)
    except MeterUnavailable:
        return False
    return True


class JobMeter:
    """Energy of the process `pid` and all it starts; keeps `lichen.ledger.ports.Meter`.

    A card counts while one of them is on it.

    Raises:
        MeterUnavailable: there is no card, or none that can be read.
    """

    def __init__(self, pid: int, *, nvml: Any = None) -> None:
        self._pid = pid
        self._cards = NvmlMeter(nvml=nvml, pids=lambda: tree_of(pid), idle=False)
        self._cpu_s, self._last = 0.0, zero(Energy)

    def read(self) -> Estimate[Energy]:
        """Energy since it began: of the CPU since the process did, of the cards since then. [J]

        When the process has ended, as at the last reading while it lived.

        Raises:
            MeterUnavailable: a card can no longer be read.
        """
        try:
            # A descendant whose parent has ended counts no longer.
            self._cpu_s = max(self._cpu_s, tree_seconds(self._pid))
        except OSError:
            return self._last
        self._last = self._cards.read() + reading_of_cpu(self._cpu_s).energy
        return self._last


def tree_of(pid: int) -> set[int]:
    """A process and all it started that live; only itself where it has ended."""
    found, look_at = {pid}, [pid]
    while look_at:
        with suppress(OSError):
            for child in living_children(look_at.pop()):
                if child not in found:
                    found.add(child)
                    look_at.append(child)
    return found
