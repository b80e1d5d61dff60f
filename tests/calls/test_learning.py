"""One process learns at a place: what others, and services of the same process, are told."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lichen.calls.learning import Learning, learner_at
from lichen.calls.steps import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDING = """
import pathlib, sys
from lichen.calls.learning import Learning
learning = Learning(pathlib.Path(sys.argv[1]), print)
print(learning.alone(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lichen.db.learning"


@pytest.fixture
def another(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that learns there."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        yield child


def test_whoever_comes_second_is_told_once_and_gets_no_file_to_learn_into(
    another: subprocess.Popen[str], lock: Path
) -> None:
    told: list[object] = []
    place = Place(str(lock.with_name("lichen.db")), "", Learning(lock, told.append))

    learnt = [place.file(name) for name in ("lengths", "cascade", "compress")]

    assert learnt == [None, None, None]
    assert not place.alone()
    assert [f"(process {another.pid})" in str(each) for each in told] == [True]
    assert "LICHEN_STATE" in str(told[0])


def test_whoever_came_second_is_told_at_its_stop_that_what_it_learnt_is_lost(
    another: subprocess.Popen[str], lock: Path
) -> None:
    assert another.poll() is None
    told: list[object] = []
    learning = Learning(lock, told.append)
    learning.alone()

    learning.release()
    learning.release()

    assert len(told) == 2
    assert "what this service learnt is lost at its stop" in str(told[1])


def test_who_learns_at_a_place_is_known_and_nothing_is_locked_for_it(
    another: subprocess.Popen[str], lock: Path
) -> None:
    while_it_runs = learner_at(lock)
    another.kill()
    another.wait()

    assert while_it_runs == another.pid
    assert learner_at(lock) is None
    assert learner_at(lock.with_name("never was")) is None


def test_what_processes_share_they_go_on_sharing(
    another: subprocess.Popen[str], lock: Path
) -> None:
    assert another.poll() is None
    ledger = lock.with_name("lichen.db")

    place = Place(str(ledger), "", Learning(lock, print))

    shared = [place.file(name) for name in ("similar", "gate")]
    assert shared == [ledger.with_name("lichen.db.similar"), ledger.with_name("lichen.db.gate")]


def test_services_of_one_process_are_one_learner_until_the_last_is_closed(lock: Path) -> None:
    told: list[object] = []
    both = [Learning(lock, told.append) for _ in range(2)]
    assert [each.alone() for each in both] == [True, True]

    both[0].release()
    before = outcome_elsewhere(lock)
    both[1].release()
    after = outcome_elsewhere(lock)

    assert (before, after) == ("False", "True")
    assert told == []


def outcome_elsewhere(lock: Path) -> str:
    """Whether another process may learn there now."""
    done = subprocess.run(
        [sys.executable, "-c", HOLDING, str(lock)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def test_a_folder_that_cannot_be_written_is_left_to_whoever_writes_there(tmp_path: Path) -> None:
    told: list[object] = []

    alone = Learning(tmp_path / "no such folder" / "lichen.db.learning", told.append).alone()

    assert alone
    assert told == []
