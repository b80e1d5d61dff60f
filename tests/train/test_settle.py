"""What a job's waiting was worth, by numbers that can be checked in the head."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.grid.neso import Neso
from lichen.grid.trace import TraceSource
from lichen.grid.zones import StaticZones
from lichen.ledger.book import Book
from lichen.ledger.entry import ACROSS_ZONES, OWN, WINDOW, Entry
from lichen.ledger.errors import UnprovenSaving
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.footprint import Footprint
from lichen.ledger.memory import MemoryStore
from lichen.ledger.ports import CallReading
from lichen.ledger.pricing import Pricer
from lichen.ledger.quantities import Carbon, Energy, Power
from lichen.ledger.rollup import Period
from lichen.ledger.window import Window
from lichen.meter.tokens import TokenMeter
from lichen.plan.plan import Plan, Segment
from lichen.testing.samples import sample_figures
from lichen.train.green.account import ESTIMATED, STRATEGY, Account, reprice
from lichen.train.green.issued import Planning
from lichen.train.green.order import POWER, Order, Pausing
from lichen.train.green.proof import ProveSettlement
from lichen.train.green.queue import Queue
from lichen.train.green.record import Record, State, Stretch
from lichen.train.green.settle import Settler
from lichen.train.green.worth import worth_of
from tests.grid.apis.neso import NesoApi
from tests.grid.asking import NOW, asking

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lichen.testing.grid_api import Answer

HOUR = timedelta(hours=1)
START = datetime(2025, 3, 1, tzinfo=UTC)
LATER = START + timedelta(days=9)
JOB = "0f5a0c1de2b34567"
# Hour by hour; with the trace's interval of × / ÷ 1.2. [gCO₂e/kWh]
GRID = (600.0, 500.0, 400.0, 120.0, 100.0, 140.0, 300.0, 700.0)
KILOWATT = Estimate.exact(Power.watts(1000.0), Basis.ASSUMED)


def trace(values: Sequence[float] = GRID, zone: str = "DE") -> TraceSource:
    return TraceSource([(START + HOUR * n, value) for n, value in enumerate(values)], zone)


def watt_a_cpu(seconds: float) -> CallReading:
    """A processor of 10 W, 5 to 20, that took 0.001 g a second to make."""
    value, low, high = (Energy.joules(watts * seconds) for watts in (10.0, 5.0, 20.0))
    made = Carbon.grams(0.001 * seconds)
    return CallReading(Estimate(value, low, high, Basis.MODELLED), Estimate.exact(made))


def stretch(first: float, last: float, attempt: int = 1, **changes: Any) -> Stretch:
    """A stretch from one hour to another after the start."""
    given: dict[str, Any] = {
        "attempt": attempt,
        "start": START + HOUR * first,
        "end": START + HOUR * last,
        "zone": "DE",
        "ran_s": (last - first) * 3600,
        "how": "ended",
    }
    return Stretch(**{**given, **changes})


def record(*stretches: Stretch, state: State = State.DONE, **order: Any) -> Record:
    """A job submitted at the start, to be done within 8 h, that ran in these stretches."""
    given: dict[str, Any] = {
        "argv": ("train",),
        "cwd": "/",
        "release": START,
        "deadline": START + 8 * HOUR,
        "p50": 2 * HOUR,
        "zone": "DE",
        "power": KILOWATT,
    }
    segments = tuple((one.start, one.end or LATER, one.zone) for one in stretches)
    return Record(
        id=JOB,
        order=Order(**{**given, **order}),
        submitted_at=START,
        state=state,
        stretches=stretches,
        segments=segments,
        ended_at=stretches[-1].end if stretches else None,
    )


def settler(store: MemoryStore, grid: Any = None, now: datetime = LATER) -> Settler:
    return Settler(store, grid or trace(), watt_a_cpu, factors="ten watts", clock=lambda: now)


def settled(made: Record, grid: Any = None) -> Any:
    """The saving of a job [g]: value, low, high."""
    entry = settler(MemoryStore(), grid).settle(made).entry
    assert entry is not None
    assert entry.saving is not None
    carbon = entry.saving.footprint.operational
    return pytest.approx((carbon.value.in_grams, carbon.low.in_grams, carbon.high.in_grams))


def test_a_shifted_job_avoids_its_energy_times_the_difference_of_intensities() -> None:
    # 2 kWh; run now 600 and 500, mean 550; it ran at 120 and 100, mean 110.
    assert settled(record(stretch(3, 5))) == (2 * 440.0, 2 * 440.0 / 1.2, 2 * 440.0 * 1.2)


def test_a_job_that_ran_at_once_saves_exactly_nothing() -> None:
    entry = settler(MemoryStore()).settle(record(stretch(0, 2))).entry

    assert entry is not None
    assert entry.saving is not None
    carbon = entry.saving.footprint.carbon
    assert (carbon.value, carbon.low, carbon.high) == (Carbon.zero(),) * 3


def test_the_seconds_until_a_process_is_up_are_no_saving() -> None:
    late = record(stretch(0.001, 2.001))

    made = replace(late, segments=((START, START + 2 * HOUR, "DE"),))

    assert settled(made) == (0.0, 0.0, 0.0)


def test_a_loss_is_a_loss() -> None:
    # It ran at 300 and 700, mean 500, where running now was 550; then at 700 and beyond is worse.
    dirtier = trace((100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 300.0, 700.0))

    assert settled(record(stretch(6, 8)), dirtier) == (-800.0, -960.0, -800.0 / 1.2)


def test_a_restart_is_debited_and_running_now_would_not_have_had_it() -> None:
    # 1 h, then 1.5 h of which half an hour is the restart: running now takes 2 of these 2.5 h.
    pausing = Pausing(restart=HOUR / 2)
    made = record(
        stretch(3, 4, how="checkpoint"),
        stretch(4.5, 6, 2),
        pausing=pausing,
        deadline=START + 9 * HOUR,
    )

    # used: 120 + 0.5 × 100 + 140 = 310; run now: 600 + 500 = 1100
    assert settled(made) == (1100 - 310, (1100 - 310) / 1.2, (1100 - 310) * 1.2)


def test_work_that_was_lost_is_debited_too() -> None:
    made = record(stretch(3, 4, kept=False, how="ended"), stretch(4, 6, 2), pausing=Pausing())

    assert settled(made) == (1100 - 360, (1100 - 360) / 1.2, (1100 - 360) * 1.2)


def test_a_job_stopped_in_memory_pays_for_what_it_drew_meanwhile() -> None:
    pausing = Pausing(freeze=True, idle=Power.watts(100.0))
    made = record(stretch(2, 3, how="frozen"), stretch(4, 5), pausing=pausing)

    # used: 400 + 100, and 0.1 kWh at 120
    assert settled(made) == (1100 - 512, (1100 - 512) / 1.2, (1100 - 512) * 1.2)


def test_moving_data_to_a_clean_zone_is_debited() -> None:
    class Two:
        def intensity(self, zone: str, window: Any) -> Any:
            clean = trace([20.0] * 8, "SE")
            return (clean if zone == "SE" else trace()).intensity(zone, window)

    made = record(stretch(0, 2, zone="SE"), places=(("DE", "a"), ("SE", "b")), data_gb=100.0)
    entry = settler(MemoryStore(), Two()).settle(made).entry

    # 1.1 kWh for 100 GB, half at 600 and half at 20; the run 2 × 20 in place of 1100
    assert entry is not None
    assert entry.saving is not None
    assert entry.figures.zone == "SE"
    assert entry.saving.footprint.operational.value.in_grams == pytest.approx(
        1100 - 40 - 0.55 * 620
    )


class TwoGrids:
    """DE at 350 g/kWh and SE at 300."""

    def intensity(self, zone: str, window: Any) -> Any:
        return trace([300.0 if zone == "SE" else 350.0] * 8, zone).intensity(zone, window)


def test_errors_of_two_grids_are_not_shared() -> None:
    store = MemoryStore()
    made = record(stretch(0, 1, zone="SE"), places=(("DE", "a"), ("SE", "b")))

    entry = settler(store, TwoGrids()).settle(made).entry

    # 350 × / ÷ 1.2 less 300 × / ÷ 1.2: it may as well be a loss
    assert entry is not None
    assert entry.saving is not None
    widest = (50.0, 350 / 1.2 - 300 * 1.2, 350 * 1.2 - 300 / 1.2)
    assert grams(entry.saving.footprint.operational) == pytest.approx(widest)
    assert entry.saving.footprint.energy.low == entry.saving.footprint.energy.high
    assert ACROSS_ZONES in entry.figures.gaps
    (total,) = store.totals(Period.DAY)
    assert grams(total.saved.operational) == pytest.approx(widest)
    again = reprice(entry.figures, entry, reading=watt_a_cpu, factors=lambda: "ten watts")
    assert again is entry.figures


def test_errors_of_one_grid_are_shared() -> None:
    entry = settler(MemoryStore()).settle(record(stretch(3, 5))).entry

    assert entry is not None
    assert ACROSS_ZONES not in entry.figures.gaps


def grams(carbon: Estimate[Carbon]) -> tuple[float, float, float]:
    return carbon.value.in_grams, carbon.low.in_grams, carbon.high.in_grams


def test_energy_that_nobody_named_or_metered_is_that_of_its_cpu_seconds() -> None:
    entry = settler(MemoryStore()).settle(record(stretch(3, 5, cpu_s=3600.0), power=POWER)).entry

    # 10 Wh, 5 to 20; made of it 3.6 g either way
    assert entry is not None
    assert entry.saving is not None
    assert entry.figures.footprint.energy.value == Energy.wh(10)
    assert entry.figures.footprint.embodied.value.in_grams == pytest.approx(3.6)
    assert entry.saving.footprint.embodied.value.in_grams == 0
    assert entry.saving.footprint.operational.value.in_grams == pytest.approx(4.4)
    assert entry.figures.raw["energy_from"] == "cpu seconds"
    assert entry.figures.gaps == ("energy-of-cpu-alone",)


def test_measured_energy_comes_before_a_power_that_was_named() -> None:
    measured = Estimate.exact(Energy.kwh(5.0))

    assert settled(record(stretch(3, 5, energy=measured))) == (2200.0, 2200 / 1.2, 2200 * 1.2)


def test_energy_of_which_nothing_is_known_is_assumed_and_says_so() -> None:
    entry = settler(MemoryStore()).settle(record(stretch(3, 5), power=POWER)).entry

    assert entry is not None
    assert entry.figures.footprint.energy.basis is Basis.ASSUMED
    assert "power-assumed" in entry.figures.gaps


def test_settling_twice_adds_nothing() -> None:
    store = MemoryStore()
    made = record(stretch(3, 5))

    first, second = settler(store).settle(made), settler(store).settle(made)

    assert (first.new, second.new) == (True, False)
    assert first.entry == second.entry
    assert len(list(store.entries())) == 1


def test_an_entry_is_found_by_when_the_job_ran() -> None:
    store = MemoryStore()
    settler(store).settle(record(stretch(3, 5)))

    assert list(store.entries(since=START + 2 * HOUR, until=START + 4 * HOUR))
    assert not list(store.entries(until=START + 3 * HOUR))


def test_until_the_grid_is_known_a_job_is_not_settled_and_says_why() -> None:
    store = MemoryStore()
    for grid, now, why in (
        (trace(GRID[:4]), LATER, "covers"),
        (trace(), START + 4 * HOUR, "has not passed"),
    ):
        found = settler(store, grid, now).settle(record(stretch(3, 5)))

        assert found.entry is None
        assert why in found.why
    assert list(store.entries()) == []


def test_a_job_is_not_settled_on_a_forecast_and_is_once_the_actuals_are_out() -> None:
    store, made = MemoryStore(), in_britain("GB")
    with asking(Neso, NesoApi) as neso:
        neso.api.trouble = lambda asked: without_actuals(NesoApi(neso.clock)(asked))
        waits = settler(store, neso.source, NOW).settle(made)
        neso.api.trouble = None
        neso.clock.now += HOUR
        found = settler(store, neso.source, neso.clock.now).settle(made)

    assert waits.entry is None
    assert "actuals are not out yet" in waits.why
    assert found.new
    assert found.entry is not None
    assert ESTIMATED not in found.entry.figures.gaps


def test_a_region_without_actual_values_is_settled_with_a_gap_that_recompute_keeps() -> None:
    store, made = MemoryStore(), in_britain("GB-13")
    with asking(Neso, NesoApi) as neso:
        entry = settler(store, neso.source, NOW).settle(made).entry

    assert entry is not None
    assert ESTIMATED in entry.figures.gaps
    again = reprice(entry.figures, entry, reading=watt_a_cpu, factors=lambda: "ten watts")
    assert again is entry.figures


def in_britain(zone: str) -> Record:
    """A job that waited from three to five hours before now, for an hour."""
    first = NOW - 5 * HOUR
    ran = stretch(0, 1, start=NOW - 3 * HOUR, end=NOW - 2 * HOUR, zone=zone)
    made = record(ran, release=first, deadline=NOW, zone=zone)
    return replace(made, submitted_at=first)


def without_actuals(answer: Answer) -> Answer:
    """NESO's answer before it has metered anything."""
    body: Any = answer.body
    for row in body["data"]:
        row["intensity"]["actual"] = None
    return answer


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.LOST])
def test_a_job_that_did_not_end_well_is_used_and_claims_nothing(state: State) -> None:
    entry = settler(MemoryStore()).settle(record(stretch(3, 5, kept=False), state=state)).entry

    assert entry is not None
    assert entry.saving is None
    assert entry.figures.work.amount == 0
    assert entry.figures.footprint.operational.value.in_grams == pytest.approx(220.0)


