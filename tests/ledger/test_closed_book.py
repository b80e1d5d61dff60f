"""A book that was closed: what is asked of it is refused in words, what it measured is not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

import lichen
from lichen.ledger.errors import StoreUnavailable
from lichen.testing.samples import sample_entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.ledger.book import Book

USES: dict[str, Callable[[Book], object]] = {
    "add": lambda book: book.add(sample_entry()),
    "measure": lambda book: book.measure("fit"),
    "summary": lambda book: book.summary(),
    "saving": lambda book: book.saving(strategy="calls"),
    "sci": lambda book: book.sci(per="request"),
    "prove": lambda book: book.prove("055379a2e8d623e8"),
    "recompute": lambda book: book.recompute("new factors"),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("where", ["memory:", "book.db"])
def test_a_closed_book_refuses_and_says_how_to_go_on(tmp_path: Path, where: str, use: str) -> None:
    book = lichen.open(where if ":" in where else tmp_path / where)
    book.close()

    with pytest.raises(StoreUnavailable, match=r"closed.*lichen\.open\(\)"):
        USES[use](book)


def test_a_window_that_outlives_its_book_breaks_nothing_and_is_told_in_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = lichen.open(tmp_path / "book.db")

    with caplog.at_level(logging.WARNING), book.measure("fit"):
        book.close()

    assert "1 measured windows wait: the ledger at" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_book_may_be_closed_twice(tmp_path: Path) -> None:
    book = lichen.open(tmp_path / "book.db")

    book.close()
    book.close()
