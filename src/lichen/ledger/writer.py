"""BulkWriter: the way into a store off the hot path.

`put` costs a few hundred nanoseconds and never fails: a thread of its own writes what has come in,
at most `FLUSH_S` later, and once more when it closes. The queue is bounded; what does
not fit, or cannot be written, is counted as a gap and shown.

A tally beside the ledger (a memory-mapped file of two counters, put and written) survives kill -9,
so that the next start can say how many entries the last flush lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lichen.ledger.errors import EntryConflict, LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.ledger.entry import Entry
    from lichen.ledger.ports import Store

FLUSH_S = 0.2
_RETRY_S = 1.0
# Entries to a transaction: long enough to be quick, short enough not to hold readers up.
_CHUNK = 10_000
LOST_AT_STOP = "entries lost at a hard stop (at most one flush)"
LOST_BY_QUEUE = "entries dropped: the ledger could not keep up or be written"
LOST_BY_CONFLICT = "entries refused: their id was taken"
_PAIR = struct.Struct("<QQ")


class Tally:
    """Two counters in a small file, so that a killed process leaves word of what it had taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._file.truncate(_PAIR.size)
        self._map = mmap.mmap(self._file.fileno(), _PAIR.size)

    def write(self, put: int, written: int) -> None:
        """Set both counters."""
        _PAIR.pack_into(self._map, 0, put, written)

    def close(self, *, remove: bool) -> None:
        """Close the file; remove it when nothing was lost."""
        if remove:
            self._path.unlink(missing_ok=True)
        self._map.close()
        self._file.close()


def lost_entries(beside: Path) -> int:
    """How many entries killed writers of this ledger had taken and not written; asked once."""
    lost = 0
    for path in beside.parent.glob(f"{beside.name}.tally-*"):
        with contextlib.suppress(OSError), path.open("r+b") as file:
            # A living writer holds its lock; the kernel drops a dead one's.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = file.read(_PAIR.size)
            if len(content) == _PAIR.size:
                put, written = _PAIR.unpack(content)
                lost += max(0, put - written)
            path.unlink(missing_ok=True)
    return lost


class BulkWriter:
    """Takes entries at once and writes them soon.

    `beside` is the ledger's file when it has one: the tally goes next to it. `bound` is the most
    entries that may wait.
    """

    def __init__(
        self,
        store: Store,
        *,
        beside: Path | None = None,
        bound: int = 200_000,
        on_error: Callable[[LedgerError], None] = lambda _error: None,
    ) -> None:
        self._store = store
        self._bound = bound
        self._on_error = on_error
        self._queue: deque[Entry] = deque()
        self._chunk: list[Entry] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._idle = True
        self._put = self._dropped = self._written = 0
        self._tally = self._open_tally(beside) if beside else None
        self._thread = threading.Thread(target=self._run, name="lichen-ledger", daemon=True)
        self._thread.start()

    def _open_tally(self, beside: Path) -> Tally:
        if lost := lost_entries(beside):
            self._store.note_gap(LOST_AT_STOP, lost, datetime.now(UTC))
        return Tally(beside.with_name(f"{beside.name}.tally-{os.getpid()}-{time.time_ns():x}"))

    @property
    def waiting(self) -> int:
        """Entries taken and not yet written."""
        return len(self._queue) + len(self._chunk)

    @property
    def dropped(self) -> int:
        """Entries that did not fit since the start."""
        return self._dropped

    def put(self, entry: Entry) -> None:
        """Take an entry; never waits for the disk and never raises."""
        with self._lock:
            if len(self._queue) >= self._bound:
                self._dropped += 1
                return
            self._queue.append(entry)
            self._put += 1
            if self._tally is not None:
                self._tally.write(self._put, self._written)
        if self._idle:
            self._idle = False
            self._wake.set()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was put is written; False if it takes longer than `timeout` [s]."""
        end = time.monotonic() + timeout
        target = self._put
        while self._written < target and time.monotonic() < end:
            time.sleep(0.005)
        return self._written >= target

    def close(self, timeout: float = 10.0) -> None:
        """Write what waits, then stop. What cannot be written stays in the tally as a gap."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout)
        if self._tally is not None:
            self._tally.close(remove=not self.waiting)

    def _run(self) -> None:
        noted = 0
        while True:
            self._wake.wait()
            self._wake.clear()
            self._stop.wait(FLUSH_S)
            # What is put from here on is either drained below or wakes us again.
            self._idle = True
            written = self._drain()
            noted = self._note_dropped(noted)
            if self._stop.is_set():
                return
            if not written:
                self._stop.wait(_RETRY_S)
                self._wake.set()

    def _drain(self) -> bool:
        """Write all that waits; False when the store could not be written."""
        while self._queue or self._chunk:
            # A chunk that failed is kept whole and tried again first: a failed write loses nothing.
            if not self._chunk:
                size = min(_CHUNK, len(self._queue))
                self._chunk = [self._queue.popleft() for _ in range(size)]
            if not self._write(self._chunk):
                return False
            with self._lock:
                self._written += len(self._chunk)
                self._chunk = []
                if self._tally is not None:
                    self._tally.write(self._put, self._written)
        return True

    def _write(self, chunk: list[Entry]) -> bool:
        try:
            self._store.append(chunk)
        except EntryConflict:
            return self._write_singly(chunk)
        except LedgerError as error:
            self._on_error(error)
            return False
        return True

    def _write_singly(self, chunk: list[Entry]) -> bool:
        """Write all but those whose id is taken by another entry; appending twice is harmless."""
        refused = 0
        try:
            for entry in chunk:
                try:
                    self._store.append([entry])
                except EntryConflict as error:
                    self._on_error(error)
                    refused += 1
            self._store.note_gap(LOST_BY_CONFLICT, refused, datetime.now(UTC))
        except LedgerError as error:
            self._on_error(error)
            return False
        return True

    def _note_dropped(self, noted: int) -> int:
        dropped = self._dropped
        if dropped > noted:
            with contextlib.suppress(LedgerError):
                self._store.note_gap(LOST_BY_QUEUE, dropped - noted, datetime.now(UTC))
                return dropped
        return noted
