"""Slurm's job numbers: with programs that stand in for Slurm's and know strangers' jobs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import ExecutorUnavailable
from lichen.testing.executors import shell_task
from lichen.train.green.executor import Ask, Phase
from lichen.train.green.slurm import Slurm

if TYPE_CHECKING:
    from pathlib import Path

# Whatever number it is asked for, another's job has it. Number 0 stands for all jobs.
_PROGRAMS = {
    "squeue": "",
    "sbatch": "echo 7",
    "scontrol": "echo JobId=7 JobName=theirs JobState=RUNNING StartTime=2026-11-25T01:00:00",
    "scancel": 'echo "$@" >> {folder}/signals',
}

# As scontrol of Slurm 22.05 says it, where there is no slurm.conf.
_NO_CLUSTER = """#!/bin/sh
cat >&2 <<END
scontrol: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host
scontrol: error: fetch_config: DNS SRV lookup failed
scontrol: error: _establish_config_source: failed to fetch config
scontrol: fatal: Could not establish a configuration source
END
exit 1
"""


@pytest.fixture(autouse=True)
def _strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in _PROGRAMS.items():
        (programs / name).write_text("#!/bin/sh\n" + text.format(folder=tmp_path) + "\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")


def test_a_task_that_slurm_forgot_is_no_strangers_job(tmp_path: Path) -> None:
    task = shell_task(tmp_path, "true")
    (task.folder / "began.0").mkdir(parents=True)
    (task.folder / "exit").write_text("3\n")

    found = Slurm().find(task)

    assert found is not None
    sight = Slurm().look(found)
    assert (sight.phase, sight.exit_code) == (Phase.ENDED, 3)


def test_a_task_that_never_was_is_not_found_however_often_it_is_looked_for(tmp_path: Path) -> None:
    task = shell_task(tmp_path, "true")

    found = [Slurm().find(task), Slurm().find(task)]

    assert found == [None, None]


def test_a_machine_that_knows_no_cluster_says_why_in_one_line(
    tmp_path: Path,
) -> None:
    (tmp_path / "bin" / "scontrol").write_text(_NO_CLUSTER)

    with pytest.raises(ExecutorUnavailable) as caught:
        Slurm().check(shell_task(tmp_path, "true"))

    assert caught.value.why == ("scontrol ping: Could not establish a configuration source")
    assert "/etc/slurm/slurm.conf" in caught.value.mend


def test_a_number_that_another_job_has_now_is_not_believed_and_not_told(tmp_path: Path) -> None:
    slurm = Slurm()
    handle = slurm.submit(shell_task(tmp_path, "true"))

    slurm.ask(handle, Ask.CANCEL)

    assert slurm.look(handle).phase is Phase.VOID
    assert not (tmp_path / "signals").exists()
