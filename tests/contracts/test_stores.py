"""Every store keeps StoreContract."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.memory import MemoryStore
from lichen.ledger.postgres import PostgresStore
from lichen.ledger.sqlite import SqliteStore
from lichen.testing.store_forgetting import KeepsForgetting
from lichen.testing.stores import StoreContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.testing.postgres import PostgresServer


class TestMemoryStore(StoreContract, KeepsForgetting):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestSqliteStore(StoreContract, KeepsForgetting):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        store = SqliteStore(tmp_path / "book.db")
        yield store
        store.close()


@pytest.mark.postgres
class TestPostgresStore(StoreContract, KeepsForgetting):
    @pytest.fixture
    def store(self, postgres: PostgresServer) -> Iterator[PostgresStore]:
        store = PostgresStore(postgres.dsn, schema=f"book_{secrets.token_hex(4)}")
        yield store
        store.close()
