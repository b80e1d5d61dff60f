"""Database: the ledger's own file or server, where what waits is kept, with tables of its own.

    open_database("lichen.db")             the entry point "sqlite" of the group "lichen.queue"
    open_database("postgresql://...")      the entry point "postgresql"

A ledger without these tables opens as before, and so does one with them in a lichen that does not
know them. A commit is on disk before it returns.

Source: SQLite documentation, "Write-Ahead Logging": with synchronous = FULL a commit is on disk
before it returns; PostgreSQL documentation, "Asynchronous Commit" (synchronous_commit).
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol

from lichen.ledger.errors import InputError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

TABLES = (
    "CREATE TABLE deferred_schema (version INTEGER NOT NULL)",
    """CREATE TABLE deferred_items (
      id TEXT PRIMARY KEY, tenant TEXT NOT NULL, target TEXT NOT NULL, headers TEXT NOT NULL,
      body BLOB NOT NULL, key TEXT NOT NULL, needs_key INTEGER NOT NULL,
      arrived_us INTEGER NOT NULL, deadline_us INTEGER NOT NULL, batch TEXT NOT NULL,
      place INTEGER NOT NULL, name TEXT NOT NULL, run_us INTEGER NOT NULL,
      planned_us INTEGER NOT NULL, why TEXT NOT NULL, state TEXT NOT NULL,
      attempts INTEGER NOT NULL, twice INTEGER NOT NULL, status INTEGER NOT NULL,
      answer_headers TEXT NOT NULL, answer BLOB NOT NULL, error TEXT NOT NULL,
      ended_us INTEGER NOT NULL, way TEXT NOT NULL, delivered_us INTEGER NOT NULL,
      owner TEXT NOT NULL, lease_us INTEGER NOT NULL)""",
    "CREATE UNIQUE INDEX deferred_items_key ON deferred_items (tenant, batch, key)",
    "CREATE INDEX deferred_items_due ON deferred_items (state, run_us)",
    "CREATE INDEX deferred_items_batch ON deferred_items (batch, place)",
    """CREATE TABLE deferred_batches (
      id TEXT PRIMARY KEY, tenant TEXT NOT NULL, state TEXT NOT NULL, created_us INTEGER NOT NULL,
      version INTEGER NOT NULL, record TEXT NOT NULL)""",
    "CREATE INDEX deferred_batches_state ON deferred_batches (state)",
    """CREATE TABLE deferred_files (
      id TEXT PRIMARY KEY, tenant TEXT NOT NULL, purpose TEXT NOT NULL, name TEXT NOT NULL,
      created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, size INTEGER NOT NULL,
      content BLOB NOT NULL)""",
    """CREATE TABLE deferred_offers (
      id TEXT PRIMARY KEY, tenant TEXT NOT NULL, target TEXT NOT NULL, remote TEXT NOT NULL,
      state TEXT NOT NULL, made_us INTEGER NOT NULL, looked_us INTEGER NOT NULL)""",
    "CREATE INDEX deferred_offers_state ON deferred_offers (state)",
    "INSERT INTO deferred_schema VALUES (1)",
)
# What each later version changed.
CHANGES = (
    (
        "ALTER TABLE deferred_offers ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE deferred_offers ADD COLUMN lease_us INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE deferred_offers ADD COLUMN failures INTEGER NOT NULL DEFAULT 0",
        "UPDATE deferred_schema SET version = 2",
    ),
    (
        "ALTER TABLE deferred_items ADD COLUMN asks TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE deferred_offers ADD COLUMN booked_us INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX deferred_items_tenant ON deferred_items (state, tenant)",
        "UPDATE deferred_schema SET version = 3",
    ),
    (
        """CREATE TABLE deferred_fetched (
          id TEXT PRIMARY KEY, begun_us INTEGER NOT NULL, ended_us INTEGER NOT NULL,
          owner TEXT NOT NULL, lease_us INTEGER NOT NULL)""",
        "UPDATE deferred_schema SET version = 4",
    ),
    (
        """CREATE TABLE deferred_holds (
          item TEXT PRIMARY KEY, held TEXT NOT NULL, took TEXT NOT NULL)""",
        "UPDATE deferred_schema SET version = 5",
    ),
)
VERSION = 1 + len(CHANGES)


class Cursor(Protocol):
    """Runs statements with `?` for values."""

    def execute(self, query: str, values: Sequence[Any] = ()) -> object:
        """Run one."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows it gave."""
        ...


class Database(Protocol):
    """A database with the tables above.

    `locking` is what a query says to take rows that no other process has taken.
    """

    where: str
    locking: str

    def transaction(self) -> AbstractContextManager[Cursor]:
        """All or nothing; on disk when it ends.

        Raises:
            StoreUnavailable: the database cannot be read or written.
        """
        ...

    def now_us(self, cursor: Cursor) -> int:
        """The time by the one clock that all its processes share. [µs since 1970]"""
        ...

    def close(self) -> None:
        """Let go of it; closing twice is fine."""
        ...


def open_database(ledger: str) -> Database:
    """The database of a ledger's address.

    Raises:
        InputError: that ledger keeps nothing, or nothing installed knows its scheme.
        StoreUnavailable: it cannot be opened, or a newer lichen wrote it.
    """
    if ledger == "memory:":
        raise InputError(
            "calls that wait are kept in the ledger's database, and this ledger is in memory: "
            "give one with LICHEN_LEDGER=lichen.db"
        )
    scheme, colon, rest = ledger.partition(":")
    name = scheme if colon and rest.startswith("//") else "sqlite"
    name = "postgresql" if name == "postgres" else name
    known = {point.name: point for point in entry_points(group="lichen.queue")}
    if name not in known:
        raise InputError(
            f"nothing installed keeps calls that wait in a ledger at {name}: known are "
            f"{', '.join(sorted(known))}"
        )
    made: Database = known[name].load()(ledger)
    return made


def missing(version: int, where: str) -> list[str]:
    """The statements that bring tables of that version up to date.

    Raises:
        StoreUnavailable: they are a newer lichen's.
    """
    if version > VERSION:
        raise StoreUnavailable(
            where,
            f"its waiting calls have schema version {version}, this lichen knows up to {VERSION}",
            "a newer lichen wrote them: upgrade this one",
        )
    return [statement for change in CHANGES[version - 1 :] for statement in change]
