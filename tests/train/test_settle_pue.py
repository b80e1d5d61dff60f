"""A job placed in a cloud region is settled with the PUE that its plan counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lichen.grid.chain import Chain
from lichen.grid.playback import Playback
from lichen.grid.regions import regions
from lichen.grid.trace import TraceSource
from lichen.grid.zones import StaticZones
from lichen.ledger.book import Book
from lichen.ledger.entry import WINDOW, Entry
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.footprint import Footprint
from lichen.ledger.memory import MemoryStore
from lichen.ledger.pricing import Pricer
from lichen.ledger.quantities import Carbon, Energy, Power
from lichen.ledger.window import Window
from lichen.meter.tokens import TokenMeter
from lichen.testing.samples import sample_figures
from lichen.train.green.account import STRATEGY, Account, reprice
from lichen.train.green.order import Order, Pausing
from lichen.train.green.planning import Planner
from lichen.train.green.proof import ProveSettlement
from lichen.train.green.queue import Queue
from lichen.train.green.record import Record, State, Stretch
from lichen.train.green.settle import Settler
from lichen.train.green.worth import worth_of

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.ledger.ports import CallReading
    from lichen.ledger.proof import Proof
    from lichen.plan.plan import Plan

HOUR = timedelta(hours=1)
START = datetime(2025, 3, 1, tzinfo=UTC)
LATER = START + timedelta(days=9)
NORTH, CENTRAL = "aws:eu-north-1", "aws:eu-central-1"
GRIDS = {"SE-SE3": (40, 40, 20, 40, 40, 40, 40), "DE": (400, 300, 350, 400, 400, 400, 400)}
TRACES = [
    TraceSource([(START + HOUR * n, float(value)) for n, value in enumerate(row)], zone)
    for zone, row in GRIDS.items()
]
KILOWATT = Estimate.exact(Power.watts(1000.0), Basis.ASSUMED)


def order(*places: str, **changes: Any) -> Order:
    """A kilowatt for an hour, within six, from Frankfurt."""
    given: dict[str, Any] = {
        "argv": ("train",),
        "cwd": "/",
        "release": START,
        "deadline": START + 6 * HOUR,
        "p50": HOUR,
        "zone": CENTRAL,
        "power": KILOWATT,
        "places": tuple((place, place) for place in places),
    }
    return Order(**{**given, **changes})


def ran(asked: Order, plan: Plan) -> Record:
    """A job that ran as planned, to the second."""
    stretches = tuple(
        Stretch(attempt=1, start=one.start, end=one.end, zone=one.zone, ran_s=3600.0, how="ended")
        for one in plan.segments
    )
    return Record(
        id="0f5a0c1de2b34567",
        order=asked,
        submitted_at=START,
        state=State.DONE,
        stretches=stretches,
        segments=tuple((one.start, one.end, one.zone) for one in plan.segments),
        ended_at=plan.end,
    )


def no_cpu(_seconds: float) -> CallReading:
    raise AssertionError("its power is named")


def settle(made: Record, store: MemoryStore | None = None) -> Entry:
    kept = store or MemoryStore()
    settler = Settler(kept, Chain(TRACES), no_cpu, factors="none", clock=lambda: LATER)
    found = settler.settle(made)
    assert found.entry is not None, found.why
    return found.entry


def planned(asked: Order) -> Any:
    forecasts = [Playback(trace) for trace in TRACES]
    made = Planner(source=Chain([], forecasts=forecasts)).plan(asked, START)
    assert made.plan is not None, made.why
    return made


def grams(known: Estimate[Carbon]) -> float:
    return known.value.in_grams


def test_of_a_promise_kept_to_the_second_all_came_in_another_region_too() -> None:
    asked = order(CENTRAL, NORTH)
    planning = planned(asked)
    made = ran(asked, planning.plan)

    entry = settle(made)
    shares = worth_of(made, entry, [planning], Chain(TRACES), LATER)

    assert planning.plan.zone == NORTH
    assert grams(entry.figures.footprint.operational) == pytest.approx(20 * regions()[NORTH].pue)
    assert entry.figures.baseline is not None
    run_now = entry.figures.baseline.footprint.operational
    assert grams(run_now) == pytest.approx(400 * regions()[CENTRAL].pue)
    assert shares is not None
    assert shares.of_promise == pytest.approx(1.0)
    assert shares.of_oracle == pytest.approx(1.0)


def test_a_settlement_with_pue_comes_back_from_its_entry() -> None:
    asked = order(CENTRAL, NORTH)
    made = ran(asked, planned(asked).plan)

    entry = settle(made)
    again = reprice(entry.figures, entry, reading=no_cpu, factors=lambda: "none")

    assert {one.pue for one in Account.from_figures(entry.figures).pieces} == {
        (each.pue, each.pue_low, each.pue_high) for each in (regions()[NORTH], regions()[CENTRAL])
    }
    assert again is entry.figures


def test_where_one_places_pue_is_not_known_none_is_counted_and_the_settlement_says_so() -> None:
    asked = order("DE", NORTH, zone="DE")
    planning = planned(asked)
    made = ran(asked, planning.plan)

    entry = settle(made)
    shares = worth_of(made, entry, [planning], Chain(TRACES), LATER)

    assert grams(entry.figures.footprint.operational) == pytest.approx(20.0)
    assert "pue-unknown" in entry.figures.gaps
    assert shares is not None
    assert shares.of_promise == pytest.approx(1.0)


def test_a_job_in_a_plain_zone_is_settled_at_its_machines() -> None:
    asked = order(zone="DE")
    made = ran(asked, planned(asked).plan)

    entry = settle(made)

    assert grams(entry.figures.footprint.operational) == pytest.approx(300.0)
    assert "pue-unknown" not in entry.figures.gaps


def test_moved_data_has_no_building_and_a_frozen_job_has_one() -> None:
    frozen = Pausing(freeze=True, idle=Power.watts(100.0))
    asked = order(CENTRAL, NORTH, data_gb=100.0, pausing=frozen, p50=2 * HOUR)
    stretches = (
        Stretch(attempt=1, start=START, end=START + HOUR, zone=NORTH, ran_s=3600.0, how="frozen"),
        Stretch(
            attempt=1,
            start=START + 3 * HOUR,
            end=START + 4 * HOUR,
            zone=NORTH,
            ran_s=3600.0,
            how="ended",
        ),
    )
    made = ran(asked, planned(asked).plan)

    entry = settle(replace(made, stretches=stretches, ended_at=START + 4 * HOUR))

    # 1 kWh twice and 0.2 kWh idle, with the building; 1.1 kWh over the network, half at either end.
    machines = 40 + 40 + 0.1 * (40 + 20)
    network = 0.55 * (40 + 400)
    used = machines * regions()[NORTH].pue + network
    assert grams(entry.figures.footprint.operational) == pytest.approx(used)


def test_windows_of_the_job_hold_the_machines_part_and_its_entry_what_the_building_added() -> None:
    asked = order(CENTRAL, NORTH)
    made = ran(asked, planned(asked).plan)
    whole = settle(made).saving
    store = MemoryStore()
    exactly = Footprint(
        Estimate.exact(Energy.wh(500.0)),
        Estimate.exact(Carbon.grams(10.0)),
        Estimate.exact(Carbon.zero()),
    )
    figures = sample_figures(
        0, strategy=WINDOW, footprint=exactly, baseline=None, raw={"job": made.id}
    )
    first = made.stretches[0].start
    store.append([Entry.of(Window(first, first + HOUR / 2, NORTH), figures)])

    entry = settle(made, store)

    pue = regions()[NORTH].pue
    assert entry.figures.strategy == STRATEGY
    assert entry.figures.footprint.energy.value.in_wh == pytest.approx(1000 * pue - 500)
    assert entry.saving is not None
    assert whole is not None
    assert grams(entry.saving.footprint.operational) == pytest.approx(
        grams(whole.footprint.operational)
    )


def proved(made: Record, entry: Entry, folder: Path) -> Proof:
    """A settlement, proved by the record in a queue on disk."""
    with Queue(folder / "book.db") as queue:
        queue.add(made)
    prove = ProveSettlement(
        lambda: Queue(folder / "book.db"), lambda: Chain(TRACES), no_cpu, lambda: "none"
    )
    store = MemoryStore()
    store.append([entry])
    pricer = Pricer(TokenMeter(), StaticZones(), whole={"settlement": lambda f, _: f})
    return Book(store, pricer, provers={"run-now/1": prove}).prove(entry.id)


def test_a_proof_asks_for_the_published_pue_again(tmp_path: Path) -> None:
    asked = order(CENTRAL, NORTH)
    made = ran(asked, planned(asked).plan)

    proof = proved(made, settle(made), tmp_path)

    assert proof.holds
    assert any(f"the PUE is {regions()[NORTH].pue:g}" in step for step in proof.steps)


def test_a_job_that_was_settled_before_pue_was_counted_is_proved_without(tmp_path: Path) -> None:
    asked = order(CENTRAL, NORTH)
    made = ran(asked, planned(asked).plan)
    entry = settle(made)
    kept = Account.from_figures(entry.figures)
    at_machines = replace(kept, pieces=tuple(replace(one, pue=None) for one in kept.pieces))
    before = replace(entry, figures=at_machines.figures(no_cpu, "none"))

    proof = proved(made, before, tmp_path)

    assert proof.holds
    assert not any("PUE" in step for step in proof.steps)


def test_a_job_in_one_region_is_settled_with_its_pue_as_it_was_planned() -> None:
    asked = order(zone=NORTH)
    planning = planned(asked)
    made = ran(asked, planning.plan)

    entry = settle(made)
    shares = worth_of(made, entry, [planning], Chain(TRACES), LATER)

    pue = regions()[NORTH].pue
    assert entry.figures.baseline is not None
    assert grams(planning.plan.expected) == pytest.approx(20 * pue)
    assert grams(entry.figures.footprint.operational) == pytest.approx(20 * pue)
    assert grams(entry.figures.baseline.footprint.operational) == pytest.approx(40 * pue)
    assert shares is not None
    assert shares.of_promise == pytest.approx(1.0)
    assert shares.of_oracle == pytest.approx(1.0)
    assert not any(gap.startswith(("pue", "interval-across")) for gap in entry.figures.gaps)
