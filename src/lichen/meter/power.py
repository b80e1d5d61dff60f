"""Watts per busy CPU: what one logical CPU draws at the wall while it works, by model.

    virtual machine     P = busy(architecture)            [low, high] from its row
    own machine         P = r·TDP / n                     [r₋·TDP / n, r₊·TDP / n]
    reserved, and idle  P = idle(architecture)            [lowest, highest] of those it may be

busy  wall power of a fully loaded server per hardware thread          [W]
idle  wall power of the same server with nothing to do, per thread     [W]
TDP   thermal design power of the CPU package                          [W]
n     logical CPUs of the package                                      [1]
r     wall power of a fully loaded server over the TDP of its CPUs     [1]

A CPU that fits several architectures, or none, gets the whole range of all that it may be. What a
machine says of itself is cross-checked: a CPU that shows features its model number cannot have (a
hypervisor changed the number) is taken for any architecture that has them.

Source: power_vm.csv and power_tdp.csv, made by tools/freeze_power.py; docs/method/process.md.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from statistics import mean
from typing import TYPE_CHECKING

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Power

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.meter.machine import Machine

# The tables' edition: changes with any figure in them.
VERSION = "2026-11-23"

# Wall power at full load over TDP, median of 726 servers whose CPU is in power_tdp.csv.
# Source: SPECpower_ssj2008 results, by tools/freeze_power.py.
_WALL_TO_TDP = 1.118

# What work adds to the wall power of an idle server over TDP, 5th percentile of the same servers.
# Source: SPECpower_ssj2008 results, by tools/freeze_power.py.
_ADDED_TO_TDP = 0.594

# One busy thread of 16 drew 18.3 W from a package of 90 W that slept without it: 3.3 times its
# share of TDP. Source: codecarbon@b05965e, cpu_load_profiling/AMD_EPYC_8024P_8C, some_cores.
_LONE_TO_TDP = 3.3


@dataclass(frozen=True, slots=True)
class BusyPower:
    """Power of one busy logical CPU, which table rows it is from, and why those. [W]

    `idle` is what it takes reserved and idle, None where the power was given and not looked up;
    `key` finds the same rows again on another machine (`power_of`).
    """

    watts: Estimate[Power]
    factors: str
    why: str
    idle: Estimate[Power] | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row of power_vm.csv. [W]"""

    name: str
    vendor: str
    family: int
    models: frozenset[int]
    features: frozenset[str]
    idle_w: float
    busy_w: float
    low_w: float
    high_w: float


def busy_power(machine: Machine) -> BusyPower:
    """What one busy logical CPU of this machine draws at the wall. [W]"""
    tdp_w = None if machine.virtual else _tdp().get(machine.plain_name)
    fitting, why = fits(machine)
    if tdp_w is not None:
        threads = machine.siblings or machine.logical
        return _by_tdp(machine.plain_name, tdp_w, threads, fitting)
    return _by_architecture(fitting, why)


def power_of(key: str) -> BusyPower | None:
    """The power a key stands for, from today's tables; None if no row has its name any more. [W]"""
    kind, _, rest = key.partition(":")
    if kind == "vm":
        rows = _named(rest)
        return _by_architecture(rows, "as booked") if rows else None
    threads, _, rest = rest.partition(":")
    name, _, alike = rest.partition("@")
    tdp_w, rows = _tdp().get(name), _named(alike)
    if kind != "tdp" or tdp_w is None or not rows or not threads.isdigit():
        return None
    return _by_tdp(name, tdp_w, int(threads), rows)


def _named(names: str) -> Sequence[Architecture]:
    """Rows by their names, joined as in a key."""
    if names == "any":
        return architectures()
    wanted = set(names.split("|"))
    return [row for row in architectures() if row.name in wanted]


def _names(rows: Sequence[Architecture]) -> str:
    """The names of rows, as in a key."""
    every = len(rows) == len(architectures())
    return "any" if every else "|".join(row.name for row in rows)


def fits(machine: Machine) -> tuple[Sequence[Architecture], str]:
    """The architectures that this machine's CPU may be, and why."""
    rows = architectures()
    shown = machine.flags & frozenset().union(*(row.features for row in rows))
    numbered = [
        row
        for row in rows
        if (row.vendor, row.family) == (machine.vendor, machine.family)
        and machine.model in row.models
        and shown <= row.features
    ]
    if numbered:
        # Skylake and Cascade Lake share a number: the one whose features all show is meant.
        proven = [row for row in numbered if row.features <= shown]
        most = max((len(row.features) for row in proven), default=0)
        named = [row for row in proven if len(row.features) == most] or numbered
        return named, f"model {machine.family}/{machine.model} of {machine.vendor}"
    alike = [row for row in rows if row.vendor == machine.vendor and shown <= row.features]
    # On a machine of one's own nobody changed the number: it is newer than the table, or no server.
    if alike and shown and machine.virtual:
        return alike, (
            f"no {machine.vendor} CPU of model {machine.family}/{machine.model} is known to have "
            f"{', '.join(sorted(shown))}: any {machine.vendor} architecture that has"
        )
    return rows, f"the CPU {machine.name or machine.vendor or 'without a name'!r} is in no table"


def _by_architecture(fitting: Sequence[Architecture], why: str) -> BusyPower:
    """From the servers of the architectures a CPU may be."""
    return BusyPower(
        Estimate(
            Power.watts(mean(row.busy_w for row in fitting)),
            Power.watts(min(row.low_w for row in fitting)),
            Power.watts(max(row.high_w for row in fitting)),
            Basis.MODELLED,
        ),
        f"power_vm/{VERSION}:{_names(fitting)}",
        why,
        _idle(fitting),
        f"vm:{_names(fitting)}",
    )


def _by_tdp(name: str, tdp_w: float, threads: int, fitting: Sequence[Architecture]) -> BusyPower:
    """From the thermal design power of a CPU that is not shared with strangers."""
    share = tdp_w / threads
    return BusyPower(
        Estimate(
            Power.watts(share * _WALL_TO_TDP),
            Power.watts(share * _ADDED_TO_TDP),
            Power.watts(share * _LONE_TO_TDP),
            Basis.MODELLED,
        ),
        f"power_tdp/{VERSION}:{name}",
        f"{name} has a TDP of {tdp_w:g} W",
        _idle(fitting),
        f"tdp:{threads}:{name}@{_names(fitting)}",
    )


def _idle(fitting: Sequence[Architecture]) -> Estimate[Power]:
    """What a logical CPU's share of the server takes while nothing is done. [W]"""
    watts = [row.idle_w for row in fitting]
    return Estimate(
        Power.watts(mean(watts)), Power.watts(min(watts)), Power.watts(max(watts)), Basis.MODELLED
    )


@cache
def architectures() -> tuple[Architecture, ...]:
    """All rows of power_vm.csv."""
    return tuple(
        Architecture(
            row["architecture"],
            row["vendor"],
            int(row["family"]),
            frozenset(int(model) for model in row["models"].split()),
            frozenset(row["features"].split()),
            float(row["idle_w"]),
            float(row["busy_w"]),
            float(row["low_w"]),
            float(row["high_w"]),
        )
        for row in _rows("power_vm.csv")
    )


@cache
def _tdp() -> dict[str, float]:
    """Thermal design power by plain CPU name. [W]"""
    return {row["cpu"]: float(row["tdp_w"]) for row in _rows("power_tdp.csv")}


def _rows(table: str) -> list[dict[str, str]]:
    """The rows of a table beside this file."""
    with resources.files(__package__).joinpath(table).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
