"""Recorded traces beside the checkout, hour by hour, and what drove them."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from lichen.grid.trace import TraceSource
from lichen.ledger.estimate import Basis
from lichen.ledger.signal import GridSignal, SignalKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "carbon"
HOUR = timedelta(hours=1)
YEAR_2022 = "electricitymaps2022_123zones_hourly_lca.csv.gz"


class Case(NamedTuple):
    """A zone's hours, and the day from which its forecasts are looked at."""

    name: str
    signal: GridSignal
    first: datetime
    last: datetime

    @property
    def begin(self) -> int:
        """The hour of the first forecast."""
        return (self.first - self.signal.start) // HOUR

    @property
    def actual(self) -> Floats:
        """Hours from the first forecast on, a week beyond the last."""
        end = (self.last - self.signal.start) // HOUR + 168
        return np.asarray(self.signal.values[self.begin : end])


def reported() -> list[Case]:
    """The four zones that issue 3 names, in years and accounts that nothing was tuned on."""
    found = [
        Case(f"{zone} 2020", _half_hourly(zone), _day(2020, 3, 20), _day(2020, 12, 30))
        for zone in ("DE", "GB", "FR")
    ]
    california = _hourly("US-CAL-CISO", "ensembleci_CISO_hourly.csv.gz", "lifecycle_gco2_kwh")
    return [*found, Case("California 2021", california, _day(2021, 1, 1), _day(2021, 12, 31))]


def others() -> list[Case]:
    """Zones of 2022 that nothing was tuned on, and the four in another year."""
    zones = (
        "DE",
        "GB",
        "FR",
        "US-CAL-CISO",
        "PT",
        "GR",
        "SE-SE4",
        "US-NY-NYIS",
        "AU-VIC",
        "CL-SEN",
    )
    made = [
        Case(f"{zone} 2022", _hourly(zone, YEAR_2022, zone), _day(2022, 4, 1), _day(2022, 12, 20))
        for zone in zones
    ]
    germany = _hourly("DE", "ensembleci_DE_hourly.csv.gz", "lifecycle_gco2_kwh")
    return [*made, Case("DE 2021", germany, _day(2021, 1, 1), _day(2021, 12, 20))]


def driven() -> list[tuple[Case, Floats, Floats]]:
    """Cases with the wind and solar of the day-ahead market, and what came, hour by hour. [MW]

    Each series has shape (hours, 2), from the start of the case's signal.
    """
    found = []
    for zone, name, label in (("DE", "DE", "DE"), ("US-CAL-CISO", "CISO", "California")):
        signal = _hourly(zone, f"ensembleci_{name}_hourly.csv.gz", "lifecycle_gco2_kwh")
        ahead = _columns(
            f"dacf_{name}_dayahead_forecast_vs_actual.csv.gz",
            ("avg_wind_production_forecast", "avg_solar_production_forecast"),
            signal,
        )
        came = _columns(f"ensembleci_{name}_hourly.csv.gz", ("wind", "solar"), signal)
        case = Case(f"{label} 2021, Q4", signal, _day(2021, 10, 4), _day(2021, 12, 22))
        found.append((case, ahead, came))
    return found


def _day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def _half_hourly(zone: str) -> GridSignal:
    whole = TraceSource(FOLDER / f"lwa2020_{zone}_30min.csv.gz", zone, tz=UTC).signal
    pairs = np.asarray(whole.values[: len(whole.values) // 2 * 2]).reshape(-1, 2)
    return _signal(zone, whole.start, pairs.mean(axis=1), whole.source)


def _hourly(zone: str, name: str, column: str) -> GridSignal:
    signal = TraceSource(FOLDER / name, zone, tz=UTC, column=column).signal
    return _signal(zone, signal.start, np.asarray(signal.values), signal.source)


def _signal(zone: str, start: datetime, values: Floats, source: str) -> GridSignal:
    rows = tuple(values.tolist())
    return GridSignal(
        zone=zone,
        kind=SignalKind.AVERAGE,
        basis=Basis.MODELLED,
        source=Path(source).name,
        issued_at=start + HOUR * len(rows),
        start=start,
        step=HOUR,
        values=rows,
        lows=rows,
        highs=rows,
    )


def _columns(name: str, columns: tuple[str, ...], signal: GridSignal) -> Floats:
    """Columns of a file on the hours of a signal, NaN where it has no row."""
    found = np.full((len(signal.values), len(columns)), np.nan)
    with gzip.open(FOLDER / name, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            moment = datetime.fromisoformat(row["UTC time"]).replace(tzinfo=UTC)
            hour = (moment - signal.start) // HOUR
            if 0 <= hour < len(found):
                found[hour] = [float(row[column] or "nan") for column in columns]
    return found
