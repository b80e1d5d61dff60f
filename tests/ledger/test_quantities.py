"""Quantities: what multiplies, what adds, and what is refused."""

from __future__ import annotations

import math
import pickle
from datetime import timedelta

import pytest

from lichen.ledger.errors import InputError, UnitError
from lichen.ledger.quantities import (
    Carbon,
    CarbonIntensity,
    Energy,
    Money,
    Power,
    Quantity,
    Water,
)

KINDS: list[Quantity] = [
    Energy.joules(1),
    Power.watts(1),
    Carbon.grams(1),
    CarbonIntensity.g_per_kwh(1),
    Water.litres(1),
    Money.of(1, "EUR"),
]
UNLIKE = [(one, other) for one in KINDS for other in KINDS if one is not other]


def test_a_kilowatt_hour_is_3_6_megajoules() -> None:
    # Source: BIPM, The International System of Units (SI), 9th edition, table 8: 1 h = 3600 s.
    assert Energy.kwh(1) == Energy.joules(3_600_000)
    assert Energy.wh(1000) == Energy.kwh(1)


def test_what_goes_in_comes_out() -> None:
    assert Energy.wh(3).in_wh == 3
    assert Energy.kwh(2).in_kwh == 2
    assert Energy.joules(7).in_joules == 7
    assert Power.watts(5).in_watts == 5
    assert Carbon.kg(2).in_grams == 2000
    assert CarbonIntensity.g_per_kwh(41).in_g_per_kwh == 41
    assert Water.litres(4).in_litres == 4
    assert Money.of(3, "SEK").amount == 3


def test_power_for_a_time_is_energy_either_way_round() -> None:
    expected = Energy.wh(150)

    assert Power.watts(300) * timedelta(minutes=30) == expected
    assert timedelta(minutes=30) * Power.watts(300) == expected


def test_energy_on_a_grid_is_carbon_either_way_round() -> None:
    expected = Carbon.grams(80)

    assert Energy.kwh(0.2) * CarbonIntensity.g_per_kwh(400) == expected
    assert CarbonIntensity.g_per_kwh(400) * Energy.kwh(0.2) == expected


def test_a_kind_adds_to_itself_and_scales() -> None:
    assert Carbon.grams(2) + Carbon.grams(3) == Carbon.grams(5)
    assert Carbon.grams(2) - Carbon.grams(3) == Carbon.grams(-1)
    assert -Carbon.grams(2) == Carbon.grams(-2)
    assert 3 * Carbon.grams(2) == Carbon.grams(2) * 3 == Carbon.grams(6)
    assert Carbon.grams(6) / 3 == Carbon.grams(2)


def test_a_kind_divided_by_itself_is_a_plain_number() -> None:
    assert Energy.kwh(3) / Energy.wh(1500) == 2


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_unlike_kinds_do_not_go_together(one: Quantity, other: Quantity) -> None:
    with pytest.raises(UnitError, match="cannot add"):
        one + other
    with pytest.raises(UnitError, match="cannot subtract"):
        one - other
    with pytest.raises(UnitError, match="cannot compare"):
        one < other  # noqa: B015 (it is the comparison that fails)
    with pytest.raises(UnitError, match="cannot divide"):
        one / other
    assert one != other


def test_a_quantity_does_not_add_to_a_plain_number() -> None:
    with pytest.raises(UnitError, match="cannot add"):
        Energy.wh(1) + 1  # type: ignore[operator]


@pytest.mark.parametrize("factor", ["two", None, True, Energy.wh(1)])
def test_a_quantity_is_multiplied_by_plain_numbers_only(factor: object) -> None:
    with pytest.raises(UnitError, match="cannot multiply"):
        Carbon.grams(1) * factor  # type: ignore[operator]


@pytest.mark.parametrize("quantity", KINDS)
def test_power_is_multiplied_by_times_and_plain_numbers_only(quantity: Quantity) -> None:
    with pytest.raises(UnitError, match="cannot multiply"):
        Power.watts(1) * quantity  # type: ignore[operator]


def test_currencies_do_not_mix() -> None:
    with pytest.raises(UnitError, match="convert to one currency first"):
        Money.of(1, "EUR") + Money.of(1, "USD")
    with pytest.raises(UnitError, match="convert to one currency first"):
        Money.of(1, "EUR") > Money.of(1, "USD")  # noqa: B015 (it is the comparison that fails)
    assert Money.of(1, "EUR") != Money.of(1, "USD")


def test_money_keeps_its_currency() -> None:
    total = Money.of(1, "EUR") + Money.of(2, "EUR") * 3

    assert total == Money.of(7, "EUR")
    assert total.currency == "EUR"


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(amount: float) -> None:
    with pytest.raises(InputError, match="an unknown quantity is a gap"):
        Energy.joules(amount)


def test_a_sum_too_large_for_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        Energy.joules(1e308) * 10


def test_a_quantity_cannot_be_changed() -> None:
    energy = Energy.wh(1)

    with pytest.raises(AttributeError, match="frozen"):
        energy.amount = 2.0
    with pytest.raises(AttributeError):
        energy.note = "x"


def test_equal_quantities_are_one_in_a_set() -> None:
    assert len({Energy.wh(1), Energy.joules(3600), Carbon.grams(3600)}) == 2
    assert len({Money.of(1, "EUR"), Money.of(1, "EUR"), Money.of(1, "USD")}) == 2


def test_quantities_are_ordered() -> None:
    amounts = [Carbon.grams(3), Carbon.grams(-1), Carbon.grams(2)]

    assert sorted(amounts) == [Carbon.grams(-1), Carbon.grams(2), Carbon.grams(3)]
    assert Carbon.grams(2) <= Carbon.grams(2) < Carbon.grams(3)
    assert Carbon.grams(3) >= Carbon.grams(2)


@pytest.mark.parametrize("quantity", KINDS)
def test_a_quantity_travels_between_processes(quantity: Quantity) -> None:
    again = pickle.loads(pickle.dumps(quantity))

    assert again == quantity
    assert type(again) is type(quantity)


def test_a_quantity_says_its_unit() -> None:
    assert [repr(quantity) for quantity in KINDS] == [
        "Energy(1 J)",
        "Power(1 W)",
        "Carbon(1 gCO2e)",
        "CarbonIntensity(1 gCO2e/kWh)",
        "Water(1 L)",
        "Money(1 EUR)",
    ]