def test_a_job_that_never_ran_has_no_entry() -> None:
    store = MemoryStore()

    found = settler(store).settle(record(state=State.CANCELLED))

    assert found.entry is None
    assert "never ran" in found.why


@given(st.floats(1.0, 1e6), st.floats(0, 6), st.floats(0.1, 2))
def test_twice_the_energy_is_twice_the_saving(watts: float, first: float, lasts: float) -> None:
    def saved(power: float) -> float:
        named = Estimate.exact(Power.watts(power), Basis.ASSUMED)
        made = record(stretch(first, first + lasts), power=named)
        entry = settler(MemoryStore()).settle(made).entry
        assert entry is not None
        assert entry.saving is not None
        return entry.saving.footprint.carbon.value.in_grams

    assert saved(2 * watts) == pytest.approx(2 * saved(watts), rel=1e-9, abs=1e-9)


@given(st.floats(0, 6), st.floats(0.1, 2))
def test_an_account_comes_back_from_its_entry_as_it_was(first: float, lasts: float) -> None:
    made = settler(MemoryStore())
    job = record(stretch(first, first + lasts))
    entry = made.settle(job).entry

    assert entry is not None
    assert Account.from_figures(entry.figures) == made.account(job)
    assert reprice(entry.figures, entry, reading=watt_a_cpu, factors=lambda: "") is entry.figures


