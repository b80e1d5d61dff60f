"""The shelf: answers that outlive a process, and never get in anybody's way."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.grid.shelf import Kept, Shelf, user_folder

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def kept(what: object, hours: float | None = 1.0) -> Kept:
    return Kept(NOW, None if hours is None else NOW + timedelta(hours=hours), what)


def test_another_shelf_over_the_folder_finds_the_answer(tmp_path: Path) -> None:
    Shelf(tmp_path).put(("neso", "average", "GB"), kept([1, 2]))

    found = Shelf(tmp_path).get("neso", "average", "GB")

    assert found == kept([1, 2])


def test_average_and_marginal_lie_apart(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(("x", "average", "GB"), kept(1))

    assert shelf.get("x", "marginal", "GB") is None


def test_an_answer_stands_for_its_time_or_for_ever() -> None:
    assert kept(1).stands(NOW)
    assert not kept(1).stands(NOW + timedelta(hours=1))
    assert kept(1, None).stands(NOW + timedelta(days=9999))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"key": ["a"]}', '{"key": 5}', "\udcff"])
def test_a_spoilt_file_is_no_answer(tmp_path: Path, text: str) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(("a",), kept(1))
    for path in tmp_path.iterdir():
        path.write_bytes(text.encode("utf-8", "surrogateescape"))

    assert shelf.get("a") is None


def test_a_file_of_another_key_is_no_answer(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(("a",), kept(1))
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "key": ["b"]}))

    assert shelf.get("a") is None


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    shelf = Shelf(blocked / "shelf")

    shelf.put(("a",), kept(1))

    assert shelf.get("a") == kept(1)


def test_over_its_limit_the_oldest_go(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, limit=50_000)

    for n in range(64):
        shelf.put((f"{n}",), kept("x" * 4000))

    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 50_000 + 17 * 4200
    assert shelf.get("63") is not None
    assert shelf.get("0") is None


def test_memory_has_a_limit_too() -> None:
    shelf = Shelf(limit=50_000)

    for n in range(64):
        shelf.put((f"{n}",), kept("x" * 4000))

    assert shelf.get("0") is None
    assert shelf.get("63") is not None


def test_files_are_the_users_own(tmp_path: Path) -> None:
    Shelf(tmp_path / "deep" / "shelf").put(("a",), kept(1))

    (path,) = (tmp_path / "deep" / "shelf").iterdir()
    assert path.stat().st_mode & 0o077 == 0


def test_threads_see_whole_answers(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(("a",), kept(["0"] * 2000))
    wrong: list[object] = []

    def write(mark: str) -> None:
        for _ in range(60):
            shelf.put(("a",), kept([mark] * 2000))

    def read() -> None:
        for _ in range(200):
            found = shelf.get("a")
            if found is None or len(set(found.what)) != 1:
                wrong.append(found)

    threads = [threading.Thread(target=write, args=(mark,)) for mark in "12"]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert len(list(tmp_path.iterdir())) == 1


def test_the_users_cache_folder_is_where_xdg_says(tmp_path: Path) -> None:
    assert user_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "lichen" / "grid"
    assert user_folder({"HOME": str(tmp_path)}) == tmp_path / ".cache" / "lichen" / "grid"
