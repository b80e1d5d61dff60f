"""`lichen forecast`: which zones it takes, and where they are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_all_zones_and_regions_are_listed(run: Run) -> None:
    lines = run("forecast", "--list").stdout.splitlines()

    assert "DE             Germany" in lines
    assert any(line.startswith("aws:eu-north-1 ") and "in SE-SE3" in line for line in lines)


def test_a_zone_like_no_other_says_where_all_are_listed(run: Run) -> None:
    result = run("forecast", "XX")

    assert result.exit_code == 2
    assert "lichen forecast --list" in result.stderr


@pytest.mark.parametrize("zone", ["se-se3", "Aws:EU-north-1"])
def test_a_zone_is_taken_in_any_case(run: Run, zone: str) -> None:
    result = run("forecast", zone)

    assert result.exit_code == 0, result.stderr
    assert "Forecast of SE-SE3" in result.stdout