def test_recompute_prices_cpu_seconds_by_todays_power_and_keeps_the_grid() -> None:
    def twice(seconds: float) -> CallReading:
        return watt_a_cpu(2 * seconds)

    store = MemoryStore()
    settler(store).settle(record(stretch(3, 5, cpu_s=3600.0), power=POWER))
    whole = {"settlement": lambda f, e: reprice(f, e, reading=twice, factors=lambda: "twenty")}
    book = Book(store, Pricer(TokenMeter(), StaticZones(), whole=whole))
    revision = book.recompute("twenty watts")
    [entry] = store.entries()

    assert revision.changed == 1
    assert entry.saving is not None
    assert entry.saving.footprint.operational.value.in_grams == pytest.approx(8.8)
    assert entry.figures.factors == "twenty"


def window(wh: float, job: str = JOB, strategy: str = WINDOW) -> Entry:
    """What a job's command measured itself, half an hour after it began."""
    used = Footprint(
        Estimate.exact(Energy.wh(wh)),
        Estimate.exact(Carbon.grams(1.0)),
        Estimate.exact(Carbon.zero()),
    )
    figures = sample_figures(0, strategy=strategy, footprint=used, baseline=None, raw={"job": job})
    return Entry.of(Window(START + 3.5 * HOUR, START + 4 * HOUR, "DE"), figures)


