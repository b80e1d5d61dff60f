"""What a job leaves on disk is for its user alone: variables and outputs may hold secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lichen.testing.executors import shell_task
from lichen.train.green.at import At
from lichen.train.green.slurm import Slurm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.testing.jobs import Yard
    from lichen.train.green.executor import Executor


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_folders_and_the_output_of_a_job_are_its_users_alone(yard: Yard) -> None:
    record = yard.run(yard.python("print('secret')"))

    job = yard.queue.folder / record.id
    assert [mode(each) for each in (job.parent, job, job / "1", job / "checkpoint")] == [0o700] * 4
    assert (job / "1" / "output.log").read_text() == "secret\n"
    assert mode(job / "1" / "output.log") == 0o600


@pytest.mark.parametrize(
    ("executor", "program", "answer"), [(Slurm(), "sbatch", "7"), (At(), "at", "job 7 at noon")]
)
def test_the_script_of_a_task_is_its_users_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: Executor, program: str, answer: str
) -> None:
    (tmp_path / program).write_text(f"#!/bin/sh\necho {answer}\n")
    (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    task = shell_task(tmp_path, "true", env={"TOKEN": "secret"})

    executor.submit(task)

    assert "secret" in (task.folder / "job.sh").read_text()
    assert mode(task.folder) == 0o700
    assert mode(task.folder / "job.sh") == mode(task.folder / "output.log") == 0o600
