"""Laws of footprints: a commutative monoid, whose differences undo its sums."""

from __future__ import annotations

import pytest
from hypothesis import given

from lichen.ledger.footprint import Footprint
from lichen.testing.strategies import footprints


@given(footprints(), footprints())
def test_footprints_add_in_any_order(one: Footprint, other: Footprint) -> None:
    assert one + other == other + one


@given(footprints(), footprints(), footprints())
def test_footprints_add_in_any_grouping(one: Footprint, other: Footprint, third: Footprint) -> None:
    assert (one + other) + third == one + (other + third)


@given(footprints())
def test_adding_nothing_changes_nothing(one: Footprint) -> None:
    assert one + Footprint.zero() == one
    assert Footprint.zero() + one == one


@given(footprints(), footprints())
def test_carbon_of_a_sum_is_the_sum_of_carbon(one: Footprint, other: Footprint) -> None:
    assert (one + other).carbon == one.carbon + other.carbon


@given(footprints(), footprints())
def test_taking_away_what_was_added_gives_the_value_back(one: Footprint, other: Footprint) -> None:
    again = (one + other).minus_shared(other)

    assert again.energy.value == one.energy.value
    assert again.carbon.value == one.carbon.value


@given(footprints(), footprints())
def test_a_difference_known_in_two_ways_is_never_narrower(one: Footprint, other: Footprint) -> None:
    shared, apart = one.minus_shared(other), one.minus(other)

    assert apart.energy.low <= shared.energy.low
    assert apart.energy.high >= shared.energy.high


@given(footprints(), footprints())
def test_what_was_assessed_once_stays_assessed(one: Footprint, other: Footprint) -> None:
    total = one + other

    assert (total.water is None) == (one.water is None and other.water is None)
    assert (total.money is None) == (one.money is None and other.money is None)


@given(footprints())
def test_a_footprint_twice_is_twice_the_footprint(one: Footprint) -> None:
    assert (one + one).carbon.value.in_grams == pytest.approx(2 * one.carbon.value.in_grams)
