"""Family: CPU time of this process and of all it started, living or ended.

    t = own + ended and waited for + Σ over living children of their tree's       [s]

The first two are one system call each, to the nanosecond and the microsecond. Whether there are
living children is asked of the kernel too (waitid says ECHILD), so that a process without any, the
usual case, pays 1 µs; with children, some 10 µs a thread.

Source: getrusage(2), RUSAGE_CHILDREN; waitid(2), WNOWAIT.
"""

from __future__ import annotations

import os
import resource
import time

from lichen.meter.process import living_children, tree_seconds

__all__ = ["FamilyClock", "family_seconds"]

# For so long a process that had no children is taken to have none: what one that was started since
# has used by then counts a little later. [s]
_FRESH_S = 0.001
_ASK = os.WEXITED | os.WSTOPPED | os.WCONTINUED | os.WNOHANG | os.WNOWAIT


def family_seconds(pid: int | None = None) -> float:  # noqa: ARG001 (a clock of the process meter)
    """CPU time this process and all it started have used; `pid` is this process's. [s]

    A child that ends counts from when it is waited for, and until then as one that lives.
    """
    seconds = _own_seconds()
    if not _has_children():
        return seconds
    return seconds + _living_seconds()


class FamilyClock:
    """The same, of this process, for who asks often: whether there are children is asked seldom."""

    def __init__(self) -> None:
        self._alone_at = float("-inf")

    def __call__(self) -> float:
        """CPU time this process and all it started have used. [s]"""
        seconds, now = _own_seconds(), time.monotonic()
        if now - self._alone_at < _FRESH_S:
            return seconds
        if not _has_children():
            self._alone_at = now
            return seconds
        return seconds + _living_seconds()


def _own_seconds() -> float:
    """Of this process, and of its children that have ended and been waited for. [s]"""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _has_children() -> bool:
    """Whether any child lives, or has ended and was not waited for."""
    try:
        os.waitid(os.P_ALL, 0, _ASK)
    except ChildProcessError:
        return False
    return True


def _living_seconds() -> float:
    """Of all children and theirs that were not waited for. [s]"""
    seconds = 0.0
    for child in living_children(os.getpid()):
        try:
            seconds += tree_seconds(child)
        except OSError:  # it ended while we looked
            continue
    return seconds
