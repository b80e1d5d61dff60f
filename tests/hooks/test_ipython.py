"""The magic, in a real IPython shell."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lichen.ledger.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell with the extension loaded, in a folder of its own."""
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("LICHEN_ZONE", "SE-SE3")
    made: Any = InteractiveShell
    shell = made()
    shell.history_manager.enabled = False
    shell.run_line_magic("load_ext", "lichen.hooks.ipython")
    yield shell
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def names() -> list[str]:
    with closing(SqliteStore(Path("lichen.db"))) as store:
        return [entry.figures.name for entry in store.entries()]


def flushed(shell: Any) -> None:
    magic = shell.magics_manager.magics["line"]["measure"].__self__
    magic._book.flush()


def test_a_line_is_measured_and_gives_its_value(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.run_line_magic("measure", "sum(range(10))") == 45

    flushed(shell)
    assert names() == ["sum(range(10))"]
    assert "Wh" in capsys.readouterr().out


def test_a_cell_is_measured_under_its_name(shell: Any) -> None:
    shell.run_cell("%%measure training\nx = 6 * 7\n")

    flushed(shell)
    assert shell.user_ns["x"] == 42
    assert names() == ["training"]


def test_a_cell_that_fails_is_measured_too(shell: Any) -> None:
    shell.run_cell("%%measure training\n1 / 0\n")

    flushed(shell)
    with closing(SqliteStore(Path("lichen.db"))) as store:
        [entry] = store.entries()
    assert entry.figures.gaps == ("raised",)


def test_without_a_ledger_the_cell_runs_all_the_same(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LICHEN_ZONE", "nowhere at all")

    shell.run_cell("%%measure training\nx = 6 * 7\n")

    assert shell.user_ns["x"] == 42
