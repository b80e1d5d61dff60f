"""What a type checker knows: mypy reads these lines, and they hold when they run.

An ignored error that mypy no longer reports fails `make check`, so each one here is a promise that
the mistake is found before the program runs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_type

import pytest

from lichen import (
    SCI,
    Carbon,
    CarbonIntensity,
    Energy,
    Estimate,
    Footprint,
    Money,
    Power,
    Work,
)
from lichen.ledger.errors import UnitError
from lichen.ledger.estimate import price
from lichen.ledger.memory import MemoryStore
from lichen.ledger.postgres import PostgresStore
from lichen.ledger.sqlite import SqliteStore

if TYPE_CHECKING:
    from lichen.ledger.ports import Store


def test_quantities_multiply_as_physics_does() -> None:
    energy = assert_type(Power.watts(5) * timedelta(hours=1), Energy)
    carbon = assert_type(energy * CarbonIntensity.g_per_kwh(300), Carbon)
    assert_type(CarbonIntensity.g_per_kwh(300) * energy, Carbon)

    assert isinstance(energy, Energy)
    assert isinstance(carbon, Carbon)


def test_a_kind_stays_its_kind() -> None:
    assert_type(Energy.wh(1) + Energy.wh(2), Energy)
    assert_type(Energy.wh(1) * 2, Energy)
    assert_type(2 * Carbon.grams(1), Carbon)
    assert_type(Carbon.grams(1) / 2, Carbon)
    assert_type(-Money.of(1, "EUR"), Money)

    ratio = assert_type(Carbon.grams(1) / Carbon.grams(2), float)

    assert ratio == 0.5


def test_estimates_know_what_they_estimate() -> None:
    energy = assert_type(Estimate.around(Energy.wh(3)), Estimate[Energy])
    intensity = Estimate.exact(CarbonIntensity.g_per_kwh(300))
    assert_type(energy + energy, Estimate[Energy])
    assert_type(energy * 2, Estimate[Energy])
    carbon = assert_type(price(energy, intensity), Estimate[Carbon])
    assert_type(Footprint.zero().carbon, Estimate[Carbon])
    assert_type(SCI(carbon, Work(2, "request")).per_unit, Estimate[Carbon])

    assert isinstance(carbon.value, Carbon)


def test_unlike_quantities_are_found_by_the_type_checker_too() -> None:
    energy, carbon = Energy.wh(1), Carbon.grams(1)

    with pytest.raises(UnitError):
        energy + carbon  # type: ignore[operator]
    with pytest.raises(UnitError):
        energy < carbon  # type: ignore[operator]  # noqa: B015 (it is the comparison that fails)
    with pytest.raises(UnitError):
        carbon + 1  # type: ignore[operator]
    with pytest.raises(UnitError):
        Power.watts(1) * energy  # type: ignore[operator]
    with pytest.raises(UnitError):
        Estimate.exact(energy) + Estimate.exact(carbon)  # type: ignore[arg-type]


def test_every_store_is_a_store() -> None:
    kinds: list[type[Store]] = [MemoryStore, SqliteStore, PostgresStore]

    assert all(callable(kind) for kind in kinds)
