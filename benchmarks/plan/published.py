"""Two papers' savings beside ours: perfect foresight over a year, waiting for the next workday."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from lichen.grid.trace import TraceSource
from lichen.ledger.window import Window
from lichen.testing.scenarios import next_workday, upper_bounds

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.ledger.signal import GridSignal

# Source: Wiesner et al., Middleware 2021, scenario II, next workday, 5 % noise. [%]
WAITING = {"DE": (5.91, 7.93), "GB": (6.56, 9.03), "FR": (4.77, 5.92)}


class Cells(NamedTuple):
    """How far the published cells are reproduced: worst relative difference, in this many. [1]"""

    cells: int
    plans: int
    run_now: float
    contiguous: float
    interruptible: float


class Waiting(NamedTuple):
    """Savings of the trainings of a zone, in one piece and with pauses. [%]"""

    zone: str
    ours: tuple[float, float]
    theirs: tuple[float, float]


def year_2022(carbon: Path, zone: str) -> GridSignal:
    """Hourly life-cycle intensity of a zone."""
    return TraceSource(carbon / "electricitymaps2022_123zones_hourly_lca.csv.gz", zone).signal


def cells(carbon: Path) -> Cells:
    """Every published cell, each with as many arrivals as its column `n` says."""
    path = carbon / "eurosys24_upper_bounds_2022_sample.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    worst, plans = [0.0, 0.0, 0.0], 0
    signals: dict[str, GridSignal] = {}
    for row in rows:
        zone, job_h = row["zone"], int(row["job_h"])
        if zone not in signals:
            signals[zone] = year_2022(carbon, zone)
        found = upper_bounds(signals[zone], job_h, int(row["slack_h"]), arrivals=int(row["n"]))
        plans += int(row["n"])
        published = (row["base_mean"], row["noninterrupt_mean"], row["interrupt_mean"])
        worst = [
            max(so_far, abs(mean * job_h / float(grams) - 1))
            for so_far, mean, grams in zip(worst, found, published, strict=True)
        ]
    return Cells(len(rows), plans, *worst)


def waiting(carbon: Path) -> list[Waiting]:
    """The trainings of 2020 in three countries."""
    made = []
    for zone, published in WAITING.items():
        source = TraceSource(carbon / f"lwa2020_{zone}_30min.csv.gz", zone, tz=UTC)
        year = Window(datetime(2020, 1, 1, tzinfo=UTC), source.signal.end, zone)
        made.append(Waiting(zone, next_workday(source.intensity(zone, year)).saved, published))
    return made
