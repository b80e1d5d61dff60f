"""What the dashboard sees of the grid: kept, never waited for, and no job's arguments in it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.assemble import open_store
from lichen.operate.watch.grid import hours
from lichen.serve.lookout import GridLookout
from lichen.settings import load
from lichen.testing.jobs import Yard
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.operate.watch.grid import Seen
    from lichen.settings import Settings

HOUR = timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A ledger, and three weeks of a recording of DE that goes on for three days."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = [f"{(start + HOUR * n).isoformat()},{200 + n % 24}" for n in range(-500, 72)]
    (tmp_path / "trace.csv").write_text("time,g\n" + "\n".join(rows) + "\n")
    trace = str(tmp_path / "trace.csv")
    return load(ledger=str(tmp_path / "book.db"), zone="DE", trace=trace)


def looked(lookout: GridLookout) -> Seen:
    until(lambda: lookout.seen() is not None)
    seen = lookout.seen()
    assert seen is not None
    return seen


def test_the_last_day_and_the_next_two_are_seen(settings: Settings) -> None:
    seen = looked(GridLookout(settings, open_store(settings.ledger)))

    assert seen.past is not None
    assert seen.ahead is not None
    assert seen.ahead.end >= datetime.now(UTC) + 47 * HOUR
    assert [one.outcome for one in seen.asked if one.source == "trace"] == ["answered"]


def test_without_any_recording_the_average_stands_in_and_says_so(tmp_path: Path) -> None:
    settings = load(ledger=str(tmp_path / "book.db"), zone="DE")

    seen = looked(GridLookout(settings, open_store(settings.ledger)))

    assert seen.past is None
    assert "not recorded" in seen.why
    assert seen.ahead is not None
    assert len(seen.ahead.values) == 1


def test_a_source_that_hangs_holds_up_no_page(settings: Settings) -> None:
    class Hanging(GridLookout):
        def _look_at(self, now: datetime) -> Seen:
            time.sleep(3)
            return super()._look_at(now)

    lookout = Hanging(settings, open_store(settings.ledger))
    began = time.monotonic()

    assert lookout.seen() is None
    assert lookout.seen() is None
    assert time.monotonic() - began < 2


def test_a_job_is_seen_by_its_first_words_and_its_state(tmp_path: Path, settings: Settings) -> None:
    yard = Yard(tmp_path)
    yard.run(yard.order("sh", "-c", "true --token s3cret"))
    yard.queue.close()

    [job] = looked(GridLookout(settings, open_store(settings.ledger))).jobs

    assert (job.command, job.state, job.note) == ("sh", "done", "not settled")
    assert len(job.windows) == 1
    assert job.power == "300 W, assumed"


def test_a_job_in_a_region_is_on_the_grid_of_its_zone_and_one_elsewhere_is_not(
    tmp_path: Path, settings: Settings
) -> None:
    yard = Yard(tmp_path)
    for zone in ("aws:eu-central-1", "DE", "aws:eu-north-1"):
        yard.submit(yard.order("true", zone=zone, within=90_000))

    seen = looked(GridLookout(settings, open_store(settings.ledger)))

    yard.end_all()
    yard.queue.close()
    assert [job.elsewhere for job in seen.jobs] == ["aws:eu-north-1", "", ""]


def test_a_job_that_was_released_is_drawn_from_now_on_and_not_where_it_was_planned(
    tmp_path: Path, settings: Settings
) -> None:
    yard = Yard(tmp_path)
    record = yard.submit(yard.order("true", lasts=3600, within=90_000))
    later = datetime.now(UTC) + 20 * HOUR
    segments = ((later, later + HOUR, "DE"),)
    yard.queue.put(replace(yard.queue.get(record.id), segments=segments, committed=True))

    [job] = looked(GridLookout(settings, open_store(settings.ledger))).jobs

    yard.end_all()
    yard.queue.close()
    assert len(job.windows) == 1
    assert job.windows[0][1] < later


def test_a_ledger_without_jobs_is_left_as_it_is(tmp_path: Path, settings: Settings) -> None:
    assert looked(GridLookout(settings, open_store(settings.ledger))).jobs == ()
    assert b"green_jobs" not in (tmp_path / "book.db").read_bytes()


def test_a_recording_of_a_part_of_the_last_day_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = [f"{(start + HOUR * n).isoformat()},200" for n in range(-20, -14)]
    (tmp_path / "trace.csv").write_text("time,g\n" + "\n".join(rows) + "\n")
    trace = str(tmp_path / "trace.csv")
    settings = load(ledger=str(tmp_path / "book.db"), zone="DE", trace=trace)

    seen = looked(GridLookout(settings, open_store(settings.ledger)))

    assert seen.past is not None
    assert (seen.past.start, seen.past.end) == (start - 20 * HOUR, start - 14 * HOUR)
    drawn = [each for each in hours(seen, datetime.now(UTC)) if each.intensity and not each.ahead]
    assert [each.start for each in drawn] == [start - n * HOUR for n in range(20, 14, -1)]
    assert "The last day is recorded in part" in seen.why
