"""Answers kept in memory and in a file: found again, bounded, and never in a call's way."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.answer_file import AnswerFile
from lichen.calls.answers import AnswerStore
from lichen.calls.stored import Stored
from lichen.testing.stored_answers import HEADERS, ORIGIN
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Open = Callable[..., AnswerStore]

# What an answer takes in memory beside its body, about. [byte]
BESIDE = 3300


def answer(n: int, body: bytes = b"{}", stored_us: int | None = None) -> Stored:
    """An answer; those with a higher number are newer."""
    key = n.to_bytes(32, "big")
    at = n if stored_us is None else stored_us
    return Stored(key, 200, list(HEADERS), body, at, 10**15, ORIGIN)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.db.answers"


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def open_(path: Path, warned: list[str]) -> Iterator[Open]:
    """Opens stores on the file and closes them."""
    stores: list[AnswerStore] = []

    def open_(where: Path | None = path, **bounds: Any) -> AnswerStore:
        stores.append(AnswerStore(where, warn=warned.append, **bounds))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


def test_what_was_kept_is_found_whole(open_: Open) -> None:
    store = open_()
    kept = answer(1, b"body")

    store.keep(kept)

    assert store.find(kept.key) is kept
    assert store.find(b"another key") is None


def test_what_was_kept_is_found_at_the_next_start_as_it_was(open_: Open, warned: list[str]) -> None:
    kept = answer(1, b"\x00\xff" * 5000)
    first = open_()
    first.keep(kept)
    first.close()

    found = open_().find(kept.key)

    assert found is not None
    assert found is not kept
    for name in ("key", "status", "headers", "body", "stored_us", "expires_us", "origin", "digest"):
        assert getattr(found, name) == getattr(kept, name)
    assert warned == []


def test_without_a_file_nothing_is_written(open_: Open, tmp_path: Path) -> None:
    store = open_(None)

    store.keep(answer(1))
    store.flush()

    assert store.find(answer(1).key) is not None
    assert list(tmp_path.iterdir()) == []


def test_only_its_owner_may_read_the_file(open_: Open, path: Path) -> None:
    store = open_()
    store.keep(answer(1))
    store.flush()

    modes = {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert modes == {0o600}


def test_a_file_that_others_could_read_is_closed_to_them(open_: Open, path: Path) -> None:
    path.touch(mode=0o644)

    open_()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_answer_is_found_while_it_waits_to_be_written(path: Path, warned: list[str]) -> None:
    file = AnswerFile(path, 1e9, warned.append)

    file.put(answer(1))

    assert file.read(answer(1).key) is not None
    file.close()


def test_a_newer_answer_takes_the_place_of_an_older_one(open_: Open) -> None:
    first = open_()
    first.keep(answer(1, b"old"))
    first.flush()
    first.keep(answer(1, b"new"))
    first.close()

    found = open_().find(answer(1).key)

    assert found is not None
    assert found.body == b"new"


def test_memory_is_bounded_and_what_was_used_longest_ago_goes_first(open_: Open) -> None:
    store = open_(None, memory=3 * (BESIDE + 1000))
    for n in range(3):
        store.keep(answer(n, 1000 * b"x"))
    store.find(answer(0).key)

    store.keep(answer(3, 1000 * b"x"))

    assert store.find(answer(1).key) is None
    assert all(store.find(answer(n).key) for n in (0, 2, 3))
    assert store.counts()["answer_memory_bytes"] <= 3 * (BESIDE + 1000)


def test_what_has_left_memory_is_read_from_the_file(open_: Open) -> None:
    store = open_(memory=BESIDE + 1000)
    for n in range(5):
        store.keep(answer(n, b"%d" % n))
    store.flush()

    bodies = [found.body for n in range(5) if (found := store.find(answer(n).key))]

    assert bodies == [b"0", b"1", b"2", b"3", b"4"]
    assert store.counts()["answers"] == 5


def test_an_answer_larger_than_memory_is_still_given_from_the_file(open_: Open) -> None:
    store = open_(memory=1000)

    store.keep(answer(1, 50_000 * b"x"))
    store.flush()

    found = store.find(answer(1).key)
    assert found is not None
    assert len(found.body) == 50_000


def test_the_file_is_bounded_and_the_oldest_go_first(open_: Open, path: Path) -> None:
    store = open_(size=100_000, memory=1)
    for n in range(100):
        store.keep(answer(n, 5000 * b"x"))
        if n % 25 == 24:
            store.flush()

    found = [n for n in range(100) if store.find(answer(n).key)]

    assert 10 <= len(found) < 20
    assert found == list(range(100 - len(found), 100))
    store.close()
    with sqlite3.connect(path) as db:
        [(size,)] = db.execute("SELECT sum(size) FROM answers")
    db.close()
    assert size <= 100_000


def test_the_bound_holds_for_a_file_that_was_larger(open_: Open) -> None:
    first = open_(size=1e6)
    for n in range(50):
        first.keep(answer(n, 5000 * b"x"))
    first.close()
    second = open_(size=50_000, memory=1)

    second.keep(answer(50, 5000 * b"x"))
    second.flush()

    assert second.counts()["answers"] < 10
    assert second.find(answer(50).key) is not None


def test_more_than_may_wait_for_a_slow_disk_stays_in_memory_alone(
    path: Path, warned: list[str]
) -> None:
    file = AnswerFile(path, 1e9, warned.append)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    for n in range(8):
        file.put(answer(n, 5_000_000 * b"x"))
    waiting = file._queued

    other.execute("ROLLBACK")
    other.close()
    file.close()
    assert waiting <= 32e6
    assert answer(7).key not in file.keys


def test_a_corrupt_file_is_set_aside_and_a_new_one_begun(
    open_: Open, path: Path, warned: list[str]
) -> None:
    path.write_bytes(b"no database at all" * 1000)
    store = open_()
    store.keep(answer(1))
    store.close()

    found = open_().find(answer(1).key)

    assert found is not None
    assert "moved to" in warned[0]
    assert path.with_name("book.db.answers.corrupt").read_bytes().startswith(b"no database")


def test_a_page_that_is_corrupt_costs_its_answers_alone(
    open_: Open, path: Path, warned: list[str]
) -> None:
    first = open_()
    for n in range(50):
        first.keep(answer(n, 3000 * b"x"))
    first.close()
    content = bytearray(path.read_bytes())
    content[-20 * 4096 :] = b"\xa5" * (20 * 4096)
    path.write_bytes(content)

    store = open_(memory=1)
    found = [n for n in range(50) if store.find(answer(n).key)]

    assert len(found) < 50
    assert warned


def test_a_row_that_makes_no_sense_is_no_answer(open_: Open, path: Path, warned: list[str]) -> None:
    first = open_()
    first.keep(answer(1))
    first.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE answers SET meta = ?", (b"{}",))
    db.close()
    store = open_()

    assert store.find(answer(1).key) is None
    assert store.find(answer(1).key) is None
    assert len(warned) == 1
    assert "cannot be read" in warned[0]


def test_a_file_that_cannot_be_made_leaves_answers_in_memory(
    open_: Open, tmp_path: Path, warned: list[str]
) -> None:
    (tmp_path / "file").touch()

    store = open_(tmp_path / "file" / "book.db.answers")
    store.keep(answer(1))
    store.flush()

    assert store.find(answer(1).key) is not None
    assert "LICHEN_CACHE" in warned[0]


def test_what_cannot_be_written_is_said_once_and_stays_in_memory(
    open_: Open, path: Path, warned: list[str]
) -> None:
    store = open_()
    file = store._file
    assert file is not None
    file._db.execute("PRAGMA query_only = ON")
    for n in range(3):
        store.keep(answer(n))
        store.flush()

    found = [store.find(answer(n).key) for n in range(3)]
    file._db.execute("PRAGMA query_only = OFF")
    store.keep(answer(4))
    store.close()

    assert all(found)
    assert len(warned) == 1
    assert f"cannot be written to {path}" in warned[0]
    again = open_()
    assert again.find(answer(4).key) is not None
    assert again.find(answer(1).key) is None


def test_a_locked_file_holds_up_no_call(open_: Open, path: Path) -> None:
    store = open_(memory=1)
    store.keep(answer(1))
    store.flush()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    store.keep(answer(2))
    found = [store.find(answer(n).key) for n in (1, 2)]
    other.execute("ROLLBACK")
    other.close()

    assert all(found)
    store.flush()


def test_answers_are_written_without_being_asked(open_: Open, path: Path) -> None:
    store = open_()
    store.keep(answer(1))

    def written() -> int:
        with sqlite3.connect(path) as db:
            [(count,)] = db.execute("SELECT count(*) FROM answers")
        db.close()
        return int(count)

    assert until(written, within=5) == 1


def test_closing_writes_what_waits_and_may_be_repeated(open_: Open) -> None:
    store = open_()
    store.keep(answer(1))

    store.close()

    assert open_().find(answer(1).key) is not None
