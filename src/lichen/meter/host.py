"""What CPU time costs on this machine: energy, and the share of the machine's making.

    E = t · P                       P  wall power of one busy logical CPU      [W] (power.py)
    M = TE · (t / EL) · (1 / n)     TE total embodied carbon of a server       [gCO₂e]
                                    EL its expected lifetime                   [s]
                                    n  its logical CPUs                        [1]

Memory and storage are in TE, so nothing is added for them. A busy second counts as a reserved one:
what sits idle but reserved is not seen from inside a shared machine.

Source: ISO/IEC 21031:2024 clause 7.4; docs/method/embodied.md.
"""

from __future__ import annotations

from functools import cache

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.ports import CallReading
from lichen.ledger.quantities import Carbon, Energy
from lichen.meter.machine import machine
from lichen.meter.power import BusyPower, busy_power

METHOD = "process/1"

# Embodied carbon of a two-socket rack server [gCO₂e]: without and with eight large SSDs.
# Source: Teads, Building an AWS EC2 Carbon Emissions Dataset (2021), baseline of 1,000 kg; Dell,
# Life Cycle Assessment of PowerEdge R740 (2019), manufacturing, 4,285 kg.
_SERVER_LOW_G, _SERVER_G, _SERVER_HIGH_G = 1.0e6, 1.5e6, 4.285e6
# Expected lifetime [h]: 4 years by the SCI's own example, 6 as large clouds depreciate servers.
# Source: Green Software Foundation, SCI specification, "Embodied emissions"; Alphabet, Form 10-K
# 2023, note 1 (useful life of servers).
_LIFE_SHORT_H, _LIFE_LONG_H = 35_040.0, 52_560.0
# Logical CPUs of such a server: 48 (two 12-core Xeons) to 128 (two 32-core EPYCs), 96 between.
# Source: vCPU counts of whole-server instances, AWS EC2 instance types (c5.metal 96, m6a 192).
_FEW, _USUAL, _MANY = 48.0, 96.0, 128.0
_HOUR_S = 3600.0


@cache
def busy() -> BusyPower:
    """Power of one busy logical CPU of this machine. [W]"""
    return busy_power(machine())


def factors() -> str:
    """Which tables the figures are from."""
    return busy().factors


def reading_of_cpu(seconds: float) -> CallReading:
    """Energy [J] and embodied carbon [gCO₂e] of a CPU time [s] on this machine."""
    return CallReading(_energy(seconds), _embodied(seconds))


def _energy(seconds: float) -> Estimate[Energy]:
    watts = busy().watts
    return Estimate(
        Energy.joules(watts.value.in_watts * seconds),
        Energy.joules(watts.low.in_watts * seconds),
        Energy.joules(watts.high.in_watts * seconds),
        watts.basis,
    )


def _embodied(seconds: float) -> Estimate[Carbon]:
    hours = seconds / _HOUR_S
    return Estimate(
        Carbon.grams(_SERVER_G * hours / _LIFE_SHORT_H / _USUAL),
        Carbon.grams(_SERVER_LOW_G * hours / _LIFE_LONG_H / _MANY),
        Carbon.grams(_SERVER_HIGH_G * hours / _LIFE_SHORT_H / _FEW),
        Basis.MODELLED,
    )
