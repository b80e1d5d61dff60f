"""Recordings of grids to test with: any values as a signal, and a grid that wanders as grids do."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from lichen.ledger.estimate import Basis
from lichen.ledger.signal import GridSignal, SignalKind

if TYPE_CHECKING:
    from collections.abc import Iterable

# A Monday, so that days 5 and 6 are a weekend.
START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def recording(
    values: Iterable[float],
    *,
    zone: str = "DE",
    step: timedelta = HOUR,
    start: datetime = START,
    kind: SignalKind = SignalKind.AVERAGE,
) -> GridSignal:
    """A signal of these values, known exactly. [gCO₂e/kWh]

    Raises:
        InputError: a value is negative or no number.
    """
    held = tuple(float(value) for value in values)
    return GridSignal(
        zone=zone,
        kind=kind,
        basis=Basis.MODELLED,
        source="a recording",
        issued_at=start + step * len(held),
        start=start,
        step=step,
        values=held,
        lows=held,
        highs=held,
    )


def wandering(days: int, *, seed: int = 7) -> list[float]:
    """Hours of a grid: a day, a weekend, and a level that wanders and comes back. [gCO₂e/kWh]"""
    draw = Random(seed)  # noqa: S311 (weather, not secrets)
    level, hours = 0.0, []
    for hour in range(24 * days):
        level = 0.96 * level + draw.gauss(0.0, 18.0)
        weekend = -60.0 if hour // 24 % 7 > 4 else 0.0  # noqa: PLR2004 (Friday is day 4)
        hours.append(max(0.0, 350 + 90 * math.sin(hour / 24 * math.tau) + weekend + level))
    return hours
