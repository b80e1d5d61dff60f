"""SqliteStore: the book in one file, the default.

WAL mode: readers never wait for the writer, a killed process leaves a file that opens, and a second
process may write to the same file (each waits its turn up to `busy_ms`). Rows go in by statements
of many rows: Python's sqlite3 gives up the interpreter lock once a statement, and a busy server
would otherwise make the writer queue for it at every row.

Source: SQLite documentation, "Write-Ahead Logging" and "PRAGMA synchronous" (NORMAL in WAL mode
loses at most the last transactions at power loss, never the file's consistency).
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError, StoreUnavailable
from lichen.ledger.schema import MIGRATIONS
from lichen.ledger.sql import IdTaken, SqlStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lichen.ledger.writing import Cursor

BUSY_MS = 5000
# How long writing the file anew waits for those who use it. [s]
_SCRUB_S = 30.0
# "lich" in ASCII: `file` and other tools can tell a ledger from any other database.
APPLICATION_ID = 0x6C696368
# Source: SQLite documentation, "Database File Format", 1.3.1: magic header string.
_MAGIC = b"SQLite format 3\0"
# Source: SQLite documentation, "Limits": SQLITE_MAX_VARIABLE_NUMBER.
_MOST_VALUES = 32_766
_TAKEN = (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE)


class SqliteStore(SqlStore):
    """Keeps the `Store` contract in an SQLite file.

    `busy_ms` is how long to wait for another process that writes. [ms]

    Raises:
        StoreUnavailable: the file cannot be opened, is locked, corrupt, or no ledger.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_ms: int = BUSY_MS) -> None:
        super().__init__()
        self.path = Path(path)
        self._busy_ms = busy_ms
        self._reading = Lock()
        with self._translated():
            self._create()
            self._db = self._connect()
            try:
                self._prepare()
                self._reader = self._connect()
            except BaseException:
                self._db.close()
                raise

    def _create(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # The book holds hashes of credentials and what tenants did: for its owner's eyes.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=self._busy_ms / 1000, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA temp_store = MEMORY")
        # What is forgotten is overwritten; nothing else is ever deleted or shortened.
        db.execute("PRAGMA secure_delete = ON")
        return db

    def _prepare(self) -> None:
        """See that it is a ledger before anything is changed in it; then bring it up to date."""
        version = self._version()
        self._use_wal()
        if version == len(MIGRATIONS):
            return
        with self._transaction() as cursor:
            # Another process may have been quicker.
            for step in MIGRATIONS[self._version() :]:
                for statement in step:
                    cursor.execute(statement)
            cursor.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            cursor.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _version(self) -> int:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        mark = self._db.execute("PRAGMA application_id").fetchone()[0]
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if mark != APPLICATION_ID and tables:
            raise StoreUnavailable(
                str(self.path),
                "it is another program's database",
                "give the ledger a file of its own",
            )
        if version > len(MIGRATIONS):
            raise StoreUnavailable(
                str(self.path),
                f"it has schema version {version}, this lichen knows up to {len(MIGRATIONS)}",
                "a newer lichen wrote it: upgrade this one",
            )
        return version

    def _use_wal(self) -> None:
        end = time.monotonic() + self._busy_ms / 1000
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                # SQLite does not wait here when two processes change the mode at once.
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.01)
            else:
                return

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._reading, self._translated():
            return self._reader.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        with self._translated():
            cursor = self._db.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    cursor.execute("ROLLBACK")
                raise

    # A file has one writer at a time: every transaction is alone.
    _alone = _transaction

    def _insert(self, cursor: Cursor, table: str, width: int, values: list[Any]) -> None:
        # Powers of two: few statements, and few different ones, which stay prepared.
        rows, at = 1 << (_MOST_VALUES // width).bit_length() - 1, 0
        while rows:
            size = rows * width
            if len(values) - at >= size:
                cursor.execute(_insertion(table, width, rows), values[at : at + size])
                at += size
            else:
                rows //= 2

    def _scrub(self) -> None:
        # Old copies of rows lie in the gaps of pages that were split: all are written anew.
        with self._translated():
            scrubbing = sqlite3.connect(self.path, timeout=_SCRUB_S, isolation_level=None)
            try:
                scrubbing.execute("PRAGMA secure_delete = ON")
                scrubbing.execute("VACUUM")
                scrubbing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                scrubbing.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._reading:
            self._reader.close()
            self._db.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode in _TAKEN:
                raise IdTaken(str(self.path)) from error
            raise InputError(f"an entry lacks what the ledger needs: {error}") from error
        except (sqlite3.DataError, sqlite3.InterfaceError, OverflowError, UnicodeError) as error:
            raise InputError(f"an entry holds what the ledger cannot keep: {error}") from error
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(
                str(self.path), str(error), _way_out(str(error), self.path)
            ) from error


def _way_out(text: str, path: Path) -> str:
    if "closed" in text:
        return "open it again with lichen.open()"
    if "locked" in text:
        return "another process holds it: end that one, or give this one a ledger of its own"
    if "full" in text:
        return "free some space on the disk; entries wait in memory until then"
    if "not a database" in text and not _begins_as_one(path):
        return (
            "nothing was changed; this is no lichen ledger, so check the path; if it was one, its "
            "beginning is overwritten: put a copy of it back"
        )
    if "malformed" in text or "not a database" in text or "corrupt" in text:
        return (
            f"nothing was changed; keep it aside (mv {path} {path}.corrupt), start again, and "
            f"recover what it holds with: sqlite3 {path}.corrupt .recover"
        )
    return f"check that {path} is a file this user may write"


def _begins_as_one(path: Path) -> bool:
    """Whether a file begins as every SQLite file does."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


@lru_cache(maxsize=32)
def _insertion(table: str, width: int, rows: int) -> str:
    """The statement that inserts that many rows."""
    marks = ",".join(["(" + ",".join("?" * width) + ")"] * rows)
    return f"INSERT INTO {table} VALUES {marks}"  # noqa: S608 (our own table names)
