"""PostgresStore: the book in a PostgreSQL database, for many writers on many machines.

The tables are SQLite's (schema.py) in a schema of their own. Rows go in by COPY, one transaction an
append; the tables are made and migrated under an advisory lock, so that any number of processes may
start at once. A lost connection is an error of that one call; the next call connects again, and
writing the same entries again is harmless.

Needs psycopg 3, imported when a store is made: the extra `postgres`.

Source: PostgreSQL documentation, "Explicit Locking" (table and advisory locks) and "COPY".
"""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError, MissingExtra, StoreUnavailable
from lichen.ledger.schema import MIGRATIONS
from lichen.ledger.sql import IdTaken, SqlStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import ModuleType

    import psycopg

    from lichen.ledger.writing import Cursor

_CONNECT_S = 10
# "lichen" in ASCII: no other program takes the same advisory lock by chance.
_MIGRATION_LOCK = 0x6C696368656E
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_START = "it refused or could not be reached"
_MEND = "see that the server runs and that the address and the user's rights are right"
_WAIT = "it is tried again at the next call; entries wait in memory until then"
_AT_START = "nothing was started and nothing written: start again when it answers"


class PostgresStore(SqlStore):
    """Keeps the `Store` contract in a PostgreSQL database.

    `dsn` is a connection string or URL as libpq reads it; `schema` is where the tables stand.

    Raises:
        MissingExtra: psycopg is not installed.
        InputError: the connection string or the schema's name cannot be read.
        StoreUnavailable: the server cannot be reached, or its tables are of a newer lichen.
    """

    def __init__(self, dsn: str, *, schema: str = "lichen") -> None:
        super().__init__()
        if not _NAME.fullmatch(schema):
            raise InputError(
                f"a schema's name is small letters, digits and underscores, got {schema!r}"
            )
        self._schema = schema
        self._writing = Link(dsn, schema, wait=_AT_START)
        self._reading = Link(dsn, schema)
        try:
            with self._lock:
                self._migrate()
        except BaseException:
            self.close()
            raise
        self._writing.wait = _WAIT

    @property
    def address(self) -> str:
        """Which book this is, for whoever connects from here: server, database and schema."""
        return f"{self._writing.where}?schema={self._schema}"

    def __repr__(self) -> str:
        return f"PostgresStore({self._writing.where})"

    def _migrate(self) -> None:
        with self._writing.transaction() as cursor:
            if self._version(cursor) == len(MIGRATIONS):
                return
        # In a transaction of its own: one that has looked before it waited may not see the tables
        # that another process made meanwhile.
        with self._writing.transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(?)", (_MIGRATION_LOCK,))
            version = self._version(cursor)
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
            for step in MIGRATIONS[version:]:
                for statement in step:
                    cursor.execute(_translated(statement))
            cursor.execute("CREATE TABLE IF NOT EXISTS version (number BIGINT PRIMARY KEY)")
            cursor.execute("DELETE FROM version")
            cursor.execute("INSERT INTO version VALUES (?)", (len(MIGRATIONS),))

    def _version(self, cursor: Cursor) -> int:
        cursor.execute(
            "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = ? AND tablename = ?",
            (self._schema, "version"),
        )
        if not cursor.fetchall()[0][0]:
            return 0
        cursor.execute("SELECT number FROM version")
        version = int(cursor.fetchall()[0][0])
        if version > len(MIGRATIONS):
            raise StoreUnavailable(
                self._writing.where,
                f"it has schema version {version}, this lichen knows up to {len(MIGRATIONS)}",
                "a newer lichen wrote it: upgrade this one",
            )
        return version

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._reading.transaction() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        with self._writing.transaction() as cursor:
            # Goes with other writers, waits for one that is alone.
            cursor.execute("LOCK TABLE entries IN ROW EXCLUSIVE MODE")
            yield cursor

    @contextmanager
    def _alone(self) -> Iterator[Cursor]:
        with self._writing.transaction() as cursor:
            cursor.execute("LOCK TABLE entries IN SHARE ROW EXCLUSIVE MODE")
            yield cursor

    def _insert(self, cursor: Cursor, table: str, width: int, values: list[Any]) -> None:
        assert isinstance(cursor, _Cursor)
        if not values:
            return
        with cursor.raw.copy(f"COPY {table} FROM STDIN") as copy:
            for at in range(0, len(values), width):
                copy.write_row(values[at : at + width])

    def _scrub(self) -> None:
        tables = ("entries", "figures", "rollups", "forgotten")
        self._writing.vacuum([f"{self._schema}.{table}" for table in tables])

    def close(self) -> None:
        """Close the connections."""
        self._writing.close()
        self._reading.close()


