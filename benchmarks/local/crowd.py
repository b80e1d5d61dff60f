"""The crowd: how many threads the model should have, alone and beside one busy process.

llama.cpp's threads meet after every layer, and wait for each other by spinning. With a thread on
every core, one busy neighbour keeps one of them waiting and the others spin.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.local.asking import ask, prompt
from lichen.calls.local import LocalModel, LocalOptions
from lichen.meter.process import ProcessMeter

if TYPE_CHECKING:
    from collections.abc import Iterator

_CALLS = 4
_PROMPT = 64
_WRITTEN = 24
# A neighbour that never waits, and ends with its input.
_BUSY = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
while True:
    pass
"""


@dataclass(frozen=True, slots=True)
class Crowded:
    """What the same calls took with so many threads, alone or not."""

    threads: int
    neighbours: int
    wall_s: float
    cpu_s: float
    load_s: float


@contextmanager
def busy(neighbours: int) -> Iterator[None]:
    """Other processes that keep a core each busy."""
    made = [
        subprocess.Popen([sys.executable, "-c", _BUSY], stdin=subprocess.PIPE)
        for _ in range(neighbours)
    ]
    try:
        yield
    finally:
        for process in made:
            process.kill()
            process.communicate()


def crowded(threads: int, neighbours: int) -> Crowded:
    """The same few calls, one after the other."""
    with busy(neighbours):
        start = time.perf_counter()
        with LocalModel(options=LocalOptions(threads=threads)) as model:
            load = time.perf_counter() - start
            meter = ProcessMeter(model.pid)
            ask(model, meter, prompt(_PROMPT, "warm"), 1)
            before, start = meter.cpu_seconds(), time.perf_counter()
            for turn in range(_CALLS):
                ask(model, meter, prompt(_PROMPT, str(turn)), _WRITTEN)
            wall = time.perf_counter() - start
            return Crowded(threads, neighbours, wall, meter.cpu_seconds() - before, load)
