"""Count tables: SQLite beside the ledger's file, or a table in the ledger's own PostgreSQL.

A bucket is a budget's name, as the settings have it, with the hashes of who is counted apart.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from lichen.calls.gate.counts import Slot

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.calls.gate.counts import Charges, Table
    from lichen.calls.steps import Place

_COLUMNS = "bucket TEXT NOT NULL, start BIGINT NOT NULL, amount DOUBLE PRECISION NOT NULL"


def table_for(place: Place) -> Table | None:
    """Where counts are kept for a ledger; None where it is in memory.

    Raises:
        sqlite3.Error: the file cannot be used.
    """
    if place.database.startswith(("postgresql:", "postgres:")):
        return PostgresCounts(place.database)
    file = place.file("gate")
    return None if file is None else SqliteCounts(file)


class SqliteCounts:
    """Counts in an SQLite file that processes of one machine share; its owner alone reads it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute(
            f"CREATE TABLE IF NOT EXISTS charged ({_COLUMNS}, PRIMARY KEY (bucket, start))"
        )

    def merge(self, charges: Charges, since: int) -> dict[Slot, float]:
        """Add charges and read all counts, in one transaction where there is anything to add."""
        db = self._db
        if not charges:
            return self._read(since)
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany(
                "INSERT INTO charged VALUES (?, ?, ?) ON CONFLICT (bucket, start) "
                "DO UPDATE SET amount = amount + excluded.amount",
                [(slot.bucket, slot.start, amount) for slot, amount in charges.items()],
            )
            db.execute("DELETE FROM charged WHERE start < ?", (since,))
            found = self._read(since)
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        return found

    def _read(self, since: int) -> dict[Slot, float]:
        rows = self._db.execute(
            "SELECT bucket, start, amount FROM charged WHERE start >= ?", (since,)
        )
        return {Slot(bucket, start): amount for bucket, start, amount in rows}

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class PostgresCounts:
    """Counts in the ledger's PostgreSQL, in the schema `lichen`; connects when first used."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._db: Any = None

    def _connected(self) -> Any:
        if self._db is None or self._db.closed:
            import psycopg  # noqa: PLC0415 (a ledger in PostgreSQL has it)

            self._db = psycopg.connect(self._address, connect_timeout=5)
            with self._db.transaction():
                self._db.execute("CREATE SCHEMA IF NOT EXISTS lichen")
                self._db.execute(
                    f"CREATE TABLE IF NOT EXISTS lichen.gate_charged ({_COLUMNS}, "
                    "PRIMARY KEY (bucket, start))"
                )
        return self._db

    def merge(self, charges: Charges, since: int) -> dict[Slot, float]:
        """Add charges and read all counts, in one transaction."""
        db = self._connected()
        try:
            with db.transaction(), db.cursor() as cursor:
                # In one order, so that two processes never wait for one another in a circle.
                for slot in sorted(charges):
                    cursor.execute(
                        "INSERT INTO lichen.gate_charged AS had VALUES (%s, %s, %s) ON CONFLICT "
                        "(bucket, start) DO UPDATE SET amount = had.amount + excluded.amount",
                        (slot.bucket, slot.start, charges[slot]),
                    )
                if charges:
                    cursor.execute("DELETE FROM lichen.gate_charged WHERE start < %s", (since,))
                cursor.execute(
                    "SELECT bucket, start, amount FROM lichen.gate_charged WHERE start >= %s",
                    (since,),
                )
                return {Slot(bucket, start): amount for bucket, start, amount in cursor}
        except BaseException:
            db.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._db is not None:
            self._db.close()
