"""Show: quantities as people read them."""

from __future__ import annotations

import pytest

from lichen.ledger import show
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import (
    Carbon,
    CarbonIntensity,
    Energy,
    Money,
    Power,
    Quantity,
    Water,
)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0"),
        (1, "1.00"),
        (0.31, "0.310"),
        (12.34, "12.3"),
        (999.4, "999"),
        (-0.5, "−0.500"),
        (1234567, "1,230,000"),
        (0.000123, "0.000123"),
        (1.5e-12, "1.50e-12"),
    ],
)
def test_a_number_has_three_significant_digits(amount: float, shown: str) -> None:
    assert show.number(amount) == shown


@pytest.mark.parametrize(
    ("quantity", "shown"),
    [
        (Energy.wh(0.31), "310 mWh"),
        (Energy.kwh(12), "12.0 kWh"),
        (Energy.joules(0), "0 Wh"),
        (Power.watts(27), "27.0 W"),
        (Carbon.grams(0.0042), "4.20 mgCO₂e"),
        (Carbon.kg(3000), "3.00 tCO₂e"),
        (Carbon.grams(-2), "−2.00 gCO₂e"),
        (CarbonIntensity.g_per_kwh(41), "41.0 gCO₂e/kWh"),
        (Water.litres(0.5), "500 mL"),
        (Money.of(3, "EUR"), "3.00 EUR"),
    ],
)
def test_a_quantity_has_the_unit_that_suits_its_size(quantity: Quantity, shown: str) -> None:
    assert show.quantity(quantity) == shown


def test_an_estimate_shows_its_interval_in_the_unit_of_its_value() -> None:
    estimate = Estimate(Energy.wh(0.31), Energy.wh(0.08), Energy.wh(1.2), Basis.MODELLED)

    assert str(estimate) == "310 mWh (80.0 – 1,200)"


def test_an_estimate_of_nothing_shows_how_much_it_might_be() -> None:
    estimate = Estimate(Energy.wh(0), Energy.wh(0), Energy.wh(1.2), Basis.MODELLED)

    assert str(estimate) == "0 Wh (0 – 1.20)"


def test_an_exact_estimate_shows_no_interval() -> None:
    assert str(Estimate.exact(Carbon.grams(2))) == "2.00 gCO₂e"


def test_counts_have_their_thousands_apart() -> None:
    assert show.count(1234567) == "1,234,567"
    assert show.count(0.5) == "0.500"


def test_a_share_has_a_blank_before_its_sign_and_a_minus_of_its_own() -> None:
    assert (show.percent(1 / 3), show.percent(-0.0874, 2)) == ("33 %", "−8.74 %")