class Link:
    """One connection, made when it is first needed and again after it was lost.

    `wait` is what an error says of whether it is tried again.
    """

    def __init__(self, dsn: str, schema: str, *, wait: str = _WAIT) -> None:
        self.wait = wait
        self._driver = _driver()
        self._dsn = dsn
        self._schema = schema
        self._secrets, self.where = _read_dsn(self._driver, dsn)
        self._lock = RLock()
        self._connection: psycopg.Connection[Any] | None = None
        self._closed = False

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """All or nothing, within the schema.

        Raises:
            StoreUnavailable: the server cannot be reached, or refused.
        """
        with self._lock, self._caught():
            connection = self._connected()
            with connection.transaction(), connection.cursor() as cursor:
                # For this transaction only: a pool between us and the server may change sessions.
                cursor.execute(f"SET LOCAL search_path TO {self._schema}")
                yield _Cursor(cursor)

    def vacuum(self, tables: Sequence[str]) -> None:
        """Let the server use the places of rows that are gone; it runs outside any transaction."""
        with self._lock, self._caught():
            self._connected().execute(f"VACUUM {', '.join(tables)}")

    def _connected(self) -> psycopg.Connection[Any]:
        if self._closed:
            raise StoreUnavailable(self.where, "it was closed", "open it again with lichen.open()")
        if self._connection is None:
            self._connection = self._driver.connect(
                self._dsn,
                autocommit=True,
                client_encoding="utf8",
                connect_timeout=_CONNECT_S,
                prepare_threshold=None,
            )
        return self._connection

    @contextmanager
    def _caught(self) -> Iterator[None]:
        """Say a driver's error in our own words, without the password and what led to it."""
        pg = self._driver
        try:
            yield
        except pg.errors.UniqueViolation:
            raise IdTaken(self.where) from None
        except (pg.DataError, pg.IntegrityError, OverflowError, UnicodeError) as error:
            raise InputError(
                f"an entry holds what the ledger cannot keep: {self._said(error)}"
            ) from None
        except pg.Error as error:
            lost = self._connection is None or self._connection.closed
            if lost:
                self._drop()
            raise StoreUnavailable(
                self.where,
                self._said(error) or _START,
                f"{_MEND}; {self.wait}" if lost else self.wait,
            ) from None

    def _said(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._driver.Error):
                connection.close()

    def close(self) -> None:
        """Close the connection for good."""
        with self._lock:
            self._closed = True
            self._drop()


class _Cursor:
    """A psycopg cursor that takes `?` for a value, as the shared statements have it."""

    def __init__(self, raw: psycopg.Cursor[Any]) -> None:
        self.raw = raw

    def execute(self, query: str, values: Sequence[Any] = ()) -> object:
        return self.raw.execute(query.replace("?", "%s"), values)

    def executemany(self, query: str, values: Iterable[Sequence[Any]]) -> None:
        self.raw.executemany(query.replace("?", "%s"), values)

    def fetchall(self) -> list[Any]:
        return self.raw.fetchall()


def _driver() -> ModuleType:
    try:
        import psycopg  # noqa: PLC0415 (only who keeps the book in PostgreSQL needs its driver)
        import psycopg.conninfo  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("the PostgreSQL ledger", "psycopg", "postgres") from error
    return psycopg


def _read_dsn(driver: ModuleType, dsn: str) -> tuple[list[str], str]:
    """What must never be shown, and how to name the place without it.

    Raises:
        InputError: libpq cannot read it; its own words would show parts of the password.
    """
    try:
        parts: dict[str, Any] = driver.conninfo.conninfo_to_dict(dsn)
    except driver.Error:
        raise InputError(
            "the PostgreSQL address cannot be read: write it as "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %-escapes for : / @ in a password"
        ) from None
    secrets = [str(parts[name]) for name in ("password", "sslpassword") if parts.get(name)]
    host, port = parts.get("host", "localhost"), parts.get("port", 5432)
    return secrets, f"postgresql://{host}:{port}/{parts.get('dbname', '')}"


def _translated(statement: str) -> str:
    """A statement in PostgreSQL's words."""
    words = {"INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", " WITHOUT ROWID": ""}
    for ours, theirs in words.items():
        statement = statement.replace(ours, theirs)
    return statement
