"""Making: the embodied carbon of the hardware a piece of work held, from a sourced table.

    M = TE · (t / EL) · s

TE  embodied carbon of a server, or of one accelerator           [gCO₂e]
t   time it was held: busy, or reserved and idle                 [s]
EL  its expected lifetime                                        [s]
s   the share of it: 1 / n logical CPUs of a server, or 1        [1]

A server's memory and disks are in its TE, so nothing is added for them; its accelerators are not.

Source: embodied.csv, row by row; ISO/IEC 21031:2024 clause 7.4; docs/method/embodied.md.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Carbon

__all__ = ["VERSION", "of_cpus", "of_gpus"]

# The table's edition: changes with any figure in it.
VERSION = "2026-11-24"
_G_PER_KG = 1000.0
_S_PER_H = 3600.0


def of_cpus(cpu_seconds: float) -> Estimate[Carbon]:
    """Embodied carbon of logical CPUs held so long together. [gCO₂e]"""
    return _scaled(cpu_seconds, _per_cpu_second())


def of_gpus(card_seconds: float) -> Estimate[Carbon]:
    """Embodied carbon of accelerators held so long together, without their server. [gCO₂e]"""
    return _scaled(card_seconds, _per_card_second())


def _scaled(seconds: float, each: tuple[float, float, float]) -> Estimate[Carbon]:
    value, low, high = (Carbon.grams(part * seconds) for part in each)
    return Estimate(value, low, high, Basis.MODELLED)


@cache
def _per_cpu_second() -> tuple[float, float, float]:
    """Value, low and high of one logical CPU held for a second. [gCO₂e]"""
    made, life, cpus = _row("server"), _row("server_life"), _row("server_cpus")
    return (
        made[1] * _G_PER_KG / (life[1] * _S_PER_H) / cpus[1],
        made[0] * _G_PER_KG / (life[2] * _S_PER_H) / cpus[2],
        made[2] * _G_PER_KG / (life[0] * _S_PER_H) / cpus[0],
    )


@cache
def _per_card_second() -> tuple[float, float, float]:
    """Value, low and high of one accelerator held for a second. [gCO₂e]"""
    made, life = _row("gpu"), _row("gpu_life")
    return (
        made[1] * _G_PER_KG / (life[1] * _S_PER_H),
        made[0] * _G_PER_KG / (life[2] * _S_PER_H),
        made[2] * _G_PER_KG / (life[0] * _S_PER_H),
    )


@cache
def _table() -> dict[str, tuple[float, float, float]]:
    with resources.files(__package__).joinpath("embodied.csv").open(encoding="utf-8") as file:
        return {
            row["part"]: (float(row["low"]), float(row["value"]), float(row["high"]))
            for row in csv.DictReader(file)
        }


def _row(part: str) -> tuple[float, float, float]:
    """Low, value and high of a part."""
    return _table()[part]
