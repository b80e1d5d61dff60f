"""Every database of calls that wait keeps QueueContract."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from lichen.calls.batch.postgres import PostgresDatabase
from lichen.calls.batch.sqlite import SqliteDatabase
from lichen.testing.queues import QueueContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.testing.postgres import PostgresServer


class TestSqliteDatabase(QueueContract):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[SqliteDatabase]:
        made = SqliteDatabase(str(tmp_path / "book.db"))
        yield made
        made.close()

    @pytest.fixture
    def another(self, database: SqliteDatabase) -> Iterator[SqliteDatabase]:
        made = SqliteDatabase(database.where)
        yield made
        made.close()


@pytest.mark.postgres
class TestPostgresDatabase(QueueContract):
    @pytest.fixture
    def schema(self) -> str:
        return f"queue_{secrets.token_hex(4)}"

    @pytest.fixture
    def database(self, postgres: PostgresServer, schema: str) -> Iterator[PostgresDatabase]:
        made = PostgresDatabase(postgres.dsn, schema=schema)
        yield made
        made.close()

    @pytest.fixture
    def another(
        self, database: PostgresDatabase, postgres: PostgresServer, schema: str
    ) -> Iterator[PostgresDatabase]:
        assert database.where
        made = PostgresDatabase(postgres.dsn, schema=schema)
        yield made
        made.close()
