"""Laws of SCI: a rate of sums, whatever the order, never a mean of rates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lichen.ledger.errors import NoWorkDone
from lichen.ledger.sci import SCI, sci
from lichen.ledger.window import Work
from lichen.testing.strategies import entries, footprints, plain_figures

if TYPE_CHECKING:
    from lichen.ledger.entry import Entry
    from lichen.ledger.footprint import Footprint

several = st.lists(entries(plain_figures()), min_size=1, max_size=8)


def work_of(of: list[Entry]) -> float:
    return sum(entry.figures.work.amount for entry in of)


def times(entry: Entry, factor: int) -> Entry:
    """The entry with `factor` times the use and the work."""
    said = entry.figures
    used = said.footprint
    for _ in range(factor - 1):
        used += said.footprint
    work = Work(said.work.amount * factor, said.work.unit)
    return replace(entry, figures=replace(said, footprint=used, work=work))


@given(several, st.integers(2, 5))
def test_more_work_at_the_same_use_for_each_leaves_sci_unchanged(
    of: list[Entry], factor: int
) -> None:
    assume(work_of(of) > 0)

    one = sci(of, per="request")
    many = sci([times(entry, factor) for entry in of], per="request")

    assert many.grams_per_unit == pytest.approx(one.grams_per_unit)
    assert many.per_unit.low.in_grams == pytest.approx(one.per_unit.low.in_grams)
    assert many.per_unit.high.in_grams == pytest.approx(one.per_unit.high.in_grams)


@given(several)
def test_the_same_entries_again_leave_sci_unchanged(of: list[Entry]) -> None:
    assume(work_of(of) > 0)

    once, twice = sci(of, per="request"), sci(of + of, per="request")

    assert twice.grams_per_unit == pytest.approx(once.grams_per_unit)


@given(several)
def test_sci_is_all_carbon_over_all_work(of: list[Entry]) -> None:
    assume(work_of(of) > 0)
    grams = sum(entry.figures.footprint.carbon.value.in_grams for entry in of)

    found = sci(of, per="request")

    assert found.grams_per_unit == pytest.approx(grams / work_of(of))


@given(footprints(), footprints(), st.integers(1, 1000), st.integers(1, 1000))
def test_a_joint_rate_lies_between_its_parts_and_leans_to_the_larger_work(
    one: Footprint, other: Footprint, first: int, second: int
) -> None:
    rates = SCI(one.carbon, Work(first, "request")), SCI(other.carbon, Work(second, "request"))

    joint = (rates[0] + rates[1]).grams_per_unit

    low, high = sorted(rate.grams_per_unit for rate in rates)
    share = first / (first + second)
    weighed = rates[0].grams_per_unit * share + rates[1].grams_per_unit * (1 - share)
    assert low * (1 - 1e-9) <= joint <= high * (1 + 1e-9)
    assert joint == pytest.approx(weighed)


@given(st.lists(entries(plain_figures()), max_size=5))
def test_work_in_another_unit_never_counts(of: list[Entry]) -> None:
    with pytest.raises(NoWorkDone):
        sci(of, per="training run")
