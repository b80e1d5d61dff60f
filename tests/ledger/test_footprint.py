"""Footprint: carbon is operational plus embodied; unknown is not zero."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lichen.ledger.errors import UnitError
from lichen.ledger.estimate import Estimate
from lichen.ledger.footprint import Footprint
from lichen.ledger.quantities import Carbon, Energy, Money, Water

ONE = Footprint(
    energy=Estimate.around(Energy.wh(1)),
    operational=Estimate.around(Carbon.grams(0.4)),
    embodied=Estimate.around(Carbon.grams(0.1)),
)
ASSESSED = replace(ONE, water=Estimate.around(Water.litres(2)), money=Money.of(3, "EUR"))


def test_carbon_is_operational_plus_embodied() -> None:
    assert ONE.carbon == Estimate.around(Carbon.grams(0.5))


def test_nothing_used_is_zero() -> None:
    assert Footprint.zero().carbon == Estimate.exact(Carbon.grams(0))
    assert Footprint.zero().water is None


def test_water_nobody_assessed_is_not_zero_water() -> None:
    assert (ONE + ONE).water is None
    assert (ONE + ASSESSED).water == ASSESSED.water
    assert (ASSESSED + ONE).money == ASSESSED.money


def test_water_and_money_add_where_both_are_known() -> None:
    total = ASSESSED + ASSESSED

    assert total.water == Estimate.around(Water.litres(4))
    assert total.money == Money.of(6, "EUR")


def test_footprints_in_two_currencies_do_not_add() -> None:
    with pytest.raises(UnitError, match="convert to one currency first"):
        ASSESSED + replace(ASSESSED, money=Money.of(1, "USD"))


def test_a_difference_may_be_negative() -> None:
    loss = ONE.minus_shared(ONE + ONE)

    assert loss.energy.value == Energy.wh(-1)
    assert loss.carbon.value == Carbon.grams(-0.5)


def test_a_difference_of_two_ways_of_knowing_is_wider() -> None:
    shared, apart = ONE.minus_shared(ONE), ONE.minus(ONE)

    assert shared.energy == Estimate.exact(Energy.wh(0), ONE.energy.basis)
    assert apart.energy.low < shared.energy.low
    assert apart.energy.high > shared.energy.high
