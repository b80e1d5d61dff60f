"""Every store keeps StoreContract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.ledger.memory import MemoryStore
from lichen.ledger.sqlite import SqliteStore
from lichen.testing.stores import StoreContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        store = SqliteStore(tmp_path / "book.db")
        yield store
        store.close()
