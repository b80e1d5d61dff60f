"""Cloud regions: each stands in a known zone and has a PUE with a range."""

from __future__ import annotations

from datetime import date

import pytest

from lichen.grid.regions import grid_zone, regions
from lichen.grid.zones import zones


@pytest.mark.parametrize(
    ("region", "zone"),
    [
        ("aws:eu-north-1", "SE-SE3"),
        ("aws:us-east-1", "US-MIDA-PJM"),
        ("gcp:europe-west1", "BE"),
        ("gcp:us-west2", "US-CAL-CISO"),
        ("azure:swedencentral", "SE-SE3"),
        ("azure:northeurope", "IE"),
    ],
)
def test_a_region_stands_in_its_grid_zone(region: str, zone: str) -> None:
    assert grid_zone(region) == zone


def test_a_name_that_is_no_region_is_left_alone() -> None:
    assert grid_zone("DE") == "DE"


def test_every_region_stands_in_a_zone_of_the_table() -> None:
    strays = {name: region.zone for name, region in regions().items() if region.zone not in zones()}

    assert strays == {}


def test_the_three_great_clouds_are_covered() -> None:
    providers = {name.partition(":")[0] for name in regions()}

    assert providers == {"aws", "azure", "gcp"}
    assert len(regions()) > 140


def test_every_pue_lies_in_its_range_and_above_one() -> None:
    for region in regions().values():
        assert 1 < region.pue_low <= region.pue <= region.pue_high < 1.6


def test_an_average_pue_is_wider_than_one_of_the_region_itself() -> None:
    own = regions()["aws:eu-north-1"]
    average = regions()["aws:eu-south-1"]

    assert (own.pue_of, average.pue_of) == ("region", "average")
    assert average.pue_high - average.pue_low > own.pue_high - own.pue_low


def test_every_region_has_source_year_and_date() -> None:
    for region in regions().values():
        assert region.source
        assert region.year == 2025
        assert date.fromisoformat(region.retrieved).year >= region.year
