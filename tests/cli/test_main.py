"""The command line as a whole: help, errors, exit codes, pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lichen.cli import VERBS, _told
from lichen.ledger.errors import InputError, NoWorkDone, UnprovenSaving, to_install

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Kinds, Make, Run


def test_help_names_every_verb(run: Run) -> None:
    result = run("--help")

    assert result.exit_code == 0
    assert all(f"\n  {verb} " in result.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(run: Run, verb: str) -> None:
    result = run(verb, "--help")

    assert result.exit_code == 0
    assert "Options:" in result.stdout


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from lichen.cli import lichen\n"
        "try: lichen.main(['--help'])\n"
        "finally: print({'rich', 'orjson', 'openai', 'sqlite3', 'asyncio'} & {*sys.modules})"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "set()"


def test_an_unknown_verb_names_the_one_that_was_meant(run: Run) -> None:
    result = run("reprot")

    assert result.exit_code == 2
    assert "did you mean 'report'?" in result.stderr


def test_an_unknown_flag_is_wrong_usage(run: Run) -> None:
    result = run("report", "--colour")

    assert result.exit_code == 2
    assert "--colour" in result.stderr


def test_an_error_is_told_in_a_line_and_not_as_a_traceback(run: Run) -> None:
    result = run("report", "--ledger", "nowhere.db")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("lichen: there is no ledger at nowhere.db")
    assert result.stderr.count("\n") == 1


def test_a_wrong_setting_names_where_it_stands(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text('zoen = "DE"\n')

    result = run("report")

    assert result.exit_code == 2
    assert "lichen.toml" in result.stderr
    assert "did you mean 'zone'?" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoWorkDone("request"), 1),
        (UnprovenSaving("its evidence is gone"), 1),
        (InputError("no such thing"), 2),
        (OSError("the disk is gone"), 2),
        (ModuleNotFoundError("No module named 'orjson'", name="orjson"), 2),
        (ZeroDivisionError("a fault of ours"), 2),
    ],
)
def test_a_finding_and_a_failure_end_with_codes_of_their_own(error: Exception, code: int) -> None:
    assert _told(error) == code


def test_a_missing_package_is_told_with_the_way_to_have_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _told(ModuleNotFoundError("No module named 'orjson'", name="orjson"))

    assert f"this needs orjson: {to_install('serve')}" in capsys.readouterr().err


def test_a_fault_of_ours_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    _told(ZeroDivisionError("division by zero"))

    told = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in told
    assert "please report it" in told


def test_a_real_process_reports_a_real_ledger_as_json(ledger: Path) -> None:
    done = _lichen("report", "--ledger", str(ledger), "--json")

    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads(done.stdout)["calls"] == 6


def test_a_pipe_gets_no_colour_and_80_columns(ledger: Path) -> None:
    done = _lichen("report", "--ledger", str(ledger), "--by", "hour", "--entries", "9")

    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_reader_that_leaves_early_is_no_error(make: Make, kinds: Kinds) -> None:
    path = make([kinds.call()] * 200)
    command = [sys.executable, "-m", "lichen", "report", "--ledger", str(path), "--entries", "200"]

    with subprocess.Popen(
        [*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.read(10)
        child.stdout.close()
        told = child.stderr.read()

    assert told == b""
    assert child.returncode == 0


def _lichen(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lichen", *arguments], capture_output=True, text=True, check=False
    )
