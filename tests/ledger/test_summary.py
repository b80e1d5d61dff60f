"""Summary and Book: what the ledger says of a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lichen.ledger.book import Book
from lichen.ledger.entry import OWN, Baseline
from lichen.ledger.errors import InputError, NoWorkDone, UnprovenSaving
from lichen.ledger.estimate import Estimate
from lichen.ledger.footprint import Footprint
from lichen.ledger.memory import MemoryStore
from lichen.ledger.pricing import Pricer
from lichen.ledger.proof import Proof
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.summary import Summary
from lichen.ledger.window import Work
from lichen.ledger.writer import BulkWriter
from lichen.testing.prices import FlatGrid, WattHourPerToken
from lichen.testing.samples import MOMENT, sample_entry, sample_figures, sample_footprint

if TYPE_CHECKING:
    from lichen.ledger.entry import Entry, Figures


def figures(strategy: str, wh: float, baseline_wh: float | None = None, **more: Any) -> Figures:
    baseline = None
    if baseline_wh is not None:
        baseline = Baseline(sample_footprint(wh=baseline_wh), "stored-call/1", "0" * 16)
    used = sample_footprint(wh=wh) if wh else Footprint.zero()
    work = Work(0 if strategy == OWN else 1, "request")
    return sample_figures(strategy=strategy, footprint=used, baseline=baseline, work=work, **more)


def book_of(*said: Figures) -> Book:
    book = Book(MemoryStore(), Pricer(WattHourPerToken(), FlatGrid(100)))
    for place, one in enumerate(said):
        book.add(sample_entry(MOMENT + timedelta(minutes=place), one))
    return book


BOOK = [
    figures("none", 3, model="large"),
    figures("calls.exact", 0, 3, model="large"),
    figures("calls.exact", 0, 1, model="small"),
    figures("calls.coalesce", 2, 1, model="small"),
    figures(OWN, 0.5),
]


def test_what_was_used_includes_what_lichen_used_itself() -> None:
    summary = book_of(*BOOK).summary()

    assert summary.work.used.energy.value.in_wh == pytest.approx(5)
    assert summary.overhead.used.energy.value.in_wh == pytest.approx(0.5)
    assert summary.used.energy.value.in_wh == pytest.approx(5.5)


def test_the_net_saving_is_what_was_avoided_less_the_overhead() -> None:
    summary = book_of(*BOOK).summary()

    assert summary.work.saved.energy.value.in_wh == pytest.approx(3 + 1 - 1)
    assert summary.net.energy.value.in_wh == pytest.approx(3 - 0.5)
    assert summary.net.energy.low < summary.work.saved.energy.low


def test_a_strategy_covers_all_under_it() -> None:
    book = book_of(*BOOK)

    assert book.saving(strategy="calls").energy.value.in_wh == pytest.approx(3)
    assert book.saving(strategy="calls.exact").energy.value.in_wh == pytest.approx(4)
    assert book.saving(strategy="cal").energy == Estimate.exact(Energy.wh(0))


def test_a_loss_is_shown_as_one() -> None:
    line = book_of(*BOOK).summary().of_strategy("calls.coalesce")

    assert line.saved.energy.value.in_wh == pytest.approx(-1)


def test_lines_are_by_whatever_is_asked_for_and_leave_lichen_out() -> None:
    summary = book_of(*BOOK).summary()

    by_model = {line.name: line.entries for line in summary.by(lambda row: row.model)}
    by_strategy = [line.name for line in summary.by(lambda row: row.strategy)]

    assert by_model == {"large": 2, "small": 2}
    assert by_strategy == ["calls.coalesce", "calls.exact", "none"]


def test_sci_counts_overhead_in_and_work_once() -> None:
    book = book_of(*BOOK)

    grams = sum(one.footprint.carbon.value.in_grams for one in BOOK)

    assert book.sci(per="request").grams_per_unit == pytest.approx(grams / 4)


def test_sci_of_a_unit_nobody_worked_in_names_those_with_work() -> None:
    with pytest.raises(NoWorkDone, match="units with work: request"):
        book_of(*BOOK).sci(per="image")


def test_an_empty_book_has_used_nothing_and_says_so() -> None:
    summary = Summary([])

    assert summary.used.carbon == Estimate.exact(Carbon.grams(0))
    assert summary.units == []
    with pytest.raises(NoWorkDone, match="no entry of that time has done any work"):
        summary.sci("request")


def test_a_time_is_asked_for_to_the_minute() -> None:
    book = book_of(*BOOK)
    start = MOMENT.replace(second=0) + timedelta(minutes=1)

    summary = book.summary(since=start, until=start + timedelta(minutes=2))

    assert [line.name for line in summary.by(lambda row: row.strategy)] == ["calls.exact"]
    assert summary.work.entries == 2


def test_a_book_with_a_writer_takes_entries_through_it() -> None:
    store = MemoryStore()
    with Book(store, Pricer(WattHourPerToken(), FlatGrid(100)), writer=BulkWriter(store)) as book:
        book.add(sample_entry())
        book.flush()

        assert len(list(store.entries())) == 1


def test_a_saving_is_proved_by_whoever_made_its_baseline() -> None:
    asked: list[Entry] = []

    def prove(entry: Entry, book: Book) -> Proof:  # noqa: ARG001 (every prover gets it)
        asked.append(entry)
        saving = entry.saving
        assert saving is not None
        return Proof(entry, saving, saving, ("looked it up",), holds=True)

    store = MemoryStore()
    entry = sample_entry(figures=BOOK[1])
    store.append([entry])
    book = Book(store, Pricer(WattHourPerToken(), FlatGrid(100)), provers={"stored-call/1": prove})

    proof = book.prove(entry.id)

    assert proof.holds
    assert asked == [entry]


def test_what_cannot_be_proved_says_why() -> None:
    book = book_of(*BOOK)
    used, hit = (next(book.store.entries(strategy=name)) for name in ("none", "calls.exact"))

    with pytest.raises(InputError, match="no entry 0000000000000000 in this ledger"):
        book.prove("0" * 16)
    with pytest.raises(InputError, match="16 hexadecimal digits"):
        book.prove("the last one")
    with pytest.raises(UnprovenSaving, match="claims no saving"):
        book.prove(used.id)
    with pytest.raises(UnprovenSaving, match="install the plug-in that made it"):
        book.prove(hit.id)


def test_recomputing_prices_history_with_the_factors_of_today() -> None:
    store = MemoryStore()
    store.append([sample_entry(figures=sample_figures(0, method=WattHourPerToken.method))])
    today = Book(store, Pricer(WattHourPerToken(2), FlatGrid(100)))
    today.recompute("first")

    revision = Book(store, Pricer(WattHourPerToken(4), FlatGrid(100))).recompute("twice as much")

    assert revision.change == pytest.approx(1)
    assert today.sci(per="request").grams_per_unit == pytest.approx(
        2 * revision.before.carbon.value.in_grams
    )


def test_images_are_no_calls() -> None:
    images = sample_figures(
        strategy="none.measured", footprint=sample_footprint(wh=1), work=Work(50_000, "image")
    )

    book = book_of(figures("none", 3), images)

    assert book.summary().work.calls == 1
    assert book.summary().of_strategy("none.measured").calls == 0