def test_what_a_jobs_own_windows_booked_is_not_booked_again_and_the_saving_stays() -> None:
    store = MemoryStore()
    store.append([window(400.0), window(100.0, strategy=OWN), window(300.0, job="another")])

    entry = settler(store).settle(record(stretch(3, 5))).entry

    # 2 kWh, of which the windows have 0.5; at 110 where it ran and 550 at run-now.
    assert entry is not None
    assert entry.saving is not None
    used = entry.figures.footprint
    assert used.energy.value.in_wh == pytest.approx(1500.0)
    assert used.operational.value.in_grams == pytest.approx(165.0)
    saved = entry.saving.footprint.operational
    assert (saved.value.in_grams, saved.low.in_grams, saved.high.in_grams) == pytest.approx(
        (880.0, 880.0 / 1.2, 880.0 * 1.2)
    )


def test_windows_that_booked_more_than_is_known_of_the_job_leave_it_nothing() -> None:
    store = MemoryStore()
    store.append([window(5000.0)])

    entry = settler(store).settle(record(stretch(3, 5))).entry

    assert entry is not None
    assert entry.saving is not None
    assert entry.figures.footprint.energy.value == Energy.zero()
    assert entry.saving.footprint.operational.value.in_grams == pytest.approx(880.0)
    shares = worth_of(record(stretch(3, 5)), entry, [], trace(), LATER)
    assert shares is not None
    assert shares.got == pytest.approx(0.8)
    # The entry holds no part of the job's embodied carbon: that is in its windows.
    assert shares.of_all is None


