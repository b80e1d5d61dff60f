"""SqliteStore: the book in one file, the default.

    figures   what entries say, one row for all entries that say the same; never changed
    entries   id, time, tenant, figures; never changed
    repriced  old figures → new figures, one row a revision; the newest wins
    rollups   sums by minute, hour and day, kept in the same transaction as the entries

WAL mode: readers never wait for the writer, a killed process leaves a file that opens, and a second
process may write to the same file (each waits its turn up to `BUSY_MS`). Rows go in by statements
of many rows: Python's sqlite3 gives up the interpreter lock once a statement, and a busy server
would otherwise make the writer queue for it at every row.

Source: SQLite documentation, "Write-Ahead Logging" and "PRAGMA synchronous" (NORMAL in WAL mode
loses at most the last transactions at power loss, never the file's consistency).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from lichen.ledger import schema
from lichen.ledger.entry import Entry, Figures
from lichen.ledger.errors import EntryConflict, LedgerError, StoreUnavailable
from lichen.ledger.ids import from_int, new_id, to_int
from lichen.ledger.ports import Gap
from lichen.ledger.rollup import SUMS, Period, RollupKey, Totals, roll_up, totals_of
from lichen.ledger.rows import FIGURE_COLUMNS, from_row, to_row
from lichen.ledger.window import from_microseconds, microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from lichen.ledger.recompute import Pricing, Revision

BUSY_MS = 5000
# Figures already written that an entry may still point to; beyond it they are written again.
_KNOWN_FIGURES = 4096
_FIGURES = ", ".join(f"f.{name}" for name, _ in FIGURE_COLUMNS)
# An entry's figures are the newest that replaced them, or its own.
_CURRENT = """
 FROM entries e
 LEFT JOIN repriced r ON r.old = e.figures
  AND r.revision = (SELECT max(revision) FROM repriced WHERE old = e.figures)
 JOIN figures f ON f.id = coalesce(r.new, e.figures)
