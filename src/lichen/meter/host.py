"""What CPU time costs on this machine: energy, and the share of the machine's making.

    E = t · P                       P  wall power of one busy logical CPU      [W] (power.py)
    M = TE · (t / EL) · (1 / n)     TE total embodied carbon of a server       [gCO₂e]
                                    EL its expected lifetime                   [s]
                                    n  its logical CPUs                        [1]

Memory and storage are in TE, so nothing is added for them. A busy second counts as a reserved one:
what sits idle but reserved is not seen from inside a shared machine. The figures of M are in
embodied.csv (lichen.meter.making).

Source: ISO/IEC 21031:2024 clause 7.4; docs/method/embodied.md.
"""

from __future__ import annotations

from functools import cache

from lichen.ledger.estimate import Estimate
from lichen.ledger.ports import CallReading
from lichen.ledger.quantities import Energy
from lichen.meter.machine import machine
from lichen.meter.making import of_cpus
from lichen.meter.power import BusyPower, busy_power

METHOD = "process/1"


@cache
def busy() -> BusyPower:
    """Power of one busy logical CPU of this machine. [W]"""
    return busy_power(machine())


def factors() -> str:
    """Which tables the figures are from."""
    return busy().factors


def reading_of_cpu(seconds: float) -> CallReading:
    """Energy [J] and embodied carbon [gCO₂e] of a CPU time [s] on this machine."""
    return CallReading(_energy(seconds), of_cpus(seconds))


def _energy(seconds: float) -> Estimate[Energy]:
    watts = busy().watts
    return Estimate(
        Energy.joules(watts.value.in_watts * seconds),
        Energy.joules(watts.low.in_watts * seconds),
        Energy.joules(watts.high.in_watts * seconds),
        watts.basis,
    )
