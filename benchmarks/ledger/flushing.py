"""How long an entry takes from `put` until another connection can read it."""

from __future__ import annotations

import random
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ledger.writing import CASES
from lichen.ledger.entry import Entry
from lichen.ledger.ids import new_id
from lichen.ledger.sqlite import SqliteStore
from lichen.ledger.writer import BulkWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A pause between entries, at random up to this: some come alone, some while others wait. [s]
_PAUSE_S = 0.1
# How often the reader looks. [s]
_LOOK_S = 0.0005
# An entry that is not there by then is lost. [s]
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Flush:
    """From put to readable. [ms]"""

    entries: int
    p50_ms: float
    p99_ms: float
    longest_ms: float

    def rows(self) -> Iterator[tuple[str, str, float]]:
        """What is kept of it."""
        what = f"{self.entries} entries put one by one"
        yield what, "put to readable, p50, ms", self.p50_ms
        yield what, "put to readable, p99, ms", self.p99_ms
        yield what, "put to readable, longest, ms", self.longest_ms


def flush_times(count: int) -> Flush:
    """Put entries at random times, and look for each by a connection of its own."""
    pauses = random.Random(count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.db"
        store = SqliteStore(path)
        writer, reader = BulkWriter(store, beside=path), SqliteStore(path)
        waiting: deque[tuple[str, float]] = deque()
        took: list[float] = []
        due = time.perf_counter()
        for said in CASES["figures of its own"](count):
            while time.perf_counter() < due:
                took += _found(reader, waiting)
                time.sleep(_LOOK_S)
            start = time.time_ns() // 1000
            entry = Entry(new_id(start), start, start + 900_000, "9f86d081884c7d65", said)
            waiting.append((entry.id, time.perf_counter()))
            writer.put(entry)
            due += pauses.uniform(0, _PAUSE_S)
        last = time.perf_counter() + _PATIENCE_S
        while waiting and time.perf_counter() < last:
            took += _found(reader, waiting)
            time.sleep(_LOOK_S)
        for each in (writer, store, reader):
            each.close()
    if len(took) != count:
        raise RuntimeError(f"{count} entries were put, {len(took)} could be read in time")
    return _summed(sorted(took))


def _found(reader: SqliteStore, waiting: deque[tuple[str, float]]) -> list[float]:
    """How long each entry took that can be read by now, the oldest first. [s]"""
    took = []
    while waiting and reader.entry(waiting[0][0]) is not None:
        took.append(time.perf_counter() - waiting.popleft()[1])
    return took


def _summed(took: Sequence[float]) -> Flush:
    count = len(took)
    p50, p99 = (took[min(int(share * count), count - 1)] * 1e3 for share in (0.5, 0.99))
    return Flush(count, p50, p99, took[-1] * 1e3)
