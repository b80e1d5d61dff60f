"""Counts: what budgets have been charged, shared with other processes and kept over restarts.

    charged(bucket, period) = Σ over processes of (estimates of calls under way + what calls took)

A process charges in memory, so that no call waits for a disk. A thread adds what it charged to a
table every `_EVERY_S` and reads back what all have charged: in SQLite beside the ledger's file, in
the ledger's own PostgreSQL, nowhere where the ledger is in memory. So with P processes a budget is
overdrawn by at most what P − 1 of them charge within that time; a kill -9 forgets as much. While
the table cannot be reached, charges wait and each process goes on by what it knows.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Charges = Mapping["Slot", float]

# How long other processes may not know what this one charged. [s]
_EVERY_S = 0.25
# Periods that ended that long ago are let go. [s]
_KEPT_S = 40 * 86_400


class Slot(NamedTuple):
    """A bucket in a period: the budget and whose count it is, and when the period starts [s]."""

    bucket: str
    start: int


class Table(Protocol):
    """Where counts outlive a process, and meet those of others."""

    def merge(self, charges: Charges, since: int) -> dict[Slot, float]:
        """Add charges; all counts of periods that start at `since` [s] or later, with them in.

        Raises:
            Exception: the table cannot be reached; nothing was added.
        """
        ...

    def close(self) -> None:
        """Release it."""
        ...


class Counts:
    """What has been charged, by bucket and period; `warn` hears that the table is away."""

    def __init__(self, table: Table | None, warn: Callable[[object], None]) -> None:
        self._table, self._warn = table, warn
        self._lock = threading.Lock()
        # One thread at a time is at the table.
        self._at_table = threading.Lock()
        self._closed = False
        # What all have charged as last read, and what this process charged since.
        self._known: dict[Slot, float] = {}
        self._fresh: dict[Slot, float] = defaultdict(float)
        self._well = True
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def charged(self, slot: Slot) -> float:
        """What has been charged, as far as this process knows."""
        with self._lock:
            return self._known.get(slot, 0.0) + self._fresh.get(slot, 0.0)

    def charge(self, slot: Slot, amount: float) -> None:
        """Charge a bucket, or give back where the amount is negative."""
        if amount:
            with self._lock:
                self._fresh[slot] += amount

    def slots(self) -> dict[Slot, float]:
        """All counts this process knows."""
        with self._lock:
            names = {*self._known, *self._fresh}
            return {s: self._known.get(s, 0.0) + self._fresh.get(s, 0.0) for s in names}

    def start(self) -> None:
        """Read what was charged before, and share from now on."""
        if self._table is None or self._thread is not None:
            return
        self.share()
        self._thread = threading.Thread(target=self._run, name="lichen-budgets", daemon=True)
        self._thread.start()

    def share(self) -> None:
        """Add what was charged to the table, and read what others charged."""
        if self._table is None:
            return
        with self._at_table:
            if not self._closed:
                self._share(self._table)

    def _share(self, table: Table) -> None:
        with self._lock:
            told, self._fresh = self._fresh, defaultdict(float)
            for slot, amount in told.items():
                # They count while they are on their way.
                self._known[slot] = self._known.get(slot, 0.0) + amount
        try:
            known = table.merge(told, int(time.time()) - _KEPT_S)
        except Exception as error:  # noqa: BLE001 (calls go on while a disk or database is away)
            self._take_back(told)
            self._complain(error)
            return
        self._well = True
        with self._lock:
            self._known = known

    def _take_back(self, told: Charges) -> None:
        with self._lock:
            for slot, amount in told.items():
                self._known[slot] -= amount
                self._fresh[slot] += amount

    def _complain(self, error: Exception) -> None:
        if self._well:
            self._well = False
            self._warn(
                f"what budgets have been charged cannot be kept ({error}): each process counts on "
                "its own until it can"
            )

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self.share()

    def close(self) -> None:
        """Write what waits, and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
            self._thread = None
        if self._table is not None:
            self.share()
            with self._at_table, suppress(Exception):
                self._closed = True
                self._table.close()

    @property
    def closed(self) -> bool:
        """Whether nothing is kept any more."""
        return self._closed

    @property
    def wrong(self) -> list[str]:
        """What is wrong; empty where all is well."""
        return [] if self._well else ["what budgets have been charged cannot be kept"]