"""


class SqliteStore:
    """Keeps the `Store` contract in an SQLite file.

    Raises:
        StoreUnavailable: the file cannot be opened, is locked, corrupt, or no ledger.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = RLock()
        self._known: dict[int, tuple[Figures, int]] = {}
        with self._translated():
            self._db = self._open()
            schema.migrate(self._db)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # The book holds hashes of credentials and what tenants did: for its owner's eyes.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        db = sqlite3.connect(
            self.path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("PRAGMA temp_store = MEMORY")
        return db

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries and their roll-ups in one transaction."""
        if not entries:
            return
        with self._lock, self._translated():
            try:
                self._append(entries)
            except sqlite3.IntegrityError:
                self._append(self._unwritten(entries))

    def _append(self, entries: Sequence[Entry]) -> None:
        added: list[int] = []
        try:
            with self._transaction():
                rows: list[Any] = []
                figure_rows: list[Any] = []
                for entry in entries:
                    key = self._figures_key(entry.figures, figure_rows, added)
                    rows += (to_int(entry.id), entry.start_us, entry.end_us, entry.tenant, key)
                _insert(self._db, "figures", len(FIGURE_COLUMNS) + 1, figure_rows)
                _insert(self._db, "entries", 5, rows)
                schema.add_to_rollups(self._db, roll_up(entries))
        except BaseException:
            # Figures of a transaction that did not happen were not written after all.
            for key in added:
                self._known.pop(key, None)
            raise

    def _figures_key(self, figures: Figures, rows: list[Any], added: list[int]) -> int:
        known = self._known.get(id(figures))
        if known is not None:
            return known[1]
        number = to_int(new_id())
        rows.append(number)
        rows.extend(to_row(figures))
        while len(self._known) >= _KNOWN_FIGURES:
            del self._known[next(iter(self._known))]
        self._known[id(figures)] = (figures, number)
        added.append(id(figures))
        return number

    def _unwritten(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries that are not in the book yet.

        Raises:
            EntryConflict: an id is there with other contents.
        """
        new: dict[str, Entry] = {}
        for entry in entries:
            had = new.get(entry.id) or self._written(entry.id)
            if had is None:
                new[entry.id] = entry
            elif had != entry:
                raise EntryConflict(entry.id)
        return list(new.values())

    def _written(self, entry_id: str) -> Entry | None:
        """An entry as it was first written, before any revision."""
        query = f"SELECT e.id, e.start_us, e.end_us, e.tenant, {_FIGURES} FROM entries e JOIN figures f ON f.id = e.figures WHERE e.id = ?"  # noqa: E501, S608 (our own column names)
        row = self._db.execute(query, (to_int(entry_id),)).fetchone()
        return None if row is None else _entry(row)

    def entry(self, entry_id: str) -> Entry | None:
        """One entry as now priced."""
        query = f"SELECT e.id, e.start_us, e.end_us, e.tenant, {_FIGURES} {_CURRENT} WHERE e.id = ?"
        rows = self._read(query, (to_int(entry_id),))
        return _entry(rows[0]) if rows else None

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
        query = f"SELECT e.id, e.start_us, e.end_us, e.tenant, {_FIGURES} {_CURRENT} WHERE {where}"
        if newest is not None:
            rows = self._read(f"{query} ORDER BY e.id DESC LIMIT ?", (*values, newest))
            yield from map(_entry, rows)
            return
        last = -1
        while True:
            rows = self._read(f"{query} AND e.id > ? ORDER BY e.id LIMIT 1000", (*values, last))
            if not rows:
                return
            last = rows[-1][0]
            yield from map(_entry, rows)

    def totals(
        self, period: Period, *, since: datetime | None = None, until: datetime | None = None
    ) -> list[Totals]:
        """Roll-ups of a period."""
        rows = self._read(
            f"SELECT period, start, strategy, model, unit, {', '.join(SUMS)}, basis FROM rollups "  # noqa: S608 (our own column names)
            "WHERE period = ? AND start >= ? AND start < ? ORDER BY start, strategy, model, unit",
            (
                int(period),
                microseconds(since) / 1e6 if since else 0,
                microseconds(until) / 1e6 if until else 1 << 62,
            ),
        )
        return [totals_of(RollupKey(*row[:5]), row[5:]) for row in rows]

    def note_gap(self, what: str, count: int, at: datetime) -> None:
        """Count a gap."""
        moment = microseconds(at)
        with self._lock, self._translated(), self._transaction():
            self._db.execute(
                "INSERT INTO gaps VALUES (?, ?, ?, ?) ON CONFLICT (what) DO UPDATE SET "
                "count = count + excluded.count, first_us = min(first_us, excluded.first_us), "
                "last_us = max(last_us, excluded.last_us)",
                (what, count, moment, moment),
            )

    def gaps(self) -> list[Gap]:
        """All counted gaps."""
        rows = self._read("SELECT what, count, first_us, last_us FROM gaps ORDER BY what", ())
        return [
            Gap(what, count, from_microseconds(first), from_microseconds(last))
            for what, count, first, last in rows
        ]

    def reprice(self, pricing: Pricing, reason: str) -> Revision:
        """Price every entry again, in one transaction; the old figures stay."""
        with self._lock, self._translated(), self._transaction():
            return schema.reprice(self._db, pricing, reason, _CURRENT, _FIGURES)

    def revisions(self) -> list[Revision]:
        """Every pricing again, oldest first."""
        rows = self._read("SELECT * FROM revisions ORDER BY number", ())
        return [schema.revision_of(row) for row in rows]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _read(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock, self._translated():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(
                str(self.path), str(error), _way_out(error, self.path)
            ) from error


def _way_out(error: Exception, path: Path) -> str:
    text = str(error)
    if isinstance(error, LedgerError) or "closed" in text:
        return "open it again with lichen.open()"
    if "locked" in text:
        return "another process holds it: end that one, or give this one a ledger of its own"
    if "full" in text:
        return "free some space on the disk; entries wait in memory until then"
    if "malformed" in text or "not a database" in text or "corrupt" in text:
        return (
            f"nothing was changed; keep it aside (mv {path} {path}.corrupt), start again, and "
            f"recover what it holds with: sqlite3 {path}.corrupt .recover"
        )
    return f"check that {path} is a file this user may write"


def _entry(row: Sequence[Any]) -> Entry:
    return Entry(from_int(row[0]), row[1], row[2], row[3], from_row(row[4:]))


def _insert(db: sqlite3.Connection, table: str, width: int, values: list[Any]) -> None:
    """Insert rows of `width` columns laid end to end, many to a statement."""
    at = 0
    for rows in (*[_most(width)] * (len(values) // width // _most(width)), 256, 64, 16, 4, 1):
        size = rows * width
        if rows > _most(width):
            continue
        while len(values) - at >= size:
            marks = ",".join(["(" + ",".join("?" * width) + ")"] * rows)
            db.execute(f"INSERT INTO {table} VALUES {marks}", values[at : at + size])  # noqa: S608 (our own table names)
            at += size


def _most(width: int) -> int:
    """The most rows of `width` columns a statement may have (32,766 values)."""
    return min(1024, 32_766 // width)
