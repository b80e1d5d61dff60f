"""The tables of calls that wait, as earlier versions left them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from lichen.calls.batch.database import TABLES, VERSION, open_database
from lichen.calls.batch.item import State
from lichen.calls.batch.postgres import PostgresDatabase
from lichen.calls.batch.queue import Queue
from lichen.calls.batch.sqlite import SqliteDatabase
from lichen.ledger.errors import StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.calls.batch.database import Database
    from lichen.testing.postgres import PostgresServer

DEFERRED = ("schema", "items", "batches", "files", "offers")
ITEM = (
    "INSERT INTO deferred_items (id, tenant, target, headers, body, key, needs_key, arrived_us,"
    " deadline_us, batch, place, name, run_us, planned_us, why, state, attempts, twice, status,"
    " answer_headers, answer, error, ended_us, way, delivered_us, owner, lease_us)"
    " VALUES ('dfr_a', 't', '/v1/chat/completions', '[]', ?, 'key a', 0, 1, 2, '', 0, '', 0, 0, '',"
    " 'waiting', 0, 0, 0, '[]', ?, '', 0, 'call', 0, '', 0)"
)


class Reopen(Protocol):
    """Opens the same database again."""

    def __call__(self) -> Database: ...


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    if request.param == "sqlite":
        return lambda: SqliteDatabase(str(tmp_path / "book.db"))
    server: PostgresServer = request.getfixturevalue("postgres")
    schema = f"waiting_{len(request.node.originalname)}"  # one for each test
    return lambda: PostgresDatabase(server.dsn, schema=schema)


def as_first_made(database: Database) -> None:
    """The tables of version 1, with one call in them."""
    translated = (
        (lambda text: text.replace("INTEGER", "BIGINT").replace("BLOB", "BYTEA"))
        if isinstance(database, PostgresDatabase)
        else str
    )
    with database.transaction() as cursor:
        cursor.execute("SELECT version FROM deferred_schema")
        cursor.fetchall()
        for name in (*DEFERRED, "fetched", "holds"):
            cursor.execute(f"DROP TABLE IF EXISTS deferred_{name}")
        for statement in TABLES:
            cursor.execute(translated(statement))
        cursor.execute(ITEM, (b'{"model": "m"}', b""))
    database.close()


def version_of(database: Database) -> int:
    with database.transaction() as cursor:
        cursor.execute("SELECT version FROM deferred_schema")
        return int(cursor.fetchall()[0][0])


def test_tables_of_the_first_version_are_brought_up_to_date_with_what_waits(
    reopen: Reopen,
) -> None:
    as_first_made(reopen())

    database = reopen()
    queue = Queue(database)
    item = queue.get("dfr_a", "t")
    waiting, version = queue.outlook.waiting(), version_of(database)
    queue.close()

    assert version == VERSION
    assert item is not None
    assert (item.body, item.state) == (b'{"model": "m"}', State.WAITING)
    assert waiting == {"": 1}


def test_tables_of_a_newer_lichen_are_left_alone_and_told(reopen: Reopen) -> None:
    database = reopen()
    with database.transaction() as cursor:
        cursor.execute("UPDATE deferred_schema SET version = ?", (VERSION + 1,))
    database.close()

    with pytest.raises(StoreUnavailable, match="upgrade this one"):
        reopen()


def test_a_ledger_of_an_unknown_kind_names_those_that_are_known() -> None:
    with pytest.raises(Exception, match="known are postgresql, sqlite"):
        open_database("mysql://somewhere/book")
