"""The page of the grid: which hours it names, and what its columns mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Carbon
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.operate.watch.grid import Job, Seen, cleanest, hours
from lichen.operate.watch.grid_page import grid_page

HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
# The four hours from noon are the cleanest of two days.
VALUES = (100.0,) * 4 + (400.0,) * 44
AHEAD = GridSignal(
    zone="DE",
    kind=SignalKind.AVERAGE,
    basis=Basis.MODELLED,
    source="a forecast",
    issued_at=NOON,
    start=NOON,
    step=HOUR,
    values=VALUES,
    lows=VALUES,
    highs=VALUES,
)
SEEN = Seen("DE", NOON, ahead=AHEAD)


@pytest.mark.parametrize("minutes", [0, 1, 20, 59])
def test_the_cleanest_hours_never_begin_in_the_past(minutes: int) -> None:
    now = NOON + timedelta(minutes=minutes)

    found = cleanest(hours(SEEN, now), 4, now)

    assert found is not None
    assert (found[0], found[1]) == (now, NOON + 4 * HOUR)


def test_the_name_of_a_zone_is_not_broken_between_two_lines() -> None:
    body = grid_page(replace(SEEN, zone="SE-SE3"), NOON, ()).body.decode()

    assert "<h1>The grid of <span class=z>SE-SE3</span> emits" in body


def test_hours_that_run_already_are_named_as_now() -> None:
    body = grid_page(SEEN, NOON + timedelta(minutes=20), ()).body.decode()

    assert "Cleanest 4 hours ahead: now to Mon 16:00" in body


def test_hours_to_come_are_named_by_their_clock() -> None:
    later = replace(AHEAD, values=VALUES[::-1], lows=VALUES[::-1], highs=VALUES[::-1])

    body = grid_page(replace(SEEN, ahead=later), NOON, ()).body.decode()

    assert "Cleanest 4 hours ahead: Wed 08:00 to Wed 12:00" in body


def test_it_names_the_chapters_that_explain_it_and_links_nothing_outside() -> None:
    body = grid_page(SEEN, NOON, ()).body.decode()

    assert "docs/grid.md" in body
    assert "docs/method/savings.md" in body
    assert 'href="http' not in body


def test_it_says_what_was_expected_of_a_job_and_by_whom() -> None:
    grams = Estimate.around(Carbon.grams(900.0))
    job = Job("055379a2e8d623e8", "train", "waiting", ((NOON, NOON + HOUR),), grams, None)

    body = grid_page(replace(SEEN, jobs=(job,)), NOON, ()).body.decode()

    assert "Expected is what the last plan was to avoid, by the forecast" in body


def test_a_forecast_was_issued_and_neither_a_recording_nor_a_yearly_average_was() -> None:
    # A recording goes on into times to come, and is played back.
    recorded = replace(AHEAD, source="a trace", issued_at=NOON + 40 * HOUR, start=NOON - 24 * HOUR)
    played = replace(AHEAD, source="a trace", issued_at=NOON)
    average = replace(
        AHEAD, source="a table (2024)", step=48 * HOUR, values=(9.0,), lows=(9.0,), highs=(9.0,)
    )

    pages = [
        grid_page(seen, NOON, ()).body.decode()
        for seen in (
            SEEN,
            replace(SEEN, past=recorded),
            replace(SEEN, past=recorded, ahead=played),
            replace(SEEN, ahead=average),
        )
    ]

    assert "Forecast: a forecast, issued Mon 12:00." in pages[0]
    assert "Recorded: a trace." in pages[1]
    assert "Forecast: a trace, as recorded." in pages[2]
    assert "Forecast: a table (2024), a yearly average." in pages[3]


def test_a_job_on_another_grid_is_named_with_its_zone_and_not_drawn_on_this_curve() -> None:
    here = Job("055379a2e8d623e8", "train", "waiting", ((NOON, NOON + HOUR),), None, None)
    there = replace(here, name="055379a2e8d623e9", elsewhere="aws:eu-north-1")

    body = grid_page(replace(SEEN, jobs=(here, there)), NOON, ()).body.decode()

    assert body.count("class=win") == 1
    assert body.count("in aws:eu-north-1") == 1
    # The table's hour counts what is drawn.
    assert "<td>forecast<td>1<tr>" in body
    assert "<td>forecast<td>2<tr>" not in body


def test_an_interval_of_nothing_is_left_out() -> None:
    nothing = Estimate.exact(Carbon.grams(0.0), Basis.MODELLED)
    job = Job("055379a2e8d623e8", "train", "done", ((NOON, NOON + HOUR),), None, nothing)

    body = grid_page(replace(SEEN, jobs=(job,)), NOON, ()).body.decode()

    assert "<b>0 gCO₂e</b>" in body
    assert "0 gCO₂e – 0 gCO₂e" not in body


def test_it_says_at_which_power_the_expected_was_worked_out() -> None:
    grams = Estimate.around(Carbon.grams(900.0))
    job = Job("055379a2e8d623e8", "train", "done", ((NOON, NOON + HOUR),), grams, None)

    body = grid_page(replace(SEEN, jobs=(replace(job, power="300 W, assumed"),)), NOON, ()).body

    assert "at 300 W, assumed" in body.decode()
