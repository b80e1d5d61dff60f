"""Laws of quantities and estimates: sums, scales, and intervals that hold their value."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.ledger.errors import UnitError
from lichen.ledger.estimate import Estimate, price
from lichen.ledger.quantities import Carbon, CarbonIntensity, Energy, Money, Power, Quantity, Water
from lichen.testing.strategies import estimates, quantities

KINDS: list[type[Quantity]] = [Energy, Power, Carbon, CarbonIntensity, Water, Money]
energies = estimates(Energy, low=-(2**19))
factors = st.floats(-1e6, 1e6)


def holds(estimate: Estimate[Energy]) -> bool:
    return estimate.low <= estimate.value <= estimate.high


@given(st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(*[quantities(kind)] * 3)))
def test_quantities_are_a_group(three: tuple[Quantity, Quantity, Quantity]) -> None:
    one, other, third = three
    nothing = one.like(0.0)

    assert one + other == other + one
    assert (one + other) + third == one + (other + third)
    assert one + nothing == one
    assert one + -one == nothing
    assert one - other == one + -other


@given(st.permutations(KINDS), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_unlike_quantities_never_add(kinds: list[type[Quantity]], one: int, other: int) -> None:
    with pytest.raises(UnitError):
        kinds[0](one) + kinds[1](other)


def test_what_does_not_add_is_told_in_plain_words() -> None:
    with pytest.raises(UnitError, match=r"cannot add .*: Energy goes only with Energy$"):
        Energy(1.0) + Carbon(1.0)  # type: ignore[operator]


@given(quantities(Energy), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_scaling_spreads_over_sums(energy: Energy, one: int, other: int) -> None:
    assert energy * (one + other) == energy * one + energy * other


@given(quantities(Power), st.integers(0, 10**6), st.integers(0, 10**6))
def test_energy_of_a_time_is_the_sum_over_its_parts(power: Power, one: int, other: int) -> None:
    first, second = timedelta(seconds=one), timedelta(seconds=other)

    assert power * (first + second) == power * first + power * second


@given(energies, energies, factors)
def test_an_interval_holds_its_value_through_sums_and_scales(
    one: Estimate[Energy], other: Estimate[Energy], factor: float
) -> None:
    for made in (one + other, one * factor, one.minus(other), one.minus_shared(other)):
        assert holds(made)


@given(st.lists(energies, min_size=1, max_size=20), factors)
def test_an_interval_holds_its_value_through_a_long_sum(
    parts: list[Estimate[Energy]], factor: float
) -> None:
    total = Estimate.exact(Energy.wh(0))
    for part in parts:
        total += part * factor

    assert holds(total)


@given(energies, energies)
def test_a_sum_holds_every_sum_of_what_its_parts_hold(
    one: Estimate[Energy], other: Estimate[Energy]
) -> None:
    total = one + other

    for first in (one.low, one.value, one.high):
        for second in (other.low, other.value, other.high):
            assert total.holds(first + second)


@given(energies, energies)
def test_a_difference_of_two_ways_holds_every_difference(
    one: Estimate[Energy], other: Estimate[Energy]
) -> None:
    difference = one.minus(other)

    for first in (one.low, one.value, one.high):
        for second in (other.low, other.value, other.high):
            assert difference.holds(first - second)


@given(energies, energies)
def test_the_basis_never_gets_stronger(one: Estimate[Energy], other: Estimate[Energy]) -> None:
    weakest = max(one.basis, other.basis)

    assert (one + other).basis is weakest
    assert one.minus(other).basis is weakest
    assert one.minus_shared(other).basis is weakest


@given(estimates(Energy), estimates(CarbonIntensity))
def test_a_price_holds_every_price_of_what_its_factors_hold(
    energy: Estimate[Energy], intensity: Estimate[CarbonIntensity]
) -> None:
    carbon = price(energy, intensity)

    for joules in (energy.low, energy.value, energy.high):
        for grams in (intensity.low, intensity.value, intensity.high):
            assert carbon.holds(joules * grams)


@given(
    estimates(Energy), st.integers(0, 2**20).map(lambda steps: CarbonIntensity(steps * 2.0**-10))
)
def test_pricing_spreads_over_sums(energy: Estimate[Energy], intensity: CarbonIntensity) -> None:
    known = Estimate.exact(intensity)

    whole, parts = price(energy + energy, known), price(energy, known) + price(energy, known)

    assert whole.value.in_grams == pytest.approx(parts.value.in_grams)
    assert whole.high.in_grams == pytest.approx(parts.high.in_grams)
