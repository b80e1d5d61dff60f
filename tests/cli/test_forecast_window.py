"""`lichen forecast --window`: it fits in the horizon, or it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_a_window_longer_than_the_horizon_is_wrong_usage(run: Run) -> None:
    result = run("forecast", "DE", "--window", "99h")

    assert result.exit_code == 2
    assert "--window 99h is longer than the horizon, 48h" in result.stderr


def test_a_short_horizon_alone_takes_a_window_as_short(run: Run) -> None:
    result = run("forecast", "DE", "--horizon", "2h", "--json")

    assert result.exit_code == 0, result.stderr
    assert "cleanest" in result.stdout
