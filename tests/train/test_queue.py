"""The queue: in the ledger's file, beside its tables, and one driver a job."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import InputError, LichenError, NoJob, StoreUnavailable, UnknownZone
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Energy, Power
from lichen.ledger.sqlite import SqliteStore
from lichen.testing.samples import sample_entry
from lichen.train.green.order import GRACE, Order, Pausing
from lichen.train.green.planning import Planner
from lichen.train.green.queue import Queue, Wish
from lichen.train.green.record import Record, State, Stretch
from lichen.train.green.runner import submit

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.ledger.signal import GridSignal
    from lichen.testing.jobs import Yard

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_ledger_with_jobs_keeps_its_entries_and_opens_as_before(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    entry = sample_entry()
    with closing(SqliteStore(path)) as store:
        store.append([entry])

    Queue(path).close()

    with closing(SqliteStore(path)) as store:
        assert store.entry(entry.id) == entry


@pytest.mark.parametrize("where", ["memory:", "postgresql://user@host/book"])
def test_a_ledger_that_is_no_file_is_refused_with_the_way_out(where: str) -> None:
    with pytest.raises(InputError, match=r"--ledger lichen\.db"):
        Queue(where)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE theirs (x)")

    with pytest.raises(StoreUnavailable, match="another program"):
        Queue(tmp_path / "other.db")


def test_jobs_of_a_newer_lichen_are_refused(tmp_path: Path) -> None:
    Queue(tmp_path / "book.db").close()
    with closing(sqlite3.connect(tmp_path / "book.db")) as db, db:
        db.execute("UPDATE green_schema SET version = 99")

    with pytest.raises(StoreUnavailable, match="upgrade"):
        Queue(tmp_path / "book.db")


def test_whoever_did_not_read_the_newest_record_cannot_write(yard: Yard) -> None:
    record = yard.submit(yard.order("true"))
    yard.queue.put(replace(record, note="newer"))

    with pytest.raises(StoreUnavailable, match="changed by another"):
        yard.queue.put(replace(record, note="older"))

    assert yard.queue.get(record.id).note == "newer"


def test_a_job_is_on_disk_and_held_before_it_is_planned(yard: Yard) -> None:
    seen: list[tuple[int, bool]] = []

    class Looking:
        """A source that looks into the queue, and then knows no zone."""

        def forecast(
            self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
        ) -> GridSignal:
            with Queue(yard.queue.path) as other:
                seen.extend((each.attempt, other.driven(each.id)) for each in other.living())
            raise UnknownZone(f"{zone} at {issued_at} for {horizon}")

    with pytest.raises(UnknownZone):
        submit(yard.queue, Planner(source=Looking()), yard.local, yard.order("true"))

    assert seen == [(0, True)]
    assert yard.queue.living() == []


def test_a_job_is_found_by_the_end_of_its_id(yard: Yard) -> None:
    record = yard.submit(yard.order("true"))

    assert yard.queue.get(record.id[-6:]).id == record.id
    assert yard.queue.get(record.id[:12]).id == record.id


@pytest.mark.parametrize("job", ["ffffffff", "", "%", "'; DROP TABLE green_jobs; --"])
def test_an_unknown_job_is_named_with_the_newest_ones(yard: Yard, job: str) -> None:
    record = yard.submit(yard.order("true"))

    with pytest.raises(NoJob, match=record.id):
        yard.queue.get(job)


def test_wishes_are_kept_with_when_they_were_made(yard: Yard) -> None:
    record = yard.submit(yard.order("true"))
    for _ in range(2):
        yard.queue.wish(record.id, Wish.RELEASE)

    wishes = yard.queue.wishes(record.id)

    assert list(wishes) == [Wish.RELEASE]
    assert wishes[Wish.RELEASE] >= record.submitted_at


def test_a_forecast_is_kept_as_it_was_issued(yard: Yard) -> None:
    record = yard.submit(yard.order("true", lasts=5, within=60), *[900.0] * 9, 50.0)

    (planning,) = yard.queue.plannings(record.id)

    assert planning.plan is not None
    assert planning.signals[0].values[8:11] == (900.0, 50.0, 50.0)
    assert planning.plan.segments[0].start == record.segments[0][0]
    assert type(planning).from_plain(planning.to_plain()) == planning


def test_a_record_survives_the_store(yard: Yard) -> None:
    energy = Estimate(Energy.wh(2), Energy.wh(1), Energy.wh(4), Basis.MEASURED)
    pausing = Pausing(restart=HOUR / 10, freeze=True, idle=Power.watts(30), every=HOUR)
    order = yard.order(
        "true", pausing=pausing, places=(("DE", "a"),), env=(("X", "1"),), options=(("k", "v"),)
    )
    stretch = Stretch(
        attempt=1, start=NOON, zone="DE", end=NOON + HOUR, ran_s=3.5, cpu_s=2.25, exit_code=75,
        how="checkpoint", energy=energy,
    )  # fmt: skip
    record = Record(
        id="0" * 16, order=order, submitted_at=NOON, state=State.PAUSED, stretches=(stretch,),
        segments=((NOON, NOON + HOUR, "DE"),), attempt=1, gaps=("x",), asked_at=NOON, note="n",
    )  # fmt: skip
    yard.queue.add(record)

    assert yard.queue.get(record.id) == record
    yard.queue.put(replace(yard.queue.get(record.id), state=State.CANCELLED))


def test_the_grace_of_a_job_in_one_piece_survives_and_older_orders_have_the_usual_one(
    yard: Yard,
) -> None:
    said = yard.order("true", grace=HOUR).to_plain()
    older = {name: value for name, value in said.items() if name != "grace_s"}

    assert Order.from_plain(said).grace == HOUR
    assert Order.from_plain(older).grace == GRACE


def test_a_job_that_has_ended_stays_ended(yard: Yard) -> None:
    record = yard.run(yard.order("true"))

    with pytest.raises(LichenError, match="cannot become running"):
        record.to(State.RUNNING)
