"""`lichen plan` and `lichen forecast`: what stands on the standard output, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

DAY = ("--finish-by", "in 24h", "--duration", "4h", "--zone", "DE")
HOUR = timedelta(hours=1)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A trace of DE whose clean hours begin three hours from now."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = [
        f"{(start + HOUR * n).isoformat()},{100 if 3 <= n < 20 else 800}" for n in range(-2, 60)
    ]
    path = tmp_path / "trace.csv"
    path.write_text("time,gco2_per_kwh\n" + "\n".join(rows) + "\n")
    return path


def test_a_plan_stands_on_the_standard_output_with_who_was_asked(run: Run, trace: Path) -> None:
    done = run("plan", *DAY, "--trace", trace)

    assert "latest safe start" in done.stdout
    assert "━" in done.stdout
    assert "asked for" in done.stdout
    assert done.stderr == ""


def test_a_forecast_stands_on_the_standard_output_with_who_was_asked(run: Run) -> None:
    done = run("forecast", "DE")

    assert "asked for" in done.stdout
    assert done.stderr == ""


def test_a_plan_where_all_hours_are_alike_chose_none(run: Run) -> None:
    done = run("plan", *DAY)

    told = " ".join(done.stdout.split())
    assert "planned as soon as it may, since all hours are alike" in told
    assert "cleanest hours" not in told
    assert " to 342 g" not in told
    assert "━" not in told


def test_a_place_is_still_chosen_where_all_hours_are_alike(run: Run) -> None:
    done = run("plan", *DAY, "--executor", "kubernetes", "--zones", "DE,FR", "--option", "image=x")

    assert "in the cleanest place as soon as it may" in " ".join(done.stdout.split())


def test_each_place_is_shown_with_what_it_would_emit_and_the_best_is_marked(
    run: Run, trace: Path
) -> None:
    words = ("--executor", "kubernetes", "--zones", "DE,FR,SE-SE3", "--option", "image=x")

    drawn = run("plan", *DAY, "--trace", trace, *words).stdout
    told = json.loads(run("plan", "--json", *DAY, "--trace", trace, *words).stdout)

    places = {one["zone"]: one["expected_g"]["value"] for one in told["places"]}
    assert list(places) == ["DE", "FR", "SE-SE3"]
    assert places["DE"] == pytest.approx(4 * 0.3 * 100)
    best = min(places, key=places.__getitem__)
    assert best == told["plan"]["segments"][0]["zone"]
    assert places[best] == pytest.approx(told["plan"]["expected_g"]["value"])
    rows = [line.split()[:2] for line in drawn.splitlines() if line.strip().startswith("✔")]
    assert ["✔", best] in rows
    assert [line.split()[0] for line in drawn.splitlines() if "120 gCO₂e" in line] == ["DE"]


def test_a_job_in_one_place_shows_no_choice(run: Run, trace: Path) -> None:
    told = json.loads(run("plan", "--json", *DAY, "--trace", trace).stdout)

    assert told["places"] == []
    assert told["plan"]["avoided_share"] == pytest.approx(
        told["plan"]["avoided_g"]["value"] / told["plan"]["run_now_g"]["value"]
    )


def test_a_job_that_may_pause_and_is_not_going_to_is_said_to_run_in_one_piece(
    run: Run, trace: Path
) -> None:
    done = run("plan", *DAY, "--trace", trace, "--interruptible")

    assert "for the cleanest hours, in one piece" in " ".join(done.stdout.split())


def test_a_plan_at_an_assumed_power_says_how_to_name_it(run: Run, trace: Path) -> None:
    assumed = run("plan", *DAY, "--trace", trace)
    named = run("plan", *DAY, "--trace", trace, "--power", "2kW")

    assert "at an assumed power of 300 W" in " ".join(assumed.stdout.split()).replace("at  ", "at ")
    assert "assumed power" not in named.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--data", "40GB"), "list zones with --zones"),
        (("--power", "0W"), "leave it out"),
    ],
)
def test_what_would_do_nothing_is_refused(run: Run, words: tuple[str, ...], says: str) -> None:
    done = run("plan", *DAY, *words)

    assert done.exit_code == 2
    assert says in done.stderr


def test_a_zone_that_is_none_is_refused_though_a_trace_would_answer(run: Run, trace: Path) -> None:
    done = run("forecast", "XX", "--trace", trace)

    assert done.exit_code == 2
    assert "unknown grid zone 'XX'" in done.stderr


def test_a_deadline_that_is_too_near_names_one_that_may_be_given(run: Run) -> None:
    done = run("plan", "--finish-by", "in 2h", "--duration", "6h", "--zone", "DE")
    earliest = done.stderr.partition("give a deadline of ")[2].partition(" ")[0]

    again = run("plan", "--finish-by", earliest, "--duration", "6h", "--zone", "DE")

    assert "." not in earliest
    assert again.exit_code == 0


def test_a_moment_that_is_far_off_has_its_year(run: Run) -> None:
    done = run("plan", "--finish-by", "in 900d", "--duration", "4h", "--zone", "DE")

    year = (datetime.now(UTC) + timedelta(days=900)).year
    assert f" {year} " in done.stdout.partition("latest safe start")[2]
