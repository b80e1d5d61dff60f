"""Stored answers that are to be forgotten: gone from memory, from what waits, and from the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from lichen.calls.answer_erasing import erase_from
from lichen.calls.answers import AnswerStore
from lichen.calls.forget import Forget
from lichen.ledger.errors import StoreUnavailable
from lichen.testing.stored_answers import answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.db.answers"


@pytest.fixture
def store(path: Path) -> Iterator[AnswerStore]:
    """A store with answers of two tenants in its file and in memory."""
    store = AnswerStore(path)
    for n in range(6):
        store.keep(answer(n, b"to %s" % b"ab"[n % 2 : n % 2 + 1], tenant="ab"[n % 2]))
    store.flush()
    yield store
    store.close()


def left(store: AnswerStore) -> list[int]:
    return [n for n in range(7) if store.find(answer(n).key) is not None]


def test_a_tenant_s_answers_go_from_memory_and_from_the_file(
    store: AnswerStore, path: Path
) -> None:
    store.keep(answer(6, b"to a, and waiting", tenant="a"))

    gone = store.forget(Forget(tenant="a"))

    assert gone == 4
    assert left(store) == [1, 3, 5]
    store.close()
    with closing(AnswerStore(path)) as again:
        assert left(again) == [1, 3, 5]


def test_words_are_looked_for_in_what_was_answered(store: AnswerStore) -> None:
    assert store.forget(Forget(contains="TO B")) == 3
    assert left(store) == [0, 2, 4]


def test_without_a_file_memory_alone_is_looked_through() -> None:
    store = AnswerStore(None)
    store.keep(answer(1, tenant="a"))
    store.keep(answer(2, tenant="b"))

    assert store.forget(Forget(tenant="a")) == 1
    assert left(store) == [2]
    assert store.counts()["answer_memory_bytes"] == answer(2).size


def test_an_answer_that_does_not_say_whose_it_is_goes_with_any_tenant(
    store: AnswerStore, path: Path
) -> None:
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE answers SET meta = ? WHERE key = ?", (b"{}", answer(1).key))
    db.close()

    gone = erase_from(path, Forget(tenant="a"))

    assert sorted(gone) == sorted(answer(n).key for n in (0, 1, 2, 4))


async def test_what_another_process_erased_is_let_go(store: AnswerStore, path: Path) -> None:
    erase_from(path, Forget(contains="to a"))
    had = left(store)

    await store.heed(None)

    assert had == list(range(6))
    assert left(store) == [1, 3, 5]


async def test_what_another_process_was_told_to_erase_is_erased_here_as_well(
    store: AnswerStore,
) -> None:
    await store.heed(Forget(tenant="b"))

    assert left(store) == [0, 2, 4]


def test_the_bound_holds_after_some_were_erased(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / "answers", size=30_000, memory=1)
    for n in range(4):
        store.keep(answer(n, 5000 * b"x", tenant="ab"[n % 2]))
    store.flush()
    store.forget(Forget(tenant="a"))

    for n in range(4, 7):
        store.keep(answer(n, 5000 * b"x", tenant="b"))
    store.flush()

    assert left(store) == [1, 3, 4, 5, 6]
    store.close()


def test_a_file_that_is_held_is_said_to_be_and_loses_nothing(
    store: AnswerStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lichen.calls.answer_erasing._PATIENCE_S", 0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable, match="locked"):
        erase_from(path, Forget(tenant="a"))
    other.execute("ROLLBACK")
    other.close()

    assert left(store) == list(range(6))
