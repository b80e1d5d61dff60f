"""Shares: what part of a machine's energy is one process's, where the counter reads all of it.

    value = t / T        its part of what was busy                                [1]
    low   = t / (n · w)  its part of all there is: what idles belongs to nobody   [1]
    high  = 1            the machine was on for it alone                          [1]

t  CPU time the process and all it started used since the last reading    [s]
T  CPU time everybody used                                                [s]
n  logical CPUs of the machine                                            [1]
w  time since the last reading                                            [s]

t is read to the nanosecond; T comes in kernel ticks, so a share of less than a few ticks is as
coarse as they are. A process that is alone on the machine may be given the whole: `whole`.

Source: proc(5), /proc/stat; docs/method/process.md.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lichen.ledger.errors import MeterUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CpuShare", "Share", "whole"]

_KERNEL_TICKS = os.sysconf("SC_CLK_TCK")
# Of the fields of /proc/stat's first line: idle and iowait are waiting, guest time is in user time.
# Source: proc(5), /proc/stat.
_IDLE, _IOWAIT, _GUEST = 3, 4, 8


class Share(Protocol):
    """The part of a machine's energy since it was last asked: value, low and high."""

    def __call__(self) -> tuple[float, float, float]:
        """Value, low and high, each in [0, 1]. [1]"""
        ...


def whole() -> tuple[float, float, float]:
    """All of it: the machine works for nobody else. [1]"""
    return 1.0, 1.0, 1.0


class CpuShare:
    """The share of one process, by CPU time; each call tells of the time since the one before."""

    def __init__(self, clock: Callable[[], float], proc: Path = Path("/proc")) -> None:
        """Count from now on; `clock` gives the process's CPU time. [s]

        Raises:
            MeterUnavailable: the machine's own CPU time cannot be read.
        """
        self._clock = clock
        self._stat = proc / "stat"
        self._own = clock()
        self._busy, self._all = self._machine()

    def __call__(self) -> tuple[float, float, float]:
        """Value, low and high of the share since the last call. [1]

        Raises:
            MeterUnavailable: the machine's own CPU time can no longer be read.
        """
        own, (busy, every) = self._clock(), self._machine()
        spent = max(0.0, own - self._own)
        of_busy, of_all = busy - self._busy, every - self._all
        self._own, self._busy, self._all = own, busy, every
        # Ticks lag behind nanoseconds: nobody can have used more than all did.
        value = min(1.0, spent / of_busy) if of_busy > 0 else float(spent > 0)
        low = min(value, spent / of_all) if of_all > 0 else 0.0
        return value, low, 1.0

    def _machine(self) -> tuple[float, float]:
        """CPU time everybody has used, and all there was, since the machine started. [s]"""
        try:
            line = self._stat.read_text(encoding="ascii").partition("\n")[0].split()
            ticks = [int(field) for field in line[1 : 1 + _GUEST]]
            idle = ticks[_IDLE] + ticks[_IOWAIT]
        except (OSError, ValueError, IndexError) as error:
            raise MeterUnavailable(
                "a process's share of the machine",
                f"{self._stat} does not tell the machine's CPU time ({error})",
                "read the whole machine instead: share=lichen.meter.shares.whole",
            ) from error
        return (sum(ticks) - idle) / _KERNEL_TICKS, sum(ticks) / _KERNEL_TICKS
