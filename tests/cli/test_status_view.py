"""Jobs as `lichen status` lists them, and what it says of a job whose power nobody knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lichen.cli.green_view import show_job, show_jobs
from lichen.cli.settling import said
from lichen.ledger.entry import Baseline
from lichen.testing.jobs import BySecond
from lichen.testing.samples import sample_entry, sample_figures, sample_footprint
from lichen.train.green.order import Order
from lichen.train.green.planning import Planner
from lichen.train.green.record import Record, State, Stretch
from lichen.train.green.settle import Settlement

NOW = datetime.now(UTC)
ORDER = Order(
    argv=("python", "train.py", "--epochs", "300", "--data", "/data/set"),
    cwd="/",
    release=NOW,
    deadline=NOW + timedelta(days=1),
    p50=timedelta(hours=2),
    zone="SE-SE3",
)
WAITING = Record(id="055379a2e8d623e8", order=ORDER, submitted_at=NOW)
LOST = replace(
    WAITING,
    state=State.LOST,
    ended_at=NOW,
    stretches=(Stretch(attempt=1, start=NOW - timedelta(hours=1), end=NOW, zone="SE-SE3"),),
)
GUESSED = replace(sample_figures(), gaps=("power-assumed", "embodied-unknown"))


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_nothing_of_a_job_is_cut_on_a_narrow_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    show_jobs([(WAITING, False), (replace(WAITING, id="055379a2e8d623e9"), True)])

    shown = capsys.readouterr().out
    assert "…" not in shown
    assert all(any(job in line for line in shown.splitlines()) for job in IDS)
    assert "waiting" in shown
    assert "SE-SE3" in shown
    assert "lichen run --adopt" in " ".join(shown.split())


def test_a_command_is_shown_as_a_shell_would_take_it(capsys: pytest.CaptureFixture[str]) -> None:
    quoted = replace(WAITING, order=replace(ORDER, argv=("sh", "-c", "echo hello; sleep 1")))

    show_job(quoted, None, driven=True)

    assert "sh -c 'echo hello; sleep 1'" in capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 80, 120])
def test_what_a_job_avoided_is_listed_with_its_interval(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    used = sample_footprint(wh=1.0)
    baseline = Baseline(sample_footprint(wh=2.0), "run-now/1", "0" * 16)
    entry = sample_entry(figures=replace(sample_figures(), footprint=used, baseline=baseline))
    assert entry.saving is not None

    show_jobs([(LOST, False)], {LOST.id: Settlement(LOST, entry, "")})

    shown = "".join(capsys.readouterr().out.split())
    assert "".join(str(entry.saving.footprint.carbon).split()) in shown
    assert "…" not in shown


def test_a_job_is_told_in_words_and_not_by_the_name_of_its_plan(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_job(replace(WAITING, note="waiting: contiguous/1"), None, driven=True)
    waiting = capsys.readouterr().out
    show_job(replace(WAITING, state=State.RUNNING, note="running"), None, driven=True)
    running = capsys.readouterr().out

    assert "for the cleanest hours, in one piece" in waiting
    assert "/1" not in waiting
    assert running.count("running") == 1


def test_a_job_that_runs_says_for_how_long_and_shows_no_plan_that_it_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    began = Stretch(attempt=1, start=datetime.now(UTC) - timedelta(minutes=2), zone="SE-SE3")
    running = replace(WAITING, state=State.RUNNING, stretches=(began,), committed=True)
    source = BySecond((100.0, 50.0), NOW)
    planning = Planner(source=source).plan(ORDER, NOW)

    show_job(running, planning, driven=True)
    show_job(replace(running, committed=False), planning, driven=True)

    released, planned = capsys.readouterr().out.split("Job ", 2)[1:]
    assert "120 s so far" in released
    assert "latest safe start" not in released
    assert "latest safe start" in planned


def test_where_no_job_ever_was_there_is_no_empty_table(capsys: pytest.CaptureFixture[str]) -> None:
    show_jobs([])

    assert (
        capsys.readouterr().out.strip() == "No job waits or ran here: lichen run --help says how."
    )


IDS = ("055379a2e8d623e8", "055379a2e8d623e9")


def test_a_job_that_was_lost_says_that_its_power_is_assumed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    settled = Settlement(LOST, sample_entry(figures=GUESSED), "")

    show_jobs([(LOST, False)], {LOST.id: settled})
    told = said(settled)

    assert "none claimed, power assumed" in capsys.readouterr().out
    assert "at an assumed power of" in told
    assert "--power" in told


def test_a_job_whose_energy_was_read_says_nothing_of_the_kind() -> None:
    told = said(Settlement(LOST, sample_entry(figures=replace(GUESSED, gaps=())), ""))

    assert "assumed power" not in told
