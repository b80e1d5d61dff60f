"""Jobs on a real Slurm of one node, started by the test itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import ExecutorUnavailable
from lichen.ledger.quantities import Power
from lichen.testing.executors import ExecutorContract, ended, shell_task
from lichen.testing.jobs import SECOND, Yard, pausing
from lichen.testing.slurm import SlurmCluster, why_not
from lichen.testing.waiting import until
from lichen.train.green.driver import Driver
from lichen.train.green.executor import Ask, Phase
from lichen.train.green.record import State
from lichen.train.green.runner import Runner, submit
from lichen.train.green.slurm import Slurm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.train.green.order import Order
    from lichen.train.green.record import Record

pytestmark = pytest.mark.slurm

TRAINING = textwrap.dedent("""
    import os, pathlib, signal, sys, time
    kept = pathlib.Path(os.environ["LICHEN_CHECKPOINT_DIR"]) / "count"
    resumed = os.environ["LICHEN_RESUME"] == "1"
    count = int(kept.read_text()) if resumed and kept.exists() else 0
    with open("log", "a") as file:
        file.write(f"start {os.environ['LICHEN_RESUME']} {count}\\n")
    def stop(*_):
        kept.write_text(str(count))
        sys.exit(75)
    signal.signal(signal.SIGTERM, stop)
    while count < int(sys.argv[1]):
        time.sleep(0.1)
        count += 1
    with open("log", "a") as file:
        file.write(f"end {count}\\n")
