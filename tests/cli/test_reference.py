"""docs/cli.md says what the program says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_about_the_command_line_is_not_stale() -> None:
    command = [sys.executable, str(ROOT / "tools" / "cli_reference.py"), "--check"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "words", ["report", "sci", "recompute --dry-run", "recompute --list", "doctor --port 1"]
)
def test_the_page_names_the_keys_that_come(run: Run, ledger: Path, words: str) -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    verb = re.sub(" --(dry-run|port 1)", "", words)
    row = re.search(rf"^\| `{verb}` \| (`.*) \|$", page, re.MULTILINE)

    said = json.loads(run(*words.split(), "--ledger", ledger, "--json").stdout)

    assert row is not None
    assert list(said) == re.findall("`(.+?)`", row[1])
