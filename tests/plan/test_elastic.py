"""How many nodes, hour by hour."""

from __future__ import annotations

import csv
from statistics import mean
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import InputError
from lichen.plan import Elastic, Pause, Scaling

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from lichen.ledger.signal import GridSignal
    from lichen.plan import Job

STRAIGHT = Scaling((1, 2), (10.0, 20.0), (100.0, 200.0))
BENT = Scaling((1, 2, 4), (10.0, 18.0, 24.0), (100.0, 200.0, 400.0))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return [row for row in csv.DictReader(lines) if row["nodes"]]


def measured(path: Path) -> Scaling:
    """A recorded profile, without its row of no nodes."""
    some = [row for row in rows(path) if int(row["nodes"])]
    return Scaling(
        tuple(int(row["nodes"]) for row in some),
        tuple(float(row["throughput"]) for row in some),
        tuple(float(row["power"]) for row in some),
    )


def test_nodes_that_cost_no_more_per_work_all_run_in_the_clean_hour(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    plan = Elastic(STRAIGHT).plan(job(2, 4), [signal([400, 300, 100, 200])])

    assert [(one.start, one.end, one.nodes) for one in plan.segments] == [(hour(2), hour(3), 2)]
    assert plan.expected.value.in_grams == pytest.approx(2 * 100)
    assert plan.run_now.value.in_grams == pytest.approx(400 + 300)


def test_a_dear_node_is_taken_only_where_the_next_hour_is_dirtier_still(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    # The second node does 0.8 of the work at the power of a whole one: 125 in the hour of 100.
    plan = Elastic(BENT).plan(job(2, 3), [signal([100, 120, 130])])

    assert [(one.start, one.end, one.nodes) for one in plan.segments] == [(hour(0), hour(2), 1)]


def test_the_last_node_runs_as_long_as_there_is_work(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    plan = Elastic(BENT).plan(job(1.4, 2), [signal([100, 200])])

    assert [(one.start, one.end, one.nodes) for one in plan.segments] == [
        (hour(0), hour(0.5), 2),
        (hour(0.5), hour(1), 1),
    ]
    assert plan.expected.value.in_grams == pytest.approx(150)


def test_a_number_of_nodes_above_the_hull_is_never_used() -> None:
    wasteful = Scaling((1, 2, 3), (10.0, 12.0, 30.0), (100.0, 300.0, 330.0))

    assert wasteful.hull() == (1, 3)


def test_more_nodes_that_do_less_are_never_used() -> None:
    thrashing = Scaling((1, 2, 4), (10.0, 18.0, 9.0), (100.0, 200.0, 400.0))

    assert thrashing.hull() == (1, 2)


def test_a_base_that_was_not_measured_is_refused() -> None:
    with pytest.raises(InputError, match=r"3 nodes were not measured: choose one of \(1, 2, 4\)"):
        Elastic(BENT, base=3)


def test_a_job_whose_pauses_cost_something_is_refused(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    with pytest.raises(InputError, match="leave pause out, or plan it by Shift"):
        Elastic(BENT).plan(job(1, 2, pause=Pause()), [signal([1, 2])])


@pytest.mark.parametrize(
    ("nodes", "throughput", "power_w"),
    [
        ((), (), ()),
        ((1, 2), (1.0,), (1.0, 2.0)),
        ((0, 1), (1.0, 1.0), (1.0, 1.0)),
        ((2, 1), (1.0, 1.0), (1.0, 1.0)),
        ((1,), (0.0,), (1.0,)),
        ((1,), (1.0,), (float("nan"),)),
    ],
)
def test_a_profile_that_cannot_be_is_refused(
    nodes: tuple[int, ...], throughput: tuple[float, ...], power_w: tuple[float, ...]
) -> None:
    with pytest.raises(InputError, match=r"must|leave 0 out"):
        Scaling(nodes, throughput, power_w)


def test_of_a_measured_profile_elastic_saves_more_than_one_node_with_free_pauses(
    shared: Path, signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    scaling = measured(shared / "data/jobs/carbonscaler_nbody100k.csv")
    day = signal([450, 440, 430, 420, 400, 300, 200, 120, 90, 90, 100, 200] * 2)

    plan = Elastic(scaling).plan(job(8, 24), [day])

    cheapest = sum(sorted(day.values)[:8])
    assert plan.expected.value.in_grams < 0.95 * cheapest
    assert max(one.nodes for one in plan.segments) > 2


def test_the_recorded_iteration_times_agree_with_the_recorded_throughput(shared: Path) -> None:
    # Two projects measured one program: what eight and less nodes do, over what one does.
    scaling = measured(shared / "data/jobs/carbonscaler_nbody100k.csv")
    times: dict[int, list[float]] = {}
    for row in rows(shared / "data/jobs/gaia_nbody100k_scaling.csv"):
        times.setdefault(int(row["nodes"]), []).append(float(row["iteration_time"]))

    for nodes in set(times) & set(scaling.nodes):
        ratio = scaling.at(nodes)[0] / scaling.at(1)[0]
        assert ratio == pytest.approx(mean(times[1]) / mean(times[nodes]), rel=0.15)
