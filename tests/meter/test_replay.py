"""Recordings: what a meter read is kept, failures too, and given again in the same order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import InputError, MeterUnavailable
from lichen.meter.rapl import RaplMeter
from lichen.meter.replay import VARIABLE, Recorder, ReplayMeter
from lichen.meter.shares import whole
from lichen.testing.counters import PowercapTree

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "seconds,value_j,low_j,high_j,basis,failed\n"


@pytest.mark.parametrize("name", ["run.csv", "run.json"])
def test_a_recording_gives_again_what_was_read_and_what_was_not(tmp_path: Path, name: str) -> None:
    tree = PowercapTree(tmp_path / "powercap")
    tree.add("intel-rapl:0", "package-0")
    read = []
    with Recorder(RaplMeter(tree.root, share=whole), tmp_path / name) as meter:
        for spent in (0.0, 1.25, 3.5):
            tree.spend("intel-rapl:0", spent)
            read.append(meter.read())
        tree.set("intel-rapl:0", "gone")
        with pytest.raises(MeterUnavailable):
            meter.read()

    again = ReplayMeter(tmp_path / name)

    assert [again.read() for _ in read] == read
    with pytest.raises(MeterUnavailable, match="says 'gone'"):
        again.read()


def test_a_recording_that_has_ended_is_unavailable_not_zero(tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text(f"{HEAD}0,1,1,1,measured,\n")
    meter = ReplayMeter(tmp_path / "run.csv")
    meter.read()

    with pytest.raises(MeterUnavailable, match="no more readings"):
        meter.read()


@pytest.mark.parametrize(
    "text",
    [
        "time,joules\n0,1\n",
        f"{HEAD}0,one,1,1,measured,\n",
        f"{HEAD}0,1,2,3,measured,\n",
        f"{HEAD}0,1,1,1,guessed,\n",
        f"{HEAD}0,nan,1,1,measured,\n",
    ],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.csv").write_text(text)

    with pytest.raises(InputError, match="is no recording"):
        ReplayMeter(tmp_path / "run.csv")


def test_readings_that_fall_are_refused(tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text(f"{HEAD}0,2,2,2,measured,\n1,1,1,1,measured,\n")

    with pytest.raises(InputError, match="never falls"):
        ReplayMeter(tmp_path / "run.csv")


def test_without_a_recording_it_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    with pytest.raises(MeterUnavailable, match=VARIABLE):
        ReplayMeter()


def test_the_environment_may_name_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.csv").write_text(f"{HEAD}0,1,1,1,measured,\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "run.csv"))

    assert ReplayMeter().read().value.in_joules == 1.0
