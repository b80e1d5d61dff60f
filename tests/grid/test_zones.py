"""The static zone table: what it knows, what it refuses, and what it never guesses."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from lichen.grid.zones import StaticZones, default_zone, factor, nearest, zones
from lichen.ledger.errors import SignalUnavailable, UnknownZone
from lichen.ledger.estimate import Basis
from lichen.ledger.signal import SignalKind
from lichen.ledger.window import Window

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 11, 1, tzinfo=UTC)


def window(zone: str) -> Window:
    return Window(START, START + timedelta(minutes=1), zone)


def rows(*names: str) -> list[dict[str, str]]:
    folder = files("lichen.grid")
    return [
        row
        for name in names or ("zones.csv", "zones_marginal.csv")
        for row in csv.DictReader(folder.joinpath(name).read_text(encoding="utf-8").splitlines())
    ]


@pytest.mark.parametrize(
    "zone", ["DE", "FR", "GB", "SE-SE3", "US-CAL-CISO", "US-VA", "CA-QC", "IN-WE", "CN-BJ", "WORLD"]
)
def test_a_well_known_zone_has_an_average_intensity(zone: str) -> None:
    signal = StaticZones().intensity(zone, window(zone))

    assert signal.zone == zone
    assert signal.kind is SignalKind.AVERAGE
    assert 10 < signal.values[0] < 1000


def test_an_intensity_is_constant_over_the_window_and_names_its_source_and_year() -> None:
    signal = StaticZones().intensity("DE", window("DE"))

    assert (signal.start, signal.end) == (START, START + timedelta(minutes=1))
    assert len(signal.values) == 1
    assert "Ember" in signal.source
    assert "2024" in signal.source


def test_a_cloud_region_is_priced_on_the_grid_it_stands_in() -> None:
    region = StaticZones().intensity("aws:eu-north-1", window("aws:eu-north-1"))
    grid = StaticZones().intensity("SE-SE3", window("SE-SE3"))

    assert region == grid


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("Germany", "DE"),
        ("germany", "DE"),
        ("DEU", "DE"),
        ("de", "DE"),
        ("Germny", "DE"),
        ("UK", "GB"),
        ("SE3", "SE-SE3"),
        ("US-CAL", "US-CAL-CISO"),
        ("eu-north-1", "aws:eu-north-1"),
        ("europe-west1", "gcp:europe-west1"),
        ("swedencentral", "azure:swedencentral"),
        ("azure:sweden-central", "azure:swedencentral"),
        ("Stockholm", "aws:eu-north-1"),
    ],
)
def test_an_unknown_zone_names_the_nearest_known_ones(asked: str, known: str) -> None:
    with pytest.raises(UnknownZone) as refused:
        StaticZones().intensity(asked, window(asked))

    assert refused.value.nearest[0] == known
    assert asked in str(refused.value)


def test_a_part_that_the_tables_do_not_know_lies_in_its_country() -> None:
    assert nearest("GB-1") == ("GB",)


@pytest.mark.parametrize("name", ["qqqqqqqq", "Atlantis", "XX", "Foo"])
def test_a_zone_like_no_other_names_none(name: str) -> None:
    with pytest.raises(UnknownZone) as refused:
        factor(name)

    assert refused.value.nearest == ()


def test_a_very_long_name_is_refused_without_being_compared_whole() -> None:
    assert nearest("x" * 1_000_000) == ()


def test_no_more_than_three_names_are_suggested() -> None:
    assert len(nearest("germany-west")) <= 3


def test_no_configured_zone_is_the_world_and_says_so() -> None:
    assert default_zone(None) == ("WORLD", ("zone-assumed",))
    assert default_zone("  ") == ("WORLD", ("zone-assumed",))


def test_a_configured_zone_is_taken_as_it_is() -> None:
    assert default_zone("SE-SE3") == ("SE-SE3", ())
    assert default_zone("gcp:europe-west1") == ("gcp:europe-west1", ())


def test_a_mistyped_configured_zone_is_refused_at_once() -> None:
    with pytest.raises(UnknownZone, match="did you mean DE"):
        default_zone("Germany")


def test_the_world_average_is_assumed_and_far_wider_than_a_countrys() -> None:
    world, germany = factor("WORLD").intensity, factor("DE").intensity

    assert world.basis is Basis.ASSUMED
    assert germany.basis is Basis.MODELLED
    assert world.high / world.low > 5 * (germany.high / germany.low)


def test_average_and_marginal_are_different_rows() -> None:
    average = factor("FR")
    marginal = factor("FR", kind=SignalKind.MARGINAL)

    assert marginal.kind is SignalKind.MARGINAL
    assert marginal.intensity.value > average.intensity.value


def test_a_zone_without_marginal_intensity_never_falls_back_to_the_average() -> None:
    with pytest.raises(SignalUnavailable, match="use zone 'SE'"):
        StaticZones(kind=SignalKind.MARGINAL).intensity("SE-SE3", window("SE-SE3"))


def test_every_row_has_source_year_licence_and_date() -> None:
    for row in rows():
        assert all(row[name] for name in ("source", "licence", "account"))
        assert row["kind"] in {"average", "marginal"}
        assert 2021 <= int(row["year"]) <= 2026
        assert datetime.fromisoformat(row["retrieved"]) <= datetime(2030, 1, 1)  # noqa: DTZ001


def test_rows_that_are_to_be_shared_alike_stand_in_a_file_of_their_own() -> None:
    average, marginal = rows("zones.csv"), rows("zones_marginal.csv")

    assert {row["kind"] for row in average} == {"average"}
    assert not any("SA" in row["licence"] for row in average)
    assert {(row["kind"], row["licence"]) for row in marginal} == {("marginal", "CC-BY-SA-4.0")}


def test_no_row_is_zero_since_unknown_is_not_zero() -> None:
    for row in rows():
        assert 0 < float(row["low"]) < float(row["g_per_kwh"]) < float(row["high"])


def test_no_zone_is_listed_twice_for_one_kind() -> None:
    keys = [(row["zone"], row["kind"]) for row in rows()]

    assert len(keys) == len(set(keys))
    assert len(zones()) > 300


def test_nine_hours_in_ten_of_a_real_year_lie_in_the_tables_intervals(recorded: Path) -> None:
    with gzip.open(recorded / "electricitymaps2022_123zones_hourly_lca.csv.gz", "rt") as file:
        header, *hours = csv.reader(file)
    inside: dict[str, list[bool]] = defaultdict(list)
    for column, zone in enumerate(header):
        if zone in zones():
            known = factor(zone).intensity
            low, high = known.low.in_g_per_kwh, known.high.in_g_per_kwh
            inside[zone] = [low <= float(hour[column]) <= high for hour in hours]

    every = [hit for hits in inside.values() for hit in hits]

    assert len(inside) > 60
    assert sum(every) / len(every) > 0.9
