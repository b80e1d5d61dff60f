"""Amounts as people write them in a limit."""

from __future__ import annotations

import pytest

from lichen.hooks.amounts import carbon, energy
from lichen.ledger.errors import InputError
from lichen.ledger.quantities import Carbon, Energy


@pytest.mark.parametrize(
    ("text", "joules"),
    [
        ("5 J", 5),
        ("2kJ", 2000),
        ("1 Wh", 3600),
        ("0.5 mWh", 1.8),
        ("1e-3 J", 0.001),
        (".5 µJ", 5e-7),
    ],
)
def test_an_energy_is_read(text: str, joules: float) -> None:
    assert energy(text).in_joules == pytest.approx(joules)
    assert isinstance(energy(text), Energy)


@pytest.mark.parametrize(("text", "grams"), [("30 mg", 0.03), ("1.5 kg", 1500), ("2 g", 2)])
def test_carbon_is_read(text: str, grams: float) -> None:
    assert carbon(text) == Carbon.grams(grams)


@pytest.mark.parametrize("text", ["", "5", "J", "-5 J", "5 W", "5 g", "nan J", "5 J J"])
def test_what_is_no_energy_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="such as '5 J'"):
        energy(text)


def test_an_energy_is_no_carbon() -> None:
    with pytest.raises(InputError, match="such as '30 mg'"):
        carbon("5 J")
