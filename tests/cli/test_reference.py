"""docs/cli.md says what the program says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_about_the_command_line_is_not_stale() -> None:
    command = [sys.executable, str(ROOT / "tools" / "cli_reference.py"), "--check"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
