"""Intensity of a mix of generation: factors with sources, in their ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.grid.mix import fuel_of, fuels, points_of, share_of
from lichen.grid.table import rows
from lichen.ledger.estimate import Basis

TABLES = ("entsoe_types.csv", "eia_types.csv")


def test_every_fuel_has_its_range_and_its_source() -> None:
    for row in rows("fuels.csv"):
        assert 0 < float(row["low"]) <= float(row["g_per_kwh"]) <= float(row["high"])
        assert row["source"]
        assert row["retrieved"]


@pytest.mark.parametrize("table", TABLES)
def test_every_type_is_a_fuel_or_a_store(table: str) -> None:
    assert set(fuel_of(table).values()) <= {*fuels(), "storage"}


@pytest.mark.parametrize(
    ("fuel", "value", "low", "high"),
    [
        ("coal", 820, 740, 910),
        ("gas", 490, 410, 650),
        ("biomass", 230, 130, 420),
        ("geothermal", 38, 6, 79),
        ("nuclear", 12, 3.7, 110),
        ("solar", 48, 18, 180),
        ("wind", 11, 7, 56),
        ("wind offshore", 12, 8, 35),
    ],
)
def test_factors_are_those_of_ipcc_ar5(fuel: str, value: float, low: float, high: float) -> None:
    """IPCC AR5 WG III (2014), Annex III, Table A.III.2: median, minimum, maximum. [gCO₂e/kWh]"""
    found = fuels()[fuel]

    assert (found.value, found.low, found.high) == (value, low, high)


def test_half_coal_and_half_wind_is_halfway() -> None:
    points = points_of({0: {"COL": 10.0, "WND": 10.0}}, "eia_types.csv")

    assert points[0].value == pytest.approx((820 + 11) / 2)
    assert points[0].low == pytest.approx((740 + 7) / 2)
    assert points[0].high == pytest.approx((910 + 56) / 2)


def test_a_type_nobody_knows_is_wide_and_assumed() -> None:
    points = points_of({0: {"NEW": 10.0}}, "eia_types.csv")

    assert points[0].basis is Basis.ASSUMED
    assert points[0].high / points[0].low > 50


def test_an_hour_without_generation_has_no_intensity() -> None:
    assert points_of({0: {"COL": 0.0, "SUN": -3.0}}, "eia_types.csv") == []


def test_solar_may_be_reported_by_day_only() -> None:
    generation = {0: {"NG": 5.0}, 3600: {"NG": 5.0, "SUN": 5.0}, 7200: {"NG": 5.0, "SUN": 1.0}}

    assert len(points_of(generation, "eia_types.csv")) == 3


@given(st.dictionaries(st.sampled_from(sorted(fuel_of("eia_types.csv"))), st.floats(-1e5, 1e5)))
def test_a_mix_is_between_its_fuels(hour: dict[str, float]) -> None:
    values = [fuel.value for fuel in fuels().values()]

    for point in points_of({0: hour}, "eia_types.csv"):
        assert min(values) - 1e-9 <= point.value <= max(values) + 1e-9
        assert point.low <= point.value <= point.high


def test_a_share_leaves_stores_out() -> None:
    hour = {"WND": 30.0, "NG": 70.0, "BAT": 50.0}

    assert share_of(hour, "eia_types.csv", frozenset({"wind"})) == pytest.approx(0.3)
    assert share_of({"BAT": 5.0}, "eia_types.csv", frozenset({"wind"})) is None


@pytest.mark.parametrize(
    ("table", "zone", "name"),
    [
        ("entsoe_areas.csv", "DE", "10Y1001A1001A83F"),
        ("entsoe_areas.csv", "SE-SE3", "10Y1001A1001A46L"),
        ("eia_respondents.csv", "US-TEX-ERCO", "ERCO"),
        ("neso_regions.csv", "GB-13", "13"),
    ],
)
def test_zones_have_the_names_their_sources_give_them(table: str, zone: str, name: str) -> None:
    found = {row["zone"]: list(row.values())[1] for row in rows(table)}

    assert found[zone] == name
    assert all(row["source"] and row["retrieved"] for row in rows(table))


def test_no_zone_stands_twice_in_a_table() -> None:
    for table in ("entsoe_areas.csv", "eia_respondents.csv", "neso_regions.csv"):
        zones = [row["zone"] for row in rows(table)]
        assert len(zones) == len(set(zones))
