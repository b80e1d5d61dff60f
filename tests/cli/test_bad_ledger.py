"""Verbs on a ledger that is damaged, locked, another program's or of a newer lichen."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

READERS = (["report"], ["sci"], ["recompute"], ["prove", "0" * 16])


def assert_refused(run: Run, words: list[str], path: Path, said: str) -> None:
    result = run(*words, "--ledger", path)

    assert result.exit_code == 2
    assert said in result.stderr
    assert str(path) in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("words", READERS)
def test_what_is_no_database_is_refused_with_the_way_out(
    run: Run, tmp_path: Path, words: list[str]
) -> None:
    path = tmp_path / "book.db"
    path.write_bytes(b"no database at all " * 1000)

    assert_refused(run, words, path, "this is no lichen ledger, so check the path")
    assert ".recover" not in run(*words, "--ledger", path).stderr
    assert path.read_bytes() == b"no database at all " * 1000


@pytest.mark.parametrize("words", READERS)
def test_damage_within_is_told_with_the_way_out(run: Run, ledger: Path, words: list[str]) -> None:
    content = bytearray(ledger.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    ledger.write_bytes(content)

    assert_refused(run, words, ledger, ".recover")


@pytest.mark.parametrize("words", READERS)
def test_another_program_s_database_is_refused(run: Run, tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "book.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (a)")

    assert_refused(run, words, path, "give the ledger a file of its own")


@pytest.mark.parametrize("words", READERS)
def test_a_ledger_of_a_newer_lichen_is_refused(run: Run, ledger: Path, words: list[str]) -> None:
    with closing(sqlite3.connect(ledger, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 99")

    assert_refused(run, words, ledger, "upgrade this one")


def test_a_ledger_that_another_program_holds_can_still_be_reported(run: Run, ledger: Path) -> None:
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        result = run("report", "--ledger", ledger, "--json")

    assert result.exit_code == 0
    assert '"calls"' in result.stdout


def test_a_folder_is_no_ledger(run: Run, tmp_path: Path) -> None:
    assert_refused(run, ["report"], tmp_path, "check that")


@pytest.mark.parametrize("words", [["report"], ["sci"]])
def test_a_moment_without_its_zone_is_refused_with_the_way_to_write_it(
    run: Run, ledger: Path, words: list[str]
) -> None:
    result = run(*words, "--ledger", ledger, "--since", "2026-11-23T08:00:00")

    assert result.exit_code == 2
    assert "2026-11-23T08:00:00+00:00" in result.stderr
    assert result.stdout == ""
