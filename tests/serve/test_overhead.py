"""What lichen itself uses: booked now and then, whatever this machine's clock says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen import assemble
from lichen.ledger.book import Book
from lichen.ledger.entry import OWN
from lichen.ledger.memory import MemoryStore
from lichen.serve.overhead import NOT_BOOKED, Overhead
from lichen.serve.shares import OwnCpu
from lichen.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def book() -> Iterator[Book]:
    made = Book(MemoryStore(), assemble.make_pricer(load(environ={})))
    yield made
    made.close()


def busy() -> None:
    sum(number * number for number in range(300_000))


def test_what_was_used_since_the_last_time_is_booked(book: Book) -> None:
    troubles: list[object] = []
    overhead = Overhead(book, OwnCpu(), zone="WORLD", on_error=troubles.append)
    busy()

    overhead.book()

    [entry] = book.store.entries()
    assert entry.figures.strategy == OWN
    assert troubles == []


def test_a_clock_before_2024_is_told_and_counted_and_what_follows_is_booked(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles: list[object] = []
    with monkeypatch.context() as wrong:
        wrong.setattr("time.time_ns", lambda: 1_600_000_000 * 10**9)
        overhead = Overhead(book, OwnCpu(), zone="WORLD", on_error=troubles.append)
        busy()
        overhead.book()
        overhead.book()
    busy()

    overhead.book()  # its window began under the wrong clock
    busy()
    overhead.book()

    gaps = {gap.what: gap.count for gap in book.store.gaps()}
    assert "entries begin at 2024" in str(troubles[0])
    assert gaps[NOT_BOOKED] >= 1
    assert len(list(book.store.entries())) == 1
