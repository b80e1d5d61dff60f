"""Gauges: the meters of this machine side by side, read at the ends of windows.

    stand = (t, c, e₁, e₁₋, e₁₊, …)      what a window spent is the difference of two stands

t  time                                                        [s]
c  CPU time of the process and all it started                  [s]
e  energy of a counter, with the ends of its interval          [J]

The process meter gives no joules here: its CPU time is kept, and priced when the entry is made, and
again when history is priced anew (lichen.meter.windows). A stand without counters costs 2 µs.

A meter that fails stands still, and windows open then say which one: accounting never breaks the
work it measures.
"""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, Any

from lichen.ledger.blind import NO_METER
from lichen.meter.family import FamilyClock
from lichen.meter.process import ProcessMeter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.ledger.window import Reserved
    from lichen.meter.discovery import Found

__all__ = ["GPU_UNMETERED", "Gauges"]

# What an entry says that holds accelerators which nothing here can read.
GPU_UNMETERED = "gpu-unmetered"
# By which domain a counter's joules are called in an entry, if it covers several.
_DOMAINS = ("platform", "cpu", "gpu", "ram")
_KILO = 1024.0


class Gauges:
    """Reads the meters found; keeps `lichen.ledger.ports.WindowMeter`."""

    method = "window/1"

    def __init__(
        self,
        found: Sequence[Found],
        *,
        clock: Callable[[], float] | None = None,
        peak_bytes: Callable[[], float] | None = None,
    ) -> None:
        """Read these meters; `clock` tells CPU time [s], `peak_bytes` the most memory held.

        Both are of this process and all it started by default.
        """
        self.names = tuple(each.name for each in found)
        models = [each.meter for each in found if isinstance(each.meter, ProcessMeter)]
        self._key = models[0].key if models else ""
        self._counters: list[tuple[str, str, Any]] = [
            (each.name, _domain(each.meter.covers), each.meter)
            for each in found
            if not isinstance(each.meter, ProcessMeter)
        ]
        limits = [meter.within_s for _, _, meter in self._counters if meter.within_s]
        self.within_s: float | None = min(limits, default=None)
        self._clock = clock or FamilyClock()
        self._peak = peak_bytes or _own_peak
        self._cpu = 0.0
        self._last: dict[str, tuple[float, ...]] = {}
        self.faults = 0
        self._failed: dict[str, int] = {}

    def stand(self) -> tuple[float, ...]:
        """Where all meters stand now. [s, s, J, J, J, ...]"""
        try:
            cpu = self._clock()
            # A child's time is nobody's for a moment between its end and the wait for it.
            self._cpu = max(cpu, self._cpu)
        except Exception:  # noqa: BLE001 (a window says so, and the work goes on)
            self._fault("process")
        if not self._counters:
            return time.monotonic(), self._cpu
        made = [time.monotonic(), self._cpu]
        for name, _, meter in self._counters:
            made += self._read(name, meter)
        return tuple(made)

    def failed_since(self, faults: int) -> tuple[str, ...]:
        """The meters that failed since there had been so many faults."""
        return tuple(sorted(name for name, at in self._failed.items() if at > faults))

    def raw(
        self, spent: Sequence[float], reserved: Reserved | None
    ) -> tuple[dict[str, float | str], tuple[str, ...]]:
        """The raw quantities of a window that spent this, and what could not be known of it."""
        raw: dict[str, float | str] = {
            "seconds": spent[0],
            "cpu_seconds": spent[1],
            "peak_memory_bytes": self._peak(),
        }
        if self._key:
            raw["cpu"] = self._key
        at = 2
        for _, domain, meter in self._counters:
            for end, name in enumerate((f"{domain}_j", f"{domain}_low_j", f"{domain}_high_j")):
                raw[name] = spent[at + end]
            at += 3
            if hasattr(meter, "held_seconds"):
                raw[f"{domain}_seconds"] = spent[at]
                at += 1
        gaps: tuple[str, ...] = () if self.names else (NO_METER,)
        if reserved is not None:
            raw |= {f"reserved_{name}": held for name, held in reserved.told().items()}
            if reserved.gpus and "gpu_j" not in raw:
                gaps += (GPU_UNMETERED,)
        return raw, gaps

    def _read(self, name: str, meter: Any) -> tuple[float, ...]:
        """Where a counter stands; where it stood, if it cannot be read."""
        held = hasattr(meter, "held_seconds")
        try:
            read = meter.read()
        except Exception:  # noqa: BLE001 (a window says so, and the work goes on)
            self._fault(name)
            return self._last.get(name, (0.0,) * (3 + held))
        stands: tuple[float, ...] = (
            read.value.in_joules,
            read.low.in_joules,
            read.high.in_joules,
        )
        if held:
            stands += (meter.held_seconds,)
        self._last[name] = stands
        return stands

    def _fault(self, name: str) -> None:
        self.faults += 1
        self._failed[name] = self.faults


def _domain(covers: frozenset[str]) -> str:
    return next((name for name in _DOMAINS if name in covers), min(covers))


def _own_peak() -> float:
    """The most memory this process ever held at once. [B]"""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILO
