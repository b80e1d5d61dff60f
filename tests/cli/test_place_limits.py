"""Limits of places on the command line: who is left out, why, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

ASKED = ("--finish-by", "in 8h", "--duration", "1h", "--executor", "slurm", "--zone", "DE")
ZONES = ("--zones", "DE=gpu,FR=gpu-fr,aws:eu-north-1=gpu-north")
NEAR = ("--site", "DE,latency=5ms,hardware=h100+a100,price=2.80EUR,area=EU")
MIDDLE = ("--site", "FR,latency=15ms,hardware=A100,price=2.40EUR,area=EU")
FAR = ("--site", "aws:eu-north-1,latency=0.03s,hardware=h100,price=3.1EUR")


def places(run: Run, *words: str) -> tuple[list[str], str]:
    """The zones that a job may go to, and what was said."""
    done = run("plan", *ASKED, *ZONES, *words, "--json")
    assert done.exit_code == 0, done.stderr
    said: Any = json.loads(done.stdout)
    return [zone for zone, _ in said["order"]["places"]], done.stderr


@pytest.mark.parametrize(
    ("limit", "left", "why"),
    [
        (("--max-latency", "20ms"), "aws:eu-north-1", "latency: 30 ms, 20 ms at most"),
        (("--hardware", "h100"), "FR", "hardware: no h100"),
        (("--hardware", "A100,H100"), "FR", "hardware: no h100"),
        (("--max-price", "3EUR"), "aws:eu-north-1", "price: 3.10 EUR, 3.00 EUR at most"),
        (("--residency", "eu"), "aws:eu-north-1", "residency: SE is not in EU"),
        (("--residency", "DE,SE"), "FR", "residency: EU, FR is not in DE, SE"),
    ],
)
def test_a_zone_outside_a_limit_is_left_out_and_told_with_why(
    run: Run, limit: tuple[str, ...], left: str, why: str
) -> None:
    among, said = places(run, *limit, *NEAR, *MIDDLE, *FAR)

    assert left not in among
    assert "DE" in among
    assert f"lichen: {left} is left out: {why}" in said


def test_zones_within_all_limits_stay_and_nothing_is_said(run: Run) -> None:
    limits = ("--max-latency", "1s", "--hardware", "a100", "--max-price", "9EUR")

    among, said = places(
        run,
        *limits,
        "--residency",
        "EU,SE",
        *NEAR,
        *MIDDLE,
        "--site",
        FAR[1] + ",hardware=h100+a100",
    )

    assert among == ["DE", "FR", "aws:eu-north-1"]
    assert "left out" not in said


def test_what_nobody_said_of_a_zone_counts_as_not_kept(run: Run) -> None:
    among, said = places(run, "--max-latency", "1s", *NEAR)

    assert among == ["DE"]
    assert "FR is left out: latency: unknown, 1000 ms at most" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((*ZONES, "--max-latency", "soon"), "--max-latency cannot be 'soon'"),
        (
            (*ZONES, "--max-price", "3"),
            "--max-price cannot be '3': write a number and its currency",
        ),
        ((*ZONES, "--hardware", "h100", "--site", "DE,latency=far"), "the latency of --site DE"),
        ((*ZONES, "--hardware", "h100", "--site", "DE,rent=3EUR"), "--site cannot be"),
        ((*ZONES, "--hardware", "h100", "--site", "PL,hardware=h100"), "neither home nor one of"),
        ((*ZONES, "--hardware", "h100", *MIDDLE), "home DE does not keep the limits"),
        ((*ZONES, "--max-price", "3USD", *NEAR), "convert to one currency"),
        ((*ZONES, *NEAR), "--site says what a limit asks: give one of --residency, --max-latency"),
        (("--hardware", "h100", *NEAR), "--hardware chooses among zones: list them with --zones"),
        (("--zones", "FR,SE", "--residency", "DE"), "no zone keeps the limits: FR: residency"),
    ],
)
def test_limits_that_make_no_sense_are_refused_with_the_way_out(
    run: Run, words: tuple[str, ...], says: str
) -> None:
    done = run("plan", *ASKED, *words)

    assert done.exit_code == 2
    assert says in " ".join(done.stderr.split())
