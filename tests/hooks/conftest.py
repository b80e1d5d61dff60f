"""A book in memory for the hooks of other people's frameworks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import lichen
from lichen.assemble import make_pricer, make_window_meter
from lichen.ledger.book import Book
from lichen.ledger.memory import MemoryStore
from lichen.ledger.sqlite import SqliteStore
from lichen.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def book() -> Iterator[lichen.Book]:
    with lichen.open("memory:", zone="SE-SE3") as book:
        yield book


class Broken:
    """Looks like a book and measures nothing."""

    def measure(self, *_: object, **__: object) -> object:
        """Fail."""
        raise OSError("the ledger's disk is gone")


@pytest.fixture
def broken() -> Broken:
    return Broken()


class Dying:
    """A window meter that reads as the best one here does, twice, and then no more."""

    def __init__(self) -> None:
        self._meter, self._left = make_window_meter(), 2

    def stand(self) -> tuple[float, ...]:
        """Fail, the third time."""
        self._left -= 1
        if self._left < 0:
            raise OSError("the meter was pulled out")
        return self._meter.stand()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._meter, name)


@pytest.fixture(params=["no book", "a dying meter", "a locked ledger"])
def ailing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Books that cannot account for anything, each in its way."""
    pricer = make_pricer(load(zone="SE-SE3"))
    path = tmp_path / "book.db"
    if request.param == "no book":
        yield Broken()
    elif request.param == "a dying meter":
        yield Book(MemoryStore(), pricer, zone="SE-SE3", meter=Dying)
    else:
        store = SqliteStore(path, busy_ms=10)
        book = Book(store, pricer, zone="SE-SE3", meter=make_window_meter)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield book
            other.execute("ROLLBACK")
        book.close()
