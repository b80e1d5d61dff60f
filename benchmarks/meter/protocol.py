"""What each tracker's program answers: a window's cost, its cost at rest, the power of a busy core.

    python -m benchmarks.meter.with_NAME window|steady|busy SECONDS      one line of JSON

Imports the standard library only, since it runs in the trackers' own environments too.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Between two windows: work of the program that is being measured. [s]
_PAUSE_S = 0.0005


def windows(count: int, once: Callable[[], object]) -> dict[str, float]:
    """Time of one window, entered and left, over `count` of them with work between. [µs]"""
    for _ in range(min(count, 20)):
        once()
    took = []
    for _ in range(count):
        spin(_PAUSE_S)
        start = time.perf_counter_ns()
        once()
        took.append((time.perf_counter_ns() - start) / 1e3)
    took.sort()
    return {"median_us": statistics.median(took), "p99_us": took[int(count * 0.99) - 1]}


def cpu_per_window(count: int, once: Callable[[], object], settle: Callable[[], object]) -> float:
    """CPU time of a window in all, what is done later on other threads included. [µs]"""
    start = time.process_time()
    for _ in range(count):
        once()
    settle()
    return (time.process_time() - start) / count * 1e6


def at_rest(seconds: float) -> float:
    """CPU time this process uses while its own code sleeps, as a share of one core. [1]"""
    start = time.process_time()
    time.sleep(seconds)
    return (time.process_time() - start) / seconds


def spin(seconds: float) -> float:
    """Keep one core busy; the CPU time it took. [s]"""
    start, end = time.process_time(), time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return time.process_time() - start


def answer(parts: dict[str, Callable[[float], dict[str, float]]]) -> None:
    """Run the part that the command line names and print what it found."""
    part, seconds = sys.argv[1], float(sys.argv[2])
    print(json.dumps(parts[part](seconds)))
