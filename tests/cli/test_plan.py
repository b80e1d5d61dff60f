"""`lichen plan` and `lichen forecast`: what stands on the standard output, and what is refused."""

from __future__ import annotations

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