def test_recompute_leaves_out_what_windows_booked_too() -> None:
    store = MemoryStore()
    store.append([window(2.5)])
    settler(store).settle(record(stretch(3, 5, cpu_s=3600.0), power=POWER))
    [before] = store.entries(strategy=STRATEGY)

    again = reprice(
        before.figures, before, reading=lambda s: watt_a_cpu(2 * s), factors=lambda: "twenty"
    )

    # 7.5 of 10 Wh; then 15 of 20.
    assert before.figures.footprint.energy.value.in_wh == pytest.approx(7.5)
    assert again.footprint.energy.value.in_wh == pytest.approx(15.0)
    assert again.raw["run_now_g"] == pytest.approx(11.0)


def planning(expected: float, run_now: float) -> Planning:
    def grams(value: float) -> Estimate[Carbon]:
        return Estimate.exact(Carbon.grams(value), Basis.MODELLED)

    plan = Plan(
        segments=(Segment(START + 3 * HOUR, START + 5 * HOUR, "DE"),),
        expected=grams(expected),
        run_now=grams(run_now),
        latest_safe_start=START + 6 * HOUR,
        method="contiguous/1",
        kind=trace().signal.kind,
        sources=("somebody",),
        issued_at=START,
    )
    return Planning(START, "submitted", plan, (trace().signal,))


def test_shares_of_the_oracle_and_of_the_promise() -> None:
    made = record(stretch(4, 6))
    entry = settler(MemoryStore()).settle(made).entry
    assert entry is not None

    shares = worth_of(made, entry, [planning(50.0, 100.0)], trace(), LATER)

    # It ran at 100 and 140 in place of 600 and 500; the best is 120 and 100.
    assert shares is not None
    assert shares.got == pytest.approx(860 / 1100)
    assert shares.of_oracle == pytest.approx(860 / 880)
    assert shares.of_promise == pytest.approx(860 / 1100 / 0.5)


