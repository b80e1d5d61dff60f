"""What lichen writes where it is started does not show up as a change of the checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WRITTEN = (
    "hello.py",
    "lichen.db",
    "lichen.db-wal",
    "lichen.db.answers",
    "lichen.db.answers-wal",
    "lichen.db.jobs",
    "lichen.db.lengths",
    "lichen.db.similar",
    "lichen.db.state",
    "lichen.db.tally",
)


@pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a checkout of git"
)
def test_what_the_first_steps_write_is_ignored_by_git() -> None:
    asked = ["git", "check-ignore", "--no-index", *WRITTEN]

    ignored = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)

    assert tuple(ignored.stdout.split()) == WRITTEN
