"""The process meter: energy of a process from its CPU time, where nothing counts joules.

    E = t · P

t  CPU time the process used since the meter was made                  [s]
P  wall power of one busy logical CPU, by model, as an interval        [W] (lichen.meter.power)

The time is the kernel's own sum, to the nanosecond: a read is one system call. The power is a model
from tables, with an interval that says so. Memory is apart (`memory_power`): the table's servers
had theirs plugged in, so adding it would count it twice.

The meter reads one process, not its children: a service meters itself and its embedded model, a
child, apart. To read a command with all it starts, give `clock=tree_seconds`.

Source: docs/method/process.md.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.ledger.errors import MeterUnavailable
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Energy, Power
from lichen.meter.machine import machine
from lichen.meter.power import BusyPower, busy_power

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ProcessMeter", "living_children", "memory_watts", "process_seconds", "tree_seconds"]

# A process's CPU clock: its id inverted, above three bits of which kind; 2 is scheduler time.
# Source: Linux, include/linux/posix-timers_types.h, MAKE_PROCESS_CPUCLOCK and CPUCLOCK_SCHED.
_SCHEDULER_TIME = 2

# Power of memory [W/GB]: idle and busy 1,152 GB of an AWS p4d.24xlarge, 219.3 and 1,262.9 W.
# Source: Teads, Building an AWS EC2 Carbon Emissions Dataset (2021), sheet "EC2 instances".
_RAM_LOW_W, _RAM_HIGH_W = 0.19, 1.10
# The same, as usually assumed: 0.000392 kWh per GB and hour.
# Source: Cloud Carbon Footprint, methodology, "Memory".
_RAM_W = 0.392

_KERNEL_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def process_seconds(pid: int) -> float:
    """CPU time one process has used, without its children. [s]

    Raises:
        OSError: there is no such process any more.
    """
    return time.clock_gettime((~pid << 3) | _SCHEDULER_TIME)


def tree_seconds(pid: int) -> float:
    """CPU time a process and all it started have used. [s]

    Slower by some 10 µs a thread. A descendant that ends counts through its parent, in steps of a
    kernel tick; one whose parent ends first is adopted by init and no longer counts.

    Raises:
        OSError: there is no such process any more.
    """
    total = process_seconds(pid) + _reaped_seconds(pid)
    for child in living_children(pid):
        try:
            total += tree_seconds(child)
        except OSError:  # it ended while we looked; its parent has its time now or soon
            continue
    return total


def memory_watts(held_bytes: float) -> Estimate[Power]:
    """Power that so much memory may draw: wide, and never part of a reading. [W]"""
    gigabytes = held_bytes / 1e9
    watts = [Power.watts(each * gigabytes) for each in (_RAM_W, _RAM_LOW_W, _RAM_HIGH_W)]
    return Estimate(watts[0], watts[1], watts[2], Basis.ASSUMED)


class ProcessMeter:
    """Energy of one process since the meter was made; keeps `lichen.ledger.ports.Meter`.

    Attributes:
        method: how it reads, for the ledger.
        factors: which power was used, for the ledger.
        covers: what of the machine it stands for.
        power: wall power of one busy logical CPU. [W]
        key: finds that power again on another machine (`lichen.meter.power.power_of`).
        why: why that power, for people.
    """

    method = "process/1"
    basis = Basis.MODELLED
    # The table's servers had their memory plugged in: its usual share is in the power.
    covers = frozenset({"cpu", "ram"})
    within_s = None

    def __init__(
        self,
        pid: int | None = None,
        power: Estimate[Power] | None = None,
        *,
        clock: Callable[[int], float] = process_seconds,
    ) -> None:
        """Begin to count the process `pid`, this one by default.

        Raises:
            MeterUnavailable: there is no such process, or no CPU clock for it.
        """
        self.pid = os.getpid() if pid is None else pid
        found = BusyPower(power, "given", "as given") if power else busy_power(machine())
        self.power, self.factors, self.why = found.watts, found.factors, found.why
        self.key = found.key
        self._clock = clock
        self._watts = tuple(p.in_watts for p in (self.power.value, self.power.low, self.power.high))
        self._began = self._last = 0.0
        self._began = self._last = self._seconds()

    def read(self) -> Estimate[Energy]:
        """Energy used since the meter was made. [J]

        Raises:
            MeterUnavailable: the process has ended.
        """
        seconds = self.cpu_seconds()
        value, low, high = self._watts
        joules = Energy.joules
        return Estimate(
            joules(value * seconds),
            joules(low * seconds),
            joules(high * seconds),
            self.power.basis,
        )

    def cpu_seconds(self) -> float:
        """CPU time used since the meter was made. [s]

        Raises:
            MeterUnavailable: the process has ended.
        """
        return self._seconds() - self._began

    def memory_power(self) -> Estimate[Power]:
        """Power of the memory it holds now; wide, and never part of `read`. [W]

        Raises:
            MeterUnavailable: the process has ended.
        """
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        except OSError as error:
            raise self._unavailable(error) from error
        return memory_watts(pages * _PAGE_BYTES)

    def _seconds(self) -> float:
        """CPU time of the process. [s]"""
        try:
            seconds = self._clock(self.pid)
        except OSError as error:
            raise self._unavailable(error) from error
        if seconds < self._last:
            if self._clock is process_seconds:
                raise MeterUnavailable(
                    f"the process meter of {self.pid}",
                    "its CPU time fell, so the number now belongs to another process",
                    "make a new meter for the process you mean",
                )
            seconds = self._last  # a tick not yet passed from a child to its parent
        self._last = seconds
        return seconds

    def _unavailable(self, error: OSError) -> MeterUnavailable:
        """What to say of a process that cannot be read."""
        what = f"the process meter of {self.pid}"
        if Path(f"/proc/{self.pid}").exists():
            why = f"this kernel does not show its CPU time ({error.strerror or error})"
            mend = "run on Linux, as the same user, or read a counter (RAPL, NVML) instead"
        else:
            why = "there is no such process, or it has ended"
            mend = "read before it ends, or make a new meter for the process that replaced it"
        return MeterUnavailable(what, why, mend)


def _reaped_seconds(pid: int) -> float:
    """CPU time of a process's children that have ended and been waited for. [s]"""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    # Source: proc(5), fields 16 cutime and 17 cstime; the first two end with the last bracket.
    return (int(fields[13]) + int(fields[14])) / _KERNEL_TICKS


def living_children(pid: int) -> list[int]:
    """The processes that a process has started and not waited for."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            started = (thread / "children").read_text(encoding="ascii").split()
            found += (int(child) for child in started)
        except OSError:  # the thread ended
            continue
    return found