def test_what_was_avoided_of_running_now_is_told_with_embodied_carbon_and_without() -> None:
    made = record(stretch(4, 6, cpu_s=3600.0), power=POWER)
    entry = settler(MemoryStore()).settle(made).entry
    assert entry is not None
    assert entry.saving is not None
    assert entry.figures.baseline is not None
    stands = (
        entry.saving.footprint.carbon.value.in_grams,
        entry.figures.baseline.footprint.carbon.value.in_grams,
    )

    shares = worth_of(made, entry, [], trace(), LATER)

    # 10 Wh at 120 in place of 550 g/kWh, and 3.6 g of making the machine on both sides.
    assert stands == pytest.approx((4.3, 5.5 + 3.6))
    assert shares is not None
    assert shares.got == pytest.approx(430 / 550)
    assert shares.of_all == pytest.approx(4.3 / 9.1)
    assert shares.said() == "47.3 % of all its carbon, 78.2 % of its operational carbon"


def test_the_oracle_is_not_known_before_the_deadline() -> None:
    made = record(stretch(3, 5))
    entry = settler(MemoryStore()).settle(made).entry
    assert entry is not None

    shares = worth_of(made, entry, [], trace(), START + 5 * HOUR)

    assert shares is not None
    assert shares.oracle is None
    assert "has not passed" in shares.why
    assert shares.of_promise is None


class Proving:
    """A job in a queue on disk, settled, and a book that can prove it."""

    def __init__(self, folder: Path) -> None:
        self.where = folder / "book.db"
        self.grid: Any = trace()
        self.job = record(stretch(3, 5))
        with Queue(self.where) as queue:
            queue.add(self.job)
            queue.note(JOB, planning(50.0, 100.0))
        prove = ProveSettlement(
            lambda: Queue(self.where), lambda: self.grid, watt_a_cpu, lambda: "ten watts"
        )
        store = MemoryStore()
        store.append([window(500.0)])
        pricer = Pricer(TokenMeter(), StaticZones(), whole={"settlement": lambda f, _: f})
        self.book = Book(store, pricer, provers={"run-now/1": prove})
        entry = settler(store).settle(self.job).entry
        assert entry is not None
        self.entry = entry.id


@pytest.fixture
def proving(tmp_path: Path) -> Proving:
    return Proving(tmp_path)


def test_a_settlement_is_proved_from_the_record_and_the_grid(proving: Proving) -> None:
    proof = proving.book.prove(proving.entry)

    assert proof.holds
    assert any("of it came" in step for step in proof.steps)
    assert any("perfect foresight avoids 80.0 %: 100 % of it" in step for step in proof.steps)


def test_a_proof_tells_what_the_entry_could_not_know(proving: Proving) -> None:
    moved = replace(record(stretch(0, 1, zone="SE")), id="1f5a0c1de2b34567")
    with Queue(proving.where) as queue:
        queue.add(moved)
    grid = TwoGrids()
    prove = ProveSettlement(
        lambda: Queue(proving.where), lambda: grid, watt_a_cpu, lambda: "ten watts"
    )
    entry = settler(MemoryStore(), grid).settle(moved).entry
    assert entry is not None

    proof = prove(entry, proving.book)

    assert proof.holds
    assert any(step.startswith("interval-across-zones: it ran in") for step in proof.steps)


def test_a_grid_that_says_something_else_now_disproves_it(proving: Proving) -> None:
    proving.grid = trace([value + 50 for value in GRID[:3]] + list(GRID[3:]))

    proof = proving.book.prove(proving.entry)

    assert not proof.holds
    assert any(step.startswith("NOT so") for step in proof.steps)


def test_evidence_that_is_gone_proves_nothing(proving: Proving) -> None:
    proving.grid = trace(GRID[:2])
    with pytest.raises(UnprovenSaving, match="cannot be settled again"):
        proving.book.prove(proving.entry)

    proving.where = proving.where.with_name("other.db")
    with pytest.raises(UnprovenSaving, match="not here"):
        proving.book.prove(proving.entry)
