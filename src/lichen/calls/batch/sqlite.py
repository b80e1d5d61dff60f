"""SqliteDatabase: what waits, in the ledger's SQLite file.

A connection of its own with synchronous = FULL: the ledger's may lose the last moments at a power
cut, and a call that was accepted may not be lost.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.calls.batch.database import TABLES, missing
from lichen.ledger.errors import StoreUnavailable
from lichen.ledger.sqlite import BUSY_MS, SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.calls.batch.database import Cursor


class SqliteDatabase:
    """Keeps the `Database` protocol in a ledger's file.

    Raises:
        StoreUnavailable: it cannot be opened, is no ledger, or a newer lichen's.
    """

    locking = ""

    def __init__(self, ledger: str) -> None:
        # The ledger first: it marks the file as its own, and refuses one that is another program's.
        SqliteStore(ledger).close()
        self.where = str(Path(ledger).resolve())
        with self._translated():
            self._db = sqlite3.connect(
                self.where, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        with self._translated():
            self._db.execute("PRAGMA synchronous = FULL")
            # What was delivered is gone, and not only forgotten: bodies are prompts.
            self._db.execute("PRAGMA secure_delete = ON")
        with self.transaction() as cursor:
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE name = 'deferred_schema'")
            if not cursor.fetchall()[0][0]:
                for statement in TABLES:
                    cursor.execute(statement)
            cursor.execute("SELECT version FROM deferred_schema")
            for statement in missing(int(cursor.fetchall()[0][0]), self.where):
                cursor.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """All or nothing."""
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

    def now_us(self, cursor: Cursor) -> int:  # noqa: ARG002 (a file is on one machine)
        """This machine's clock. [µs since 1970]"""
        return time.time_ns() // 1000

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreUnavailable(
                self.where, str(error), "see that this user may write it and the disk has room"
            ) from error
