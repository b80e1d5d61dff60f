"""SqlStore: what every store in SQL does the same way, over the tables of schema.py.

A driver brings four things: how to read, how to hold a transaction, how to hold one alone, and how
to insert many rows at once. Everything else, and so what the book means, is here once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import RLock
from typing import TYPE_CHECKING, Any

from lichen.ledger import schema
from lichen.ledger.drafts import Draft, Drafts
from lichen.ledger.entry import FORGOTTEN
from lichen.ledger.errors import EntryConflict, StoreUnavailable
from lichen.ledger.forgetting import Forgetting, Forgotten, forgotten_of
from lichen.ledger.ids import to_int
from lichen.ledger.ports import Gap
from lichen.ledger.repricing import Repricing
from lichen.ledger.rollup import Period, RollupKey, Totals, totals_of
from lichen.ledger.window import from_microseconds, microseconds
from lichen.ledger.writing import add_to_rollups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from lichen.ledger.entry import Entry
    from lichen.ledger.forgetting import Oblivion
    from lichen.ledger.recompute import Pricing, Revision
    from lichen.ledger.writing import Cursor

_PAGE = 1000
# Ids to a query, far below what a statement may hold in any database.
_IDS = 500
# No moment is later: the year 9999 in seconds since 1970.
_NEVER = 253_402_300_800


class IdTaken(StoreUnavailable):
    """An id was there already. Inside a store it means: look which of the entries are new."""

    def __init__(self, where: str) -> None:
        """Say `where`."""
        super().__init__(where, "two writers made the same id at once", "try again")


class SqlStore(ABC):
    """Keeps the `Store` contract over a driver."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._forgets = 0
        self._drafts = self.drafts()
        # The last revision, and the last thing forgotten.
        self._changes = (0, 0)

    @abstractmethod
    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, without waiting for a writer."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Cursor]:
        """A transaction to write in.

        Raises:
            IdTaken: an id was there already; nothing was written.
        """

    @abstractmethod
    def _alone(self) -> AbstractContextManager[Cursor]:
        """A transaction in which no other process adds entries."""

    @abstractmethod
    def _insert(self, cursor: Cursor, table: str, width: int, values: list[Any]) -> None:
        """Insert rows of `width` columns laid end to end."""

    @abstractmethod
    def _scrub(self) -> None:
        """Let go of the places of what is gone."""

    @abstractmethod
    def close(self) -> None:
        """Release the store."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries and their roll-ups in one transaction."""
        if not entries:
            return
        with self._lock:
            try:
                try:
                    with self._transaction() as cursor:
                        self._write(cursor, entries)
                except IdTaken:
                    self._forget()
                    with self._alone() as cursor:
                        self._write(cursor, self._unwritten(cursor, entries))
            except BaseException:
                # Figures of a transaction that did not happen were not written after all.
                self._forget()
                raise

    def drafts(self) -> Drafts:
        """Makes drafts that `append` takes as they are: for one writer, in the order it appends."""
        return Drafts(lambda: self._forgets)

    def _write(self, cursor: Cursor, entries: Sequence[Entry]) -> None:
        self._forget_replaced(cursor)
        drafted = isinstance(entries, Draft) and entries.since == self._forgets
        draft = entries if drafted else self._drafts.of(entries)
        assert isinstance(draft, Draft)
        draft.figures.insert(self._insert, cursor)
        self._insert(cursor, "entries", schema.ENTRIES_WIDTH, draft.rows)
        # In order, so that two writers never wait for each other in a circle.
        sums = sorted(draft.sums.rows().items())
        add_to_rollups(cursor, [(*key, *row) for key, row in sums])

    def _forget(self) -> None:
        """Let go of what was written: drafts that count on it are drafted anew."""
        self._forgets += 1

    def _forget_replaced(self, cursor: Cursor) -> None:
        """Figures priced again or forgotten since are no longer what a new entry says."""
        cursor.execute(schema.LAST_CHANGES)
        [changes] = cursor.fetchall()
        if tuple(changes) != self._changes:
            self._forget()
            self._changes = tuple(changes)

    def _unwritten(self, cursor: Cursor, entries: Sequence[Entry]) -> list[Entry]:
        """The entries that are not in the book yet.

        Raises:
            EntryConflict: an id is there with other contents.
        """
        new: dict[str, Entry] = {}
        for at in range(0, len(entries), _IDS):
            part = entries[at : at + _IDS]
            marks = ", ".join("?" * len(part))
            query = f"{schema.ENTRIES_AS_WRITTEN} WHERE e.id IN ({marks})"
            cursor.execute(query, [to_int(entry.id) for entry in part])
            written = {entry.id: entry for entry in map(schema.entry_of, cursor.fetchall())}
            for entry in part:
                had = written.get(entry.id) or new.get(entry.id)
                if had is None:
                    new[entry.id] = entry
                elif had != entry and had.tenant != FORGOTTEN:
                    raise EntryConflict(entry.id)
        return list(new.values())

    def entry(self, entry_id: str) -> Entry | None:
        """One entry as now priced."""
        rows = self._read(f"{schema.ENTRIES} WHERE e.id = ?", (to_int(entry_id),))
        return schema.entry_of(rows[0]) if rows else None

    def entries(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        strategy: str | None = None,
        newest: int | None = None,
    ) -> Iterator[Entry]:
        """Entries in order of time, read a thousand at a time; or the newest n, newest first."""
        where, values = schema.entry_filter(since, until, strategy)
        query = f"{schema.ENTRIES} WHERE {where}"
        if newest is not None:
            rows = self._read(f"{query} ORDER BY e.id DESC LIMIT ?", (*values, newest))
            yield from map(schema.entry_of, rows)
            return
        last = -1
        while True:
            rows = self._read(f"{query} AND e.id > ? ORDER BY e.id LIMIT ?", (*values, last, _PAGE))
            if not rows:
                return
            last = rows[-1][0]
            yield from map(schema.entry_of, rows)

    def totals(
        self, period: Period, *, since: datetime | None = None, until: datetime | None = None
    ) -> list[Totals]:
        """Roll-ups of a period."""
        first = 0 if since is None else _whole_seconds(since)
        end = _NEVER if until is None else _whole_seconds(until)
        rows = self._read(
            f"{schema.ROLLUPS} WHERE period = ? AND start >= ? AND start < ? "
            "ORDER BY start, strategy, model, unit",
            (int(period), first, end),
        )
        return [totals_of(RollupKey(*row[:5]), row[5:]) for row in rows]

    def note_gap(self, what: str, count: int, at: datetime) -> None:
        """Count a gap."""
        moment = microseconds(at)
        with self._lock, self._transaction() as cursor:
            cursor.execute(schema.ADD_TO_GAPS, (what, count, moment, moment))

    def gaps(self) -> list[Gap]:
        """All counted gaps."""
        rows = self._read("SELECT what, count, first_us, last_us FROM gaps ORDER BY what")
        return [
            Gap(what, count, from_microseconds(first), from_microseconds(last))
            for what, count, first, last in rows
        ]

    def reprice(self, pricing: Pricing, reason: str) -> Revision:
        """Price every entry again, in one transaction; the old figures stay."""
        with self._lock, self._alone() as cursor:
            return Repricing(cursor, self._insert, pricing).run(reason)

    def forget(self, which: Oblivion, *, at_us: int) -> int:
        """Forget, in one transaction, and note that it was; how many entries say less now."""
        with self._lock, self._alone() as cursor:
            count = Forgetting(cursor, which).run()
            noted = (at_us, which.tenant, int(bool(which.contains)), which.before_us, count)
            cursor.execute(schema.ADD_FORGOTTEN, noted)
            # Still alone: nobody counts on rows that say less from here on.
            self._forget()
        return count

    def forgotten(self, after: int = 0) -> list[Forgotten]:
        """What was forgotten, from a number on, oldest first."""
        return [forgotten_of(row) for row in self._read(schema.FORGOTTEN_SINCE, (after,))]

    def seal(self) -> None:
        """All have heard: forget what they had still to write, name no tenant, leave no byte.

        What backups and a database's log hold of it, no statement can reach.
        """
        with self._lock:
            with self._alone() as cursor:
                cursor.execute(schema.UNSEALED)
                for each in map(forgotten_of, cursor.fetchall()):
                    Forgetting(cursor, each.again).run()
                cursor.execute(schema.SEAL_FORGOTTEN)
            self._forget()
            self._scrub()

    def revisions(self) -> list[Revision]:
        """Every pricing again, oldest first."""
        rows = self._read("SELECT * FROM revisions ORDER BY number")
        return [schema.revision_of(row) for row in rows]


def _whole_seconds(moment: datetime) -> int:
    """The first whole second since 1970 that is not before the moment."""
    return -(-microseconds(moment) // 1_000_000)
