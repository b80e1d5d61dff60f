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

__all__ = ["family_seconds"]

_ASK = os.WEXITED | os.WSTOPPED | os.WCONTINUED | os.WNOHANG | os.WNOWAIT


def family_seconds(pid: int | None = None) -> float:  # noqa: ARG001 (a clock of the process meter)
    """CPU time this process and all it started have used; `pid` is this process's. [s]

    A child that ends counts from when it is waited for, and until then as one that lives.
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.process_time() + ended.ru_utime + ended.ru_stime
    try:
        os.waitid(os.P_ALL, 0, _ASK)
    except ChildProcessError:
        return seconds
    for child in living_children(os.getpid()):
        try:
            seconds += tree_seconds(child)
        except OSError:  # it ended while we looked
            continue
    return seconds
