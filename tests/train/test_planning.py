"""Plans in cloud regions: their grid zone's forecast, and their published PUE."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lichen.grid.chain import Chain
from lichen.grid.playback import Playback
from lichen.grid.regions import regions
from lichen.grid.trace import TraceSource
from lichen.train.green.order import Order
from lichen.train.green.planning import Planner

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