""")


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    if reason := why_not():
        pytest.skip(reason)
    with SlurmCluster() as made:
        yield made


@pytest.fixture(autouse=True)
def _configured(cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", str(cluster.conf))


class TestSlurm(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Slurm:
        return Slurm()


def drive(yard: Yard, order: Order, *values: float) -> Record:
    slurm = Slurm(SECOND / 2)
    record, _ = submit(yard.queue, yard.planner(*values), slurm, order)
    return Runner(yard.queue, yard.planner(), lambda _: slurm).run([record.id])[0]


def test_a_job_waits_in_slurm_for_its_clean_hours(yard: Yard) -> None:
    order = yard.python(
        "import time; print(time.time(), file=open('at', 'w'))", executor="slurm", within=40
    )

    record = drive(yard, order, *[500.0] * 5, 50.0)

    ran_at = datetime.fromtimestamp(float(yard.text("at")), UTC)
    assert record.state is State.DONE, record
    assert record.attempt == 1
    assert ran_at >= record.segments[0][0].replace(microsecond=0) > record.submitted_at


def test_a_job_that_can_pause_is_checkpointed_and_submitted_again(yard: Yard) -> None:
    order = yard.order(
        sys.executable,
        "-c",
        TRAINING,
        "60",
        executor="slurm",
        lasts=9,
        within=23,
        pausing=pausing(),
    )

    record = drive(yard, order, *[50.0] * 5, *[900.0] * 6, *[50.0] * 6, 900.0)

    lines = yard.text("log").splitlines()
    assert record.state is State.DONE, (record, lines)
    assert lines[0] == "start 0 0"
    assert lines[1].startswith("start 1 ")
    assert int(lines[1].split()[2]) > 0
    assert lines[2] == "end 60"
    assert record.stretches[0].exit_code == 75
    assert record.ended_at is not None
    assert record.ended_at <= order.deadline


def test_a_frozen_job_is_suspended_by_slurm_and_goes_on(yard: Yard) -> None:
    order = yard.python(
        "import time\nfor _ in range(60): time.sleep(0.1)\nopen('ran', 'a').write('once ')",
        executor="slurm",
        lasts=8,
        within=16,
        pausing=pausing(freeze=True, idle=Power.watts(1)),
    )

    record = drive(yard, order, *[50.0] * 5, *[900.0] * 5, 50.0)

    assert record.state is State.DONE, record
    assert yard.text("ran") == "once "
    assert [stretch.how for stretch in record.stretches] == ["frozen", "ended"], record


def node_is_idle() -> bool:
    """Whether Slurm has cleaned up after what ran."""
    shown = subprocess.run(
        ["sinfo", "--noheader", "--format", "%T"], capture_output=True, text=True, check=True
    )
    return set(shown.stdout.split()) == {"idle"}


def test_a_job_that_slurm_requeues_is_told_to_resume_and_keeps_its_number(
    yard: Yard, tmp_path: Path
) -> None:
    slurm = Slurm()
    shell = 'echo "$LICHEN_RESUME" >> resumes; [ "$LICHEN_RESUME" = 1 ] || sleep 60'
    handle = slurm.submit(shell_task(tmp_path, shell, requeue=True))
    until(lambda: yard.text("resumes"), within=20)

    # A run may fail to launch while the node, though idle, is not done with the one before.
    for _ in range(3):
        subprocess.run(["scontrol", "requeue", handle.split()[0]], check=True)
        until(lambda: slurm.look(handle).phase is Phase.WAITING, within=30, every=0.2)
        until(node_is_idle, within=30, every=0.2)
        # After a requeue Slurm waits two minutes by itself.
        slurm.move(handle, datetime.now(UTC))
        seen = ended(slurm, handle)
        if seen.exit_code == 0:
            break

    assert seen.exit_code == 0
    assert yard.text("resumes") == "0\n1\n"


def test_a_job_that_cannot_pause_is_not_requeued(yard: Yard, tmp_path: Path) -> None:
    slurm = Slurm()
    handle = slurm.submit(shell_task(tmp_path, "echo x >> starts; sleep 2"))
    until(lambda: yard.text("starts"), within=20)

    done = subprocess.run(
        ["scontrol", "requeue", handle.split()[0]], capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert ended(slurm, handle).exit_code == 0
    assert yard.text("starts") == "x\n"


def test_a_place_is_a_partition(tmp_path: Path) -> None:
    slurm = Slurm()
    begin = datetime.now(UTC) + timedelta(hours=1)

    handle = slurm.submit(shell_task(tmp_path, "true", place="other", begin=begin))

    shown = subprocess.run(
        ["scontrol", "show", "job", handle.split()[0]], capture_output=True, text=True, check=True
    )
    slurm.ask(handle, Ask.CANCEL)
    assert "Partition=other" in shown.stdout
    assert slurm.look(handle).phase is Phase.ENDED


@pytest.mark.parametrize("liked", ["standard", "relative"])
@pytest.mark.usefixtures("_in_berlin")
def test_of_an_hour_that_clocks_repeat_slurm_keeps_the_one_that_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, liked: str
) -> None:
    monkeypatch.setenv("SLURM_TIME_FORMAT", liked)
    slurm = Slurm()
    # Clocks go back at 01:00 UTC of the last Sunday of October: both are 02:30 in Berlin.
    first = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    second = first + timedelta(hours=1)

    handle = slurm.submit(shell_task(tmp_path, "true", begin=first))
    began = start_of(handle)
    slurm.move(handle, second)
    moved = start_of(handle)

    slurm.ask(handle, Ask.CANCEL)
    assert (began, moved) == (first.timestamp(), second.timestamp())


@pytest.mark.parametrize("liked", ["standard", "relative", "%H:%M"])
def test_when_a_job_ran_is_known_whatever_format_of_times_a_user_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, liked: str
) -> None:
    monkeypatch.setenv("SLURM_TIME_FORMAT", liked)
    slurm = Slurm()
    before = datetime.now(UTC) - timedelta(seconds=1)

    seen = ended(slurm, slurm.submit(shell_task(tmp_path, "true")))

    assert seen.started_at is not None
    assert seen.ended_at is not None
    assert before <= seen.started_at <= seen.ended_at <= datetime.now(UTC) + timedelta(seconds=1)


def test_a_job_that_waits_goes_to_another_partition_and_runs_there(yard: Yard) -> None:
    order = yard.order(
        "true", executor="slurm", within=3600, zone="DE", places=(("DE", "clean"), ("FR", "other"))
    )
    slurm, hour = Slurm(SECOND / 2), timedelta(hours=1)
    record, _ = submit(yard.queue, yard.planner(*[50.0] * 9), slurm, order)
    now = datetime.now(UTC)
    later = ((now + hour / 2, now + hour / 2 + SECOND, "DE"),)
    yard.queue.put(replace(yard.queue.get(record.id), segments=later))
    driver = Driver(yard.queue, slurm, record.id)
    driver.step(now)
    waits = partition_of(driver.record.handle)

    handle = driver.record.handle
    taken = driver.plan_again(((now, now + SECOND, "FR"),), now)
    until(lambda: driver.step(datetime.now(UTC)).state.ended, within=60, every=0.2)

    assert (waits, partition_of(handle)) == ("clean", "other")
    assert taken
    assert driver.record.state is State.DONE
    assert [one.zone for one in driver.record.stretches] == ["FR"]


def test_a_job_whose_driver_died_before_slurm_was_told_of_its_place_is_told_by_the_next(
    yard: Yard,
) -> None:
    order = yard.order(
        "true", executor="slurm", within=3600, zone="DE", places=(("DE", "clean"), ("FR", "other"))
    )
    slurm, hour = Slurm(SECOND / 2), timedelta(hours=1)
    record, _ = submit(yard.queue, yard.planner(*[50.0] * 9), slurm, order)
    now = datetime.now(UTC)
    later = (now + hour / 2, now + hour / 2 + SECOND)
    yard.queue.put(replace(yard.queue.get(record.id), segments=((*later, "DE"),)))
    died = Driver(yard.queue, slurm, record.id).step(now)
    yard.queue.put(replace(died, segments=((*later, "FR"),)))

    Driver(yard.queue, slurm, record.id).step(now)

    found = partition_of(died.handle)
    slurm.ask(died.handle, Ask.CANCEL)
    assert found == "other"


def shown(handle: str, **more: str) -> str:
    """What Slurm says of a job."""
    return subprocess.run(
        ["scontrol", "show", "job", "--oneliner", handle.split(maxsplit=1)[0]],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **more},
    ).stdout


def start_of(handle: str) -> float:
    """When a job is to start, in seconds of Unix time."""
    found = re.search(r" StartTime=(\d+)", shown(handle, SLURM_TIME_FORMAT="%s"))
    assert found
    return float(found[1])


def partition_of(handle: str) -> str:
    """Where a job waits or ran."""
    found = re.search(r" Partition=(\S+)", shown(handle))
    return found[1] if found else ""


def test_a_controller_that_does_not_answer_is_told_and_the_job_stays(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "slurm.conf").write_text("ClusterName=x\nSlurmctldHost=nowhere(127.0.0.1)\n")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    order = yard.order("true", executor="slurm", within=60 * 60)

    with pytest.raises(ExecutorUnavailable, match="Slurm"):
        drive(yard, order)

    assert yard.queue.newest(1) == []
