"""PostgresDatabase: what waits, in the ledger's PostgreSQL database, for many processes.

Rows are taken with FOR UPDATE SKIP LOCKED, so that two processes never take the same one; leases
run by the server's clock, so that those of the machines need not agree.

Source: PostgreSQL documentation, "SELECT", The Locking Clause.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lichen.calls.batch.database import TABLES, missing
from lichen.ledger.postgres import Link, PostgresStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.calls.batch.database import Cursor

# "deferred" begins so in ASCII: no other program takes the same advisory lock by chance.
_LOCK = 0x6465666572
_WORDS = {"INTEGER": "BIGINT", "BLOB": "BYTEA"}


class PostgresDatabase:
    """Keeps the `Database` protocol in a PostgreSQL database.

    Raises:
        MissingExtra: psycopg is not installed.
        InputError: the address cannot be read.
        StoreUnavailable: the server cannot be reached, or its tables are of a newer lichen.
    """

    locking = " FOR UPDATE SKIP LOCKED"

    def __init__(self, ledger: str, *, schema: str = "lichen") -> None:
        # The ledger first: it makes the schema, and refuses one of a newer lichen.
        PostgresStore(ledger, schema=schema).close()
        self._link = Link(ledger, schema)
        self.where = self._link.where
        try:
            self._prepare(schema)
        except BaseException:
            self._link.close()
            raise

    def _prepare(self, schema: str) -> None:
        with self.transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
            cursor.execute(
                "SELECT count(*) FROM pg_catalog.pg_tables"
                " WHERE schemaname = ? AND tablename = 'deferred_schema'",
                (schema,),
            )
            if not cursor.fetchall()[0][0]:
                for statement in TABLES:
                    cursor.execute(_translated(statement))
            cursor.execute("SELECT version FROM deferred_schema")
            for statement in missing(int(cursor.fetchall()[0][0]), self.where):
                cursor.execute(_translated(statement))

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """All or nothing."""
        with self._link.transaction() as cursor:
            yield cursor

    def now_us(self, cursor: Cursor) -> int:
        """The server's clock. [µs since 1970]"""
        cursor.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return int(cursor.fetchall()[0][0])

    def close(self) -> None:
        """Close the connection."""
        self._link.close()


def _translated(statement: str) -> str:
    """A statement in PostgreSQL's words."""
    for ours, theirs in _WORDS.items():
        statement = statement.replace(ours, theirs)
    return statement
