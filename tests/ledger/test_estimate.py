"""Estimate: an interval that holds its value, and a basis."""

from __future__ import annotations

import copy
import math
import operator
import pickle
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.ledger.errors import InputError, UnitError
from lichen.ledger.estimate import Basis, Estimate, price, zero
from lichen.ledger.quantities import Carbon, CarbonIntensity, Energy


def wh(value: float, low: float, high: float, basis: Basis = Basis.MODELLED) -> Estimate[Energy]:
    return Estimate(Energy.wh(value), Energy.wh(low), Energy.wh(high), basis)


@pytest.mark.parametrize(("value", "low", "high"), [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_an_interval_that_does_not_hold_its_value_is_refused(
    value: float, low: float, high: float
) -> None:
    with pytest.raises(InputError, match="must hold its value"):
        wh(value, low, high)


def test_an_interval_of_unlike_kinds_is_refused() -> None:
    with pytest.raises(UnitError, match="of one kind"):
        Estimate(Energy.wh(2), Carbon.grams(1), Energy.wh(3), Basis.ASSUMED)


def test_an_exact_estimate_has_no_width() -> None:
    assert Estimate.exact(Energy.wh(2)) == wh(2, 2, 2, Basis.MEASURED)


def test_an_estimate_around_a_value_spans_a_factor_either_way() -> None:
    assert Estimate.around(Energy.wh(2), 4.0) == wh(2, 0.5, 8)


def test_an_estimate_around_a_loss_still_holds_it() -> None:
    assert Estimate.around(Energy.wh(-2), 4.0) == wh(-2, -8, -0.5)


def test_a_factor_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="factor is 1 or more"):
        Estimate.around(Energy.wh(2), 0.5)


def test_sums_add_lows_to_lows_and_highs_to_highs() -> None:
    assert wh(2, 1, 4) + wh(3, 2, 9) == wh(5, 3, 13)


def test_the_weakest_basis_wins() -> None:
    measured, assumed = wh(1, 1, 1, Basis.MEASURED), wh(1, 1, 1, Basis.ASSUMED)

    assert (measured + assumed).basis is Basis.ASSUMED
    assert (measured + measured).basis is Basis.MEASURED
    assert measured.minus(assumed).basis is Basis.ASSUMED
    assert measured.minus_shared(assumed).basis is Basis.ASSUMED


def test_a_negative_scale_turns_the_interval_round() -> None:
    assert wh(2, 1, 4) * -1 == wh(-2, -4, -1)
    assert 2 * wh(2, 1, 4) == wh(4, 2, 8)


def test_a_difference_by_shared_factors_is_low_from_low() -> None:
    assert wh(5, 2, 20).minus_shared(wh(2, 1, 8)) == wh(3, 1, 12)


def test_a_loss_by_shared_factors_holds_its_value() -> None:
    assert wh(2, 1, 8).minus_shared(wh(5, 2, 20)) == wh(-3, -12, -1)


def test_a_difference_of_two_ways_of_knowing_is_as_wide_as_it_can_be() -> None:
    assert wh(5, 2, 20).minus(wh(2, 1, 8)) == wh(3, -6, 19)


def test_energy_priced_on_a_grid_is_carbon_with_both_intervals() -> None:
    made = CarbonIntensity.g_per_kwh
    intensity = Estimate(made(400), made(300), made(600), Basis.ASSUMED)

    carbon = price(wh(1000, 500, 4000), intensity)

    assert carbon == Estimate(
        Carbon.grams(400), Carbon.grams(150), Carbon.grams(2400), Basis.ASSUMED
    )


def test_none_of_a_kind_changes_no_sum() -> None:
    assert wh(2, 1, 4) + zero(Energy) == wh(2, 1, 4)


def test_an_estimate_says_what_it_holds() -> None:
    estimate = wh(2, 1, 4)

    assert estimate.holds(Energy.wh(1))
    assert estimate.holds(Energy.wh(4))
    assert not estimate.holds(Energy.wh(4.001))


def test_what_rounding_alone_keeps_apart_is_no_difference() -> None:
    # The same energy, once as a whole and once as the sum of its parts.
    whole = Estimate.around(Energy.joules(0.3))
    parts = Estimate.around(Energy.joules(0.1)) + Estimate.around(Energy.joules(0.2))
    assert whole.value != parts.value

    shared, apart = whole.minus_shared(parts), whole.minus(parts)

    assert shared == wh(0, 0, 0)
    assert apart.value == Energy.zero()
    assert apart.low < apart.value < apart.high


def test_a_small_difference_that_is_one_stays() -> None:
    assert wh(1 + 1e-6, 1, 2).minus_shared(wh(1, 1, 2)).value.in_wh == pytest.approx(1e-6)


@given(st.lists(st.floats(-1e300, 1e300), min_size=3, max_size=3))
def test_plain_numbers_make_the_estimate_that_quantities_make(numbers: list[float]) -> None:
    low, value, high = sorted(numbers)

    made = Estimate.of(Energy, value, low, high, Basis.MODELLED)

    assert made == Estimate(Energy(value), Energy(low), Energy(high), Basis.MODELLED)
    assert made.numbers == (value, low, high)
    assert (made.value, made.low, made.high) == (Energy(value), Energy(low), Energy(high))


@pytest.mark.parametrize("end", [math.inf, math.nan])
def test_plain_numbers_that_are_none_are_refused(end: float) -> None:
    with pytest.raises(InputError, match="finite"):
        Estimate.of(Energy, 1.0, 0.0, end, Basis.MODELLED)
    with pytest.raises(InputError, match="finite"):
        Estimate.of(Energy, 1.0, -end, 2.0, Basis.MODELLED)


def test_plain_numbers_out_of_order_are_refused() -> None:
    with pytest.raises(InputError, match="must hold its value"):
        Estimate.of(Energy, 3.0, 1.0, 2.0, Basis.MODELLED)


def test_estimates_of_two_kinds_are_never_equal_and_never_add() -> None:
    energy = Estimate.exact(Energy.joules(1))
    carbon = cast("Estimate[Energy]", Estimate.exact(Carbon.grams(1)))

    assert energy != carbon
    assert energy != 1.0
    for combine in (operator.add, Estimate.minus, Estimate.minus_shared):
        with pytest.raises(UnitError, match="two kinds"):
            combine(energy, carbon)


def test_an_estimate_is_frozen() -> None:
    with pytest.raises(AttributeError, match="frozen"):
        wh(2, 1, 4).basis = Basis.MEASURED


def test_an_estimate_can_be_a_key_and_be_copied() -> None:
    known = wh(2, 1, 4)

    assert pickle.loads(pickle.dumps(known)) == copy.deepcopy(known) == known
    assert {known: "a"}[wh(2, 1, 4)] == "a"
    assert repr(known).startswith("Estimate(Energy(7200 J), ")
