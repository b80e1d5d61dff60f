"""Clock: what time it is, when the wall clock may be set while a job waits.

    now = max(wall clock, wall clock at the start + time since then by the boot clock)

A clock that is set forward, or a machine that wakes from suspend, is believed at once: a job near
its deadline then starts. A clock that is set back is not: it would move the deadline away. All
moments are UTC, so a change to summer time is no event here.

Source: clock_gettime(2), CLOCK_BOOTTIME counts suspend and cannot be set; CLOCK_MONOTONIC stands
still in suspend, as a job does.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# What a time server may correct in passing.
_SLEW = timedelta(seconds=2)


def _wall() -> datetime:
    return datetime.now(UTC)


def _boot_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """The time as a runner may believe it; `wall` and `boot_s` [s] are read, never set."""

    def __init__(
        self, wall: Callable[[], datetime] = _wall, boot_s: Callable[[], float] = _boot_s
    ) -> None:
        self._wall, self._boot_s = wall, boot_s
        self._wall_then, self._boot_then = wall(), boot_s()

    def now(self) -> datetime:
        """The moment, UTC; never earlier than the boot clock allows."""
        return max(self._wall(), self._reckoned())

    def jump(self) -> timedelta:
        """How far the wall clock has been set since the start; 0 for what is mere drift."""
        moved = self._wall() - self._reckoned()
        return moved if abs(moved) > _SLEW else timedelta(0)

    def _reckoned(self) -> datetime:
        return self._wall_then + timedelta(seconds=self._boot_s() - self._boot_then)
