"""A trace that goes on past now is a forecast, and who is asked of the time ahead, in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.assemble import open_forecasts, open_history
from lichen.grid.playback import Playback
from lichen.grid.trace import TraceSource
from lichen.ledger.errors import SignalUnavailable, UnknownZone
from lichen.settings import load

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.grid.chain import Chain

HOUR = timedelta(hours=1)
NOW = datetime(2025, 6, 2, 12, tzinfo=UTC)


def rows(first: int, last: int) -> list[tuple[datetime, float]]:
    return [(NOW + HOUR * n, 200.0 + n % 24) for n in range(first, last)]


def playing(last: int) -> Playback:
    return Playback(TraceSource(rows(-48, last), "DE"), lambda: NOW)


def test_the_steps_to_come_are_the_forecast_and_are_issued_by_now() -> None:
    signal = playing(30).forecast("DE", 4 * HOUR)

    assert signal.values == (200.0, 201.0, 202.0, 203.0)
    assert signal.issued_at <= NOW


def test_it_is_taken_as_far_as_it_reaches() -> None:
    with pytest.raises(SignalUnavailable, match="covers"):
        playing(30).forecast("DE", 48 * HOUR)

    assert playing(30).ahead("DE").end == NOW + 30 * HOUR


def test_a_trace_that_has_ended_or_is_of_another_zone_says_nothing() -> None:
    for last in (-2, 0):
        with pytest.raises(SignalUnavailable):
            playing(last).ahead("DE")
    with pytest.raises(UnknownZone):
        playing(30).forecast("FR", HOUR)


def chain(folder: Path, first: int, last: int, grid: str = "") -> Chain:
    text = "\n".join(f"{time.isoformat()},{value}" for time, value in rows(first, last))
    (folder / "trace.csv").write_text(f"time,g\n{text}\n")
    trace = str(folder / "trace.csv")
    settings = load(trace=trace, zone="DE", grid=grid, grid_cache="memory:")
    return open_forecasts(settings, clock=lambda: NOW)


def test_a_trace_that_ends_now_is_history_for_the_forecaster(tmp_path: Path) -> None:
    signal = chain(tmp_path, -24 * 30, 0).forecast("DE", 24 * HOUR, issued_at=NOW)

    assert signal.source.startswith("forecast/1")
    assert signal.start == NOW


def test_where_a_trace_ends_the_next_source_goes_on(tmp_path: Path) -> None:
    signal = chain(tmp_path, -24 * 30, 6).forecast("DE", 24 * HOUR, issued_at=NOW)

    assert signal.values[:6] == (200.0, 201.0, 202.0, 203.0, 204.0, 205.0)
    assert signal.end >= NOW + 24 * HOUR
    assert "then forecast/1" in signal.source


def test_an_old_trace_leaves_the_average(tmp_path: Path) -> None:
    signal = chain(tmp_path, -24 * 30, -24 * 9).forecast("DE", 24 * HOUR, issued_at=NOW)

    assert len(set(signal.values)) == 1


def test_a_missing_credential_blocks_nothing_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ELECTRICITYMAPS_TOKEN", raising=False)
    sources = chain(tmp_path, -24 * 30, 0, "electricitymaps")

    sources.forecast("DE", 24 * HOUR, issued_at=NOW)

    outcomes = {one.source: one.outcome for one in sources.tried}
    assert outcomes["electricitymaps"] == "skipped"
    assert outcomes["Forecaster"] == "answered"


def test_history_has_no_stand_in(tmp_path: Path) -> None:
    from lichen.ledger.window import Window

    history = open_history(load(zone="DE", ledger=str(tmp_path / "book.db")))

    with pytest.raises(SignalUnavailable, match="no source is configured"):
        history.intensity("DE", Window(NOW, NOW + HOUR, "DE"))
