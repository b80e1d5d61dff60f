"""Plans in cloud regions: their grid zone's forecast, and their published PUE."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lichen.grid.chain import Chain
from lichen.grid.playback import Playback
from lichen.grid.regions import regions
from lichen.grid.trace import TraceSource
from lichen.train.green.order import Order, Pausing
from lichen.train.green.planning import Planner
from lichen.train.green.record import Record, State, Stretch

HOUR = timedelta(hours=1)
NORTH, CENTRAL = "aws:eu-north-1", "aws:eu-central-1"


def order(now: datetime, zone: str, *places: str) -> Order:
    return Order(
        argv=("true",),
        cwd="/",
        release=now,
        deadline=now + 6 * HOUR,
        p50=HOUR,
        zone=zone,
        places=tuple((place, place) for place in places),
    )


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def planner(now: datetime) -> Planner:
    values = {"SE-SE3": (40, 40, 20, 40, 40, 40, 40), "DE": (400, 300, 350, 400, 400, 400, 400)}
    traces = [
        Playback(TraceSource([(now + HOUR * n, float(v)) for n, v in enumerate(row)], zone))
        for zone, row in values.items()
    ]
    return Planner(source=Chain([], forecasts=traces))


def test_a_job_in_a_cloud_region_waits_for_its_grid_zones_cleanest_hour(
    planner: Planner, now: datetime
) -> None:
    made = planner.plan(order(now, NORTH), now)

    assert made.plan is not None, made.why
    assert made.plan.start == now + 2 * HOUR
    # A place of an executor is looked up by the name that the user gave.
    assert made.plan.zone == NORTH


def test_among_cloud_regions_each_counts_with_its_published_pue(
    planner: Planner, now: datetime
) -> None:
    north, central = regions()[NORTH], regions()[CENTRAL]

    plan = planner.plan(order(now, CENTRAL, CENTRAL, NORTH), now).plan

    assert plan is not None
    assert plan.zone == NORTH
    # 300 W over an hour.
    assert plan.expected.value.in_grams == pytest.approx(0.3 * 20 * north.pue)
    assert plan.run_now.value.in_grams == pytest.approx(0.3 * 400 * central.pue)
    assert plan.gaps == ()


def test_where_the_pue_of_one_place_is_not_known_none_is_counted_and_the_plan_says_so(
    planner: Planner, now: datetime
) -> None:
    plan = planner.plan(order(now, "DE", "DE", NORTH), now).plan

    assert plan is not None
    assert plan.expected.value.in_grams == pytest.approx(0.3 * 20)
    assert plan.run_now.value.in_grams == pytest.approx(0.3 * 400)
    assert plan.gaps == ("pue-unknown",)


def grids(now: datetime, **values: tuple[float, ...]) -> Planner:
    """A planner over three days, a value for every hour of the first day, then the last one."""
    traces = [
        Playback(
            TraceSource(
                [(now + HOUR * n, row[min(n, len(row) - 1)]) for n in range(72)],
                zone.replace("_", "-"),
            )
        )
        for zone, row in values.items()
    ]
    return Planner(source=Chain([], forecasts=traces))


def waiting(now: datetime, *places: str, **changes: Any) -> Record:
    """A job of an hour within two days, planned ten hours ahead in the first of its places."""
    given = {"deadline": now + 48 * HOUR, **changes}
    asked = replace(order(now, places[0], *places), **given)
    segments = ((now + 10 * HOUR, now + 11 * HOUR, places[0]),)
    return Record(id="0" * 16, order=asked, submitted_at=now, segments=segments)


def test_a_job_that_waits_goes_where_it_has_become_cleaner(now: datetime) -> None:
    record = waiting(now, "DE", "FR")
    before = grids(now, DE=(300.0,) * 10 + (100.0, 300.0), FR=(200.0,)).plan(record.order, now)
    changed = grids(now, DE=(300.0,) * 10 + (100.0, 300.0), FR=(200.0,) * 20 + (40.0, 200.0))

    again = changed.again(record, before, now + HOUR)

    assert before.plan is not None
    assert before.plan.zone == "DE"
    assert again is not None
    assert again.plan is not None
    assert (again.plan.zone, again.plan.start) == ("FR", now + 20 * HOUR)
    assert again.plan.expected.value.in_grams == pytest.approx(0.3 * 40)
    # Beside running now at home, by the same forecast.
    assert again.plan.run_now.value.in_grams == pytest.approx(0.3 * 300)


@pytest.mark.parametrize("there", [99.0, 150.0])
def test_a_job_that_waits_stays_where_going_is_not_worth_it(now: datetime, there: float) -> None:
    record = waiting(now, "DE", "FR")
    home = (300.0,) * 10 + (100.0, 300.0)
    before = grids(now, DE=home, FR=(200.0,)).plan(record.order, now)

    again = grids(now, DE=home, FR=(there,)).again(record, before, now + HOUR)

    assert again is None


def test_the_way_of_the_data_counts_when_a_job_would_go_elsewhere(now: datetime) -> None:
    record = waiting(now, "DE", "FR", data_gb=1000.0)
    home = (300.0,) * 10 + (100.0, 300.0)
    before = grids(now, DE=home, FR=(200.0,)).plan(record.order, now)

    again = grids(now, DE=home, FR=(40.0,)).again(record, before, now + HOUR)

    assert again is None


def test_a_job_that_ran_stays_in_its_place_and_is_planned_anew_there(now: datetime) -> None:
    pausing = Pausing(grace=timedelta(minutes=1))
    record = waiting(now, "DE", "FR", p50=4 * HOUR, p90=4 * HOUR, pausing=pausing)
    before = grids(now, DE=(100.0,) * 2 + (300.0,) * 8 + (100.0,) * 2 + (300.0,), FR=(400.0,))
    first = before.plan(record.order, now)
    ran = Stretch(attempt=1, start=now, end=now + 2 * HOUR, zone="DE", how="checkpoint")
    paused = replace(record, state=State.PAUSED, stretches=(ran,), attempt=1)
    # France is without a forecast now: it is not asked for.
    changed = grids(now, DE=(300.0,) * 20 + (50.0,) * 4 + (300.0,))

    again = changed.again(paused, first, now + 2 * HOUR)

    assert again is not None
    assert again.plan is not None
    assert (again.plan.zone, again.plan.start) == ("DE", now + 20 * HOUR)


@pytest.mark.parametrize(("hours", "pieces", "gaps"), [(14, 2, ()), (9, 1, ("pause-unproven",))])
def test_a_pause_that_could_cost_the_deadline_is_not_planned_and_the_plan_says_so(
    now: datetime, hours: int, pieces: int, gaps: tuple[str, ...]
) -> None:
    asked = replace(
        order(now, "DE"),
        deadline=now + hours * HOUR,
        p50=4 * HOUR,
        p90=4 * HOUR,
        pausing=Pausing(grace=timedelta(minutes=1)),
    )
    values = (50.0,) * 2 + (400.0,) * 4 + (50.0,) * 2 + (400.0,)
    if hours == 9:
        # Its first pause would come after five hours.
        values = (400.0,) * 2 + (50.0,) * 3 + (400.0,) * 2 + (50.0, 400.0)

    plan = grids(now, DE=values).plan(asked, now).plan

    assert plan is not None
    assert len(plan.segments) == pieces
    assert plan.gaps == gaps


def test_a_first_pause_comes_early_where_that_is_better_than_none(now: datetime) -> None:
    asked = replace(
        order(now, "DE"),
        deadline=now + 9 * HOUR,
        p50=4 * HOUR,
        p90=4 * HOUR,
        pausing=Pausing(grace=timedelta(minutes=1)),
    )
    # The best would pause after five hours; four are the most that can be done again.
    values = (100.0, 400.0, 50.0, 50.0, 50.0, 400.0, 400.0, 50.0, 400.0)

    plan = grids(now, DE=values).plan(asked, now).plan

    assert plan is not None
    assert plan.segments[0].end <= now + 4 * HOUR
    assert plan.expected.value.in_grams == pytest.approx(0.3 * (100 + 3 * 50))
    assert plan.gaps == ("pause-unproven",)


@pytest.mark.parametrize("proven", [False, True])
def test_a_job_that_runs_is_not_planned_to_pause_where_it_would_be_refused(
    now: datetime, *, proven: bool
) -> None:
    asked = replace(
        order(now, "DE"),
        deadline=now + 48 * HOUR,
        p50=30 * HOUR,
        p90=30 * HOUR,
        pausing=Pausing(grace=timedelta(minutes=1)),
    )
    before = grids(now, DE=(100.0,)).plan(asked, now)
    done = Stretch(attempt=1, start=now, end=now + HOUR, zone="DE", how="checkpoint")
    runs = Stretch(attempt=2, start=now + HOUR, zone="DE")
    record = Record(
        id="0" * 16,
        order=asked,
        submitted_at=now,
        state=State.RUNNING,
        stretches=(done, runs) if proven else (replace(runs, start=now),),
    )

    # Twenty hours on there is no time any more to do all of it again.
    again = grids(now, DE=(900.0,) * 24 + (100.0,)).again(record, before, now + 20 * HOUR)

    assert (again is not None) is proven


def test_a_job_in_one_cloud_region_counts_with_its_published_pue(
    planner: Planner, now: datetime
) -> None:
    plan = planner.plan(order(now, NORTH), now).plan

    assert plan is not None
    assert plan.expected.value.in_grams == pytest.approx(0.3 * 20 * regions()[NORTH].pue)
    assert plan.run_now.value.in_grams == pytest.approx(0.3 * 40 * regions()[NORTH].pue)
    assert plan.gaps == ()
