"""Windows: energy and embodied carbon of a measured window, from its raw quantities.

    E = c·P + (r·t − c)₊·P₀ + Σ eᵢ
    M = max(c, r·t) · m_cpu + max(g, q·t) · m_gpu

c    CPU time of the process and all it started                                       [s]
P    wall power of one busy logical CPU, P₀ of an idle one                            [W]
t    time of the window                                                               [s]
r, q logical CPUs and accelerators that are reserved for it, where somebody said so   [1]
e    energy of the counters: where they cover the CPU, the first two terms are 0      [J]
g    card-seconds held                                                                [s]
m    embodied carbon of one of them held for a second                                 [gCO₂e/s]

What is reserved and idle belongs to the work it is kept for (ISO/IEC 21031:2024, 7.2), but only
whoever reserved it knows. Memory is told apart and never added: P has a usual share of it.

Source: docs/method/process.md, docs/method/embodied.md.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lichen.ledger.estimate import Basis, Estimate, zero
from lichen.ledger.ports import CallReading
from lichen.ledger.quantities import Energy
from lichen.meter import making
from lichen.meter.host import busy
from lichen.meter.power import BusyPower, power_of
from lichen.meter.process import memory_watts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.quantities import Power

__all__ = ["memory_energy", "reading_of_window"]

_LOW = "_low_j"


def reading_of_window(raw: Mapping[str, float | str], prefix: str = "") -> CallReading | None:
    """Energy [J] and embodied carbon [gCO₂e] of a window; None where it has no raw quantities."""
    if f"{prefix}seconds" not in raw:
        return None

    def number(name: str) -> float:
        return float(raw.get(prefix + name, 0.0))

    seconds, cpu = number("seconds"), number("cpu_seconds")
    kept_cpus, kept_gpus = number("reserved_cpus"), number("reserved_gpus")
    factors = [f"embodied/{making.VERSION}"]
    energy = _counted(raw, prefix)
    if key := str(raw.get(f"{prefix}cpu", "")):
        power = _power(key)
        factors.insert(0, power.factors)
        energy += _times(power.watts, cpu)
        if power.idle is not None:
            energy += _times(power.idle, max(0.0, kept_cpus * seconds - cpu))
    embodied = making.of_cpus(max(cpu, kept_cpus * seconds))
    held = max(number("gpu_seconds"), kept_gpus * seconds)
    if held:
        embodied += making.of_gpus(held)
    return CallReading(energy, embodied, factors=" ".join(factors))


def memory_energy(raw: Mapping[str, float | str]) -> Estimate[Energy]:
    """What the most memory a window held may have drawn: apart, wide, never in its energy. [J]"""
    watts = memory_watts(float(raw.get("peak_memory_bytes", 0.0)))
    return _times(watts, float(raw.get("seconds", 0.0)))


def _counted(raw: Mapping[str, float | str], prefix: str) -> Estimate[Energy]:
    """The energy of all counters; an interval of some width had to model a share. [J]"""
    energy = zero(Energy)
    for name in raw:
        if name.startswith(prefix) and name.endswith(_LOW):
            domain = name.removesuffix(_LOW)
            low, value = float(raw[name]), float(raw[f"{domain}_j"])
            high = float(raw[f"{domain}_high_j"])
            energy += Estimate(
                Energy.joules(value),
                Energy.joules(min(low, value)),
                Energy.joules(max(high, value)),
                Basis.MEASURED if low == value == high else Basis.MODELLED,
            )
    return energy


@cache
def _power(key: str) -> BusyPower:
    """The power of the CPU that was booked, by today's tables; of this one, if its row is gone."""
    return power_of(key) or busy()


def _times(watts: Estimate[Power], seconds: float) -> Estimate[Energy]:
    """Energy of a power for so long; not through timedelta, which ends at a microsecond."""
    ends = (watts.value, watts.low, watts.high)
    value, low, high = (Energy.joules(end.in_watts * seconds) for end in ends)
    return Estimate(value, low, high, watts.basis)
