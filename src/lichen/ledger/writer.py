"""BulkWriter: the way into a store off the hot path.

`put` costs microseconds on the average and never fails. Every 64th makes the rows of as many
entries (drafts.py), which takes some tenths of a millisecond; a thread of its own writes what has
come in, at most `FLUSH_S` later, and once more when it closes or the process ends. What may wait is
bounded; what does not fit, or cannot be written, is counted as a gap and shown.

A tally beside the ledger (tally.py) survives kill -9, so that the next start can say how many
entries the last flush lost.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lichen.ledger.drafts import Draft
from lichen.ledger.errors import LedgerError, LichenError, StoreUnavailable
from lichen.ledger.tally import Tally, count_lost

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.ledger.drafts import Drafts
    from lichen.ledger.entry import Entry
    from lichen.ledger.ports import Store

FLUSH_S = 0.2
_RETRY_S = 1.0
# Entries to a transaction: long enough to be quick, short enough not to hold readers up.
_CHUNK = 10_000
LOST_BY_QUEUE = "entries dropped: the ledger could not keep up or be written"
LOST_BY_REFUSAL = "entries refused: their id was taken or the ledger cannot hold them"


class BulkWriter:
    """Takes entries at once and writes them soon.

    `beside` is the ledger's file when it has one: the tally goes next to it. `bound` is the most
    entries that may wait. `on_error` hears of what went wrong, from the writer's thread.
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
        # A store of SQL takes rows that were made before; any other takes the entries alone.
        drafting = getattr(store, "drafts", None)
        self._drafts: Drafts | None = drafting() if drafting is not None else None
        self._queue: deque[list[Entry]] = deque((self._begun(),))
        self._chunk: list[Entry] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._wake = threading.Event()
        self._idle = True
        self._put = self._taken = self._dropped = self._written = self._under_way = 0
        self._unnoted: Counter[str] = Counter()
        self._pid = os.getpid()
        self._tally = self._open_tally(beside) if beside else None
        self._thread = threading.Thread(target=self._run, name="lichen-ledger", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def _begun(self) -> list[Entry]:
        return self._drafts.begin() if self._drafts is not None else []

    def _open_tally(self, beside: Path) -> Tally | None:
        # A ledger that cannot be written now, or a full disk, must not keep anyone from working.
        try:
            count_lost(self._store, beside)
        except LichenError as error:
            self._tell(error)
        try:
            return Tally(beside)
        except LichenError as error:
            self._tell(error)
            return None

    @property
    def waiting(self) -> int:
        """Entries taken and not yet written."""
        return sum(map(len, tuple(self._queue))) + len(self._chunk)

    @property
    def written(self) -> int:
        """Entries written since the start: what has not changed need not be read again."""
        return self._written

    @property
    def dropped(self) -> int:
        """Entries that did not fit, or came after the end, since the start."""
        return self._dropped

    def put(self, entry: Entry) -> None:
        """Take an entry; never waits for the disk and never raises."""
        with self._lock:
            if self._put - self._taken >= self._bound:
                self._dropped += 1
                self._unnoted[LOST_BY_QUEUE] += 1
                return
            last = self._queue[-1]
            if len(last) >= _CHUNK:
                # While chunks wait their rows would wait with them, and twice the memory.
                last = self._begun() if len(self._queue) == 1 else []
                self._queue.append(last)
            if isinstance(last, Draft) and self._drafts is not None:
                self._drafts.add(last, entry)
            else:
                last.append(entry)
            self._put += 1
            if self._tally is not None:
                self._tally.put(self._put)
        self._rouse()

    def under_way(self, change: int) -> None:
        """So many more, or fewer, pieces of work are under way, whose entries are to come.

        After kill -9 the next start counts them as a gap: what they used is in no entry. Told by
        one thread, so it takes no lock: every call passes here twice.
        """
        self._under_way += change
        if self._tally is not None:
            self._tally.under_way(self._under_way)

    def reads_own(self) -> None:
        """This process books its own use from here on: what a kill -9 loses of it is a gap."""
        if self._tally is not None:
            self._tally.reads_own()

    def note_gap(self, what: str) -> None:
        """Count something that should be in the book and is not; never waits and never raises."""
        with self._lock:
            self._unnoted[what] += 1
        self._rouse()

    def _rouse(self) -> None:
        if self._idle:
            self._idle = False
            self._wake.set()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was put is written; False if it takes longer than `timeout` [s]."""
        end = time.monotonic() + timeout
        target = self._put
        if self._written < target:
            self._hurry.set()
        while self._written < target and time.monotonic() < end:
            time.sleep(0.002)
        return self._written >= target

    def close(self, timeout: float = 10.0) -> None:
        """Write what waits, then stop. What cannot be written stays in the tally as a gap."""
        if self._stop.is_set() or os.getpid() != self._pid:
            return
        with self._lock:
            self._bound = 0
        self._stop.set()
        self._hurry.set()
        self._wake.set()
        self._thread.join(timeout)
        atexit.unregister(self.close)
        if self._tally is None or self._thread.is_alive():
            return
        if self.waiting:
            self._tally.close()
        else:
            self._tally.remove()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            self._hurry.wait(FLUSH_S)
            self._hurry.clear()
            # What is put from here on is either drained below or wakes us again.
            self._idle = True
            done = self._drain() and self._note()
            if self._stop.is_set():
                return
            if not done:
                self._hurry.wait(_RETRY_S)
                self._wake.set()

    def _drain(self) -> bool:
        """Write all that waits; False when the store could not be written."""
        # A chunk that failed is kept whole and tried again first: a failed write loses nothing.
        while self._chunk or self._take():
            try:
                self._write(len(self._chunk))
            except StoreUnavailable as error:
                self._tell(error)
                return False
            except Exception:  # noqa: BLE001 (one bad entry must not stop the others)
                if not self._write_parts():
                    return False
        return True

    def _take(self) -> bool:
        """Take what waits longest; False when nothing does."""
        with self._lock:
            if self._queue[0]:
                self._chunk = self._queue.popleft()
                if isinstance(self._chunk, Draft) and self._drafts is not None:
                    self._drafts.finish(self._chunk)
                self._taken += len(self._chunk)
                if not self._queue:
                    self._queue.append(self._begun())
        return bool(self._chunk)

    def _write(self, count: int) -> None:
        """Write the first `count` entries of the chunk, all or none."""
        entries = self._chunk if count == len(self._chunk) else self._chunk[:count]
        if self._tally is not None:
            self._tally.begin(self._written + count, entries[-1].id)
        self._store.append(entries)
        self._done(count)

    def _done(self, count: int) -> None:
        # Not shortened in place: a draft's rows are of all its entries.
        self._chunk = self._chunk[count:]
        self._written += count
        if self._tally is not None:
            self._tally.written(self._written)

    def _write_parts(self) -> bool:
        """Write all but those that a store will never take, such as one whose id is taken.

        Half as many at once where some fail, and twice as many where none do.
        """
        count = len(self._chunk) // 2
        while self._chunk:
            count = min(max(1, count), len(self._chunk))
            try:
                self._write(count)
                count *= 2
            except StoreUnavailable as error:
                self._tell(error)
                return False
            except Exception as error:  # noqa: BLE001 (whatever is wrong with it, it is counted)
                if count > 1:
                    count //= 2
                else:
                    self._refuse(error)
        return True

    def _refuse(self, error: Exception) -> None:
        """The first entry of the chunk will never be written: a counted gap."""
        self._tell(error)
        with self._lock:
            self._unnoted[LOST_BY_REFUSAL] += 1
        self._done(1)

    def _note(self) -> bool:
        """Note the gaps not yet in the book; False when the store could not be written."""
        with self._lock:
            unnoted, self._unnoted = self._unnoted, Counter()
        try:
            for what, count in list(unnoted.items()):
                self._store.note_gap(what, count, datetime.now(UTC))
                del unnoted[what]
        except Exception as error:  # noqa: BLE001 (a thread that dies would count nothing any more)
            self._tell(error)
            with self._lock:
                self._unnoted += unnoted
            return False
        return True

    def _tell(self, error: Exception) -> None:
        with suppress(Exception):
            self._on_error(error if isinstance(error, LedgerError) else LedgerError(str(error)))
