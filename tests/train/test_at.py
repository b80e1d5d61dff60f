"""The at daemon: what is put into its queue, with programs that stand in for at, atq and atrm."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import ExecutorUnavailable
from lichen.testing.executors import ended, shell_task
from lichen.train.green import at
from lichen.train.green.at import At
from lichen.train.green.executor import Ask, Phase

if TYPE_CHECKING:
    from pathlib import Path

# at's queue as a folder of scripts; what at would start, the test starts.
_AT = """#!/bin/sh
n=$(ls {spool} | wc -l); n=$((n + 1))
cp "$2" {spool}/$n; shift 2; echo "$@ $TZ" >> {spool}.log
echo "job $n at Thu Nov 26 06:00:00 2026" >&2
"""
_ATQ = """#!/bin/sh
for job in $(ls {spool}); do echo "$job\tThu Nov 26 06:00:00 2026 a root"; done
"""
_ATRM = "#!/bin/sh\nrm {spool}/$1\n"


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("at", _AT), ("atq", _ATQ), ("atrm", _ATRM)):
        (programs / name).write_text(text.format(spool=folder))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return folder


def test_without_at_it_is_unavailable_and_says_how_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ExecutorUnavailable, match="apt-get install at"):
        At().check(shell_task(tmp_path, "true"))


@pytest.mark.usefixtures("spool")
def test_without_its_daemon_it_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at, "_DAEMON", "no-such-daemon")

    with pytest.raises(ExecutorUnavailable, match="does not run"):
        At().check(shell_task(tmp_path, "true"))


def test_a_job_waits_in_at_s_queue_and_is_then_seen_to_its_end(tmp_path: Path, spool: Path) -> None:
    begin = datetime(2096, 11, 26, 5, 0, 30, tzinfo=UTC)
    task = shell_task(tmp_path, "echo $LICHEN_RESUME > ran; exit 3", begin=begin)

    handle = At().submit(task)
    waiting = At().look(handle).phase
    script = next(spool.iterdir())
    subprocess.run(["sh", script], check=True)
    script.unlink()

    sight = ended(At(), handle)
    assert waiting is Phase.WAITING
    assert (sight.phase, sight.exit_code) == (Phase.ENDED, 3)
    assert (tmp_path / "ran").read_text() == "0\n"
    assert (tmp_path / "spool.log").read_text() == "-t 209611260501 UTC\n"


@pytest.mark.parametrize("hour", [0, 1])
@pytest.mark.usefixtures("spool", "_in_berlin")
def test_of_an_hour_that_clocks_repeat_at_is_told_the_one_that_was_meant(
    tmp_path: Path, hour: int
) -> None:
    # Both are 02:30 in Berlin.
    begin = datetime(2096, 10, 28, hour, 30, tzinfo=UTC)

    At().submit(shell_task(tmp_path, "true", begin=begin))

    assert (tmp_path / "spool.log").read_text() == f"-t 20961028{hour:02}30 UTC\n"


@pytest.mark.parametrize("zone", ["Europe/Berlin", None])
def test_a_job_of_at_has_the_time_zone_of_whoever_gave_it(
    tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch, zone: str | None
) -> None:
    if zone is None:
        monkeypatch.delenv("TZ", raising=False)
    else:
        monkeypatch.setenv("TZ", zone)

    handle = At().submit(shell_task(tmp_path, 'echo "${TZ-none}" > zone'))
    subprocess.run(["sh", next(spool.iterdir())], check=True, env={**os.environ, "TZ": "UTC"})
    ended(At(), handle)

    assert (tmp_path / "zone").read_text() == f"{zone or 'none'}\n"


def test_a_job_that_has_to_run_does_not_wait_for_the_minute(tmp_path: Path, spool: Path) -> None:
    now = datetime.now(UTC)
    handle = At().submit(shell_task(tmp_path, "true", begin=now + timedelta(hours=3)))

    At().move(handle, now)

    assert spool.with_suffix(".log").read_text().splitlines()[-1] == "now UTC"


def test_a_job_that_at_starts_twice_runs_once(tmp_path: Path, spool: Path) -> None:
    handle = At().submit(shell_task(tmp_path, "echo x >> ran"))
    script = next(spool.iterdir())

    for _ in range(2):
        subprocess.run(["sh", script], check=True)

    assert ended(At(), handle).exit_code == 0
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_job_that_is_moved_is_in_the_queue_once(tmp_path: Path, spool: Path) -> None:
    now = datetime.now(UTC)
    handle = At().submit(shell_task(tmp_path, "true", begin=now + timedelta(hours=3)))

    At().move(handle, now + timedelta(hours=1))

    assert [path.name for path in spool.iterdir()] == ["2"]
    assert At().look(handle).phase is Phase.WAITING


def test_a_cancelled_job_never_runs(tmp_path: Path, spool: Path) -> None:
    handle = At().submit(shell_task(tmp_path, "echo x >> ran"))
    script = next(spool.iterdir()).read_text()

    At().ask(handle, Ask.CANCEL)
    subprocess.run(["sh", "-c", script], check=True)

    assert At().look(handle).phase is Phase.VOID
    assert list(spool.iterdir()) == []
    assert not (tmp_path / "ran").exists()


def test_a_job_that_left_the_queue_and_never_came_up_is_void(tmp_path: Path, spool: Path) -> None:
    handle = At().submit(shell_task(tmp_path, "true"))
    next(spool.iterdir()).unlink()

    assert At().look(handle).phase is Phase.VOID
