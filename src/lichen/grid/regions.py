"""Cloud regions: the grid zone a data centre stands in, and its PUE.

    E at the meter = E of the machines × PUE

PUE  power usage effectiveness: all energy of the data centre per energy of its computers [1]

A region is named provider:region, such as aws:eu-north-1. Where a provider publishes no PUE of one
region, the row carries its average over a continent or fleet with a wider range, and says so in
`pue_of`. A region's zone follows from its published location. Nobody's region is guessed: a call
to a provider's API does not say in which region it ran.

Source: ISO/IEC 30134-2:2016 (PUE); regions.csv, row by row.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Region:
    """One cloud region: where it stands and how much its building adds. `pue` is a ratio. [1]"""

    name: str
    location: str
    zone: str
    pue: float
    pue_low: float
    pue_high: float
    pue_of: str
    year: int
    source: str
    retrieved: str


@cache
def regions() -> Mapping[str, Region]:
    """All known cloud regions by name, read on first use."""
    table = files("lichen.grid").joinpath("regions.csv").read_text(encoding="utf-8")
    return {row["region"]: _region(row) for row in csv.DictReader(table.splitlines())}


def grid_zone(name: str) -> str:
    """The grid zone of a cloud region; any other name is taken for a zone itself."""
    region = regions().get(name)
    return name if region is None else region.zone


def pue_of(name: str) -> tuple[float, float, float] | None:
    """The PUE of a cloud region and the ends of its interval [1]; None where `name` is a zone."""
    region = regions().get(name)
    return None if region is None else (region.pue, region.pue_low, region.pue_high)


def _region(row: Mapping[str, str]) -> Region:
    return Region(
        name=row["region"],
        location=row["location"],
        zone=row["zone"],
        pue=float(row["pue"]),
        pue_low=float(row["pue_low"]),
        pue_high=float(row["pue_high"]),
        pue_of=row["pue_of"],
        year=int(row["year"]),
        source=row["source"],
        retrieved=row["retrieved"],
    )
