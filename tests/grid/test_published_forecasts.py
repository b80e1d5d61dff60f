"""The intervals of forecasts against what came, on recorded grids."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lichen.grid.entsoe import _fit
from lichen.grid.mix import Generation, points_of, share_of
from lichen.grid.point import FORECAST_FACTOR

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {"biomass": "B01", "nat_gas": "B04", "coal": "B05", "oil": "B06", "geothermal": "B09",
           "hydro": "B12", "nuclear": "B14", "solar": "B16", "wind": "B19",
           "unknown": "B20"}  # fmt: skip
RENEWABLE = frozenset({"wind", "solar"})
WEEK, DAY = 168, 24


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("zone", ["DE", "CISO"])
def test_published_day_ahead_forecasts_keep_the_interval(recorded: Path, zone: str) -> None:
    rows = read(recorded / f"dacf_{zone}_dayahead_forecast_vs_actual.csv.gz")
    ratios = [
        float(row["carbon_from_src_forecasts"]) / float(row["carbon_intensity"]) for row in rows
    ]

    inside = [1 / FORECAST_FACTOR <= ratio <= FORECAST_FACTOR for ratio in ratios]

    assert len(inside) == 4416
    assert sum(inside) / len(inside) > 0.9


@pytest.mark.parametrize("zone", ["DE", "CISO", "PL", "SE"])
def test_the_line_through_a_week_keeps_the_next_days_interval(recorded: Path, zone: str) -> None:
    hours = list(
        generation(read(recorded / f"ensembleci_{zone}_hourly.csv.gz")[: 365 * DAY]).items()
    )
    inside = []
    # Every fifth day of the year: all weekdays and seasons.
    for begin in range(WEEK, len(hours) - DAY, 5 * DAY):
        line = _fit(dict(hours[begin - WEEK : begin]))
        came = dict(hours[begin : begin + DAY])
        for point in points_of(came, "entsoe_types.csv"):
            share = share_of(came[point.start], "entsoe_types.csv", RENEWABLE)
            assert share is not None
            forecast = line.point(point.start, 1 - share)
            inside.append(forecast.low <= point.value <= forecast.high)

    assert len(inside) > 1000
    assert sum(inside) / len(inside) > 0.9


def generation(rows: list[dict[str, str]]) -> Generation:
    return {
        int(datetime.fromisoformat(row["UTC time"]).replace(tzinfo=UTC).timestamp()): {
            code: float(row[column] or 0) for column, code in COLUMNS.items() if column in row
        }
        for row in rows
    }
