"""Points: what a live source said, step by step, looked at before anybody believes it.

    1 g/kWh = 1 kg/MWh        1 lb/MWh = 0.45359237 kg/MWh        [gCO₂e/kWh]

A source may lie: by an hour twice, an hour missing, an order that is not one, a number that is
none, or another unit. Such an answer is refused whole, with what was wrong: half an answer that is
wrong makes the other half doubtful. The bounds catch what no grid can be, and a mean that is far
from all the zone is known to be (tonnes where grams are meant); a factor of two they cannot catch.

Source: NIST Special Publication 811, appendix B.8 (pound); zones.csv and zones_marginal.csv.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.grid.zones import factor
from lichen.ledger.errors import LichenError, SignalUnavailable
from lichen.ledger.estimate import Basis
from lichen.ledger.signal import GridSignal, SignalKind, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

KG_PER_LB = 0.45359237
# Published day-ahead forecasts against what was: 0.86 … 1.31 (DE, 4,416 h of 2021) and 0.86 … 1.20
# (US-CAL-CISO) for 90 % of hours, and the account's own spread: docs/method/carbon.md.
FORECAST_FACTOR = 1.4
# The dirtiest plants, old lignite, emit some 1,400 g/kWh over their life cycle (WNA 2011: 1,372);
# a marginal rate holds ramping on top.
HIGHEST = 2500.0
# How far an answer's mean may lie outside the interval that holds 92 % of the zone's hours: a clean
# day of a dirty grid is tenfold below, tonnes or kilograms for grams are a thousandfold.
_BELOW, _ABOVE = 10.0, 3.0
# A mean says something about a unit from some hours on: at a sunny noon a grid may be near zero.
_HOURS_OF_A_MEAN = 12
_FIELDS = 6


class Point(NamedTuple):
    """One step: start [s since 1970 UTC], intensity, interval [gCO₂e/kWh], basis, standing."""

    start: int
    value: float
    low: float
    high: float
    basis: Basis = Basis.MODELLED
    standing: Standing = Standing.ACTUAL


def spread(
    start: datetime,
    value: float,
    factor: float,
    basis: Basis = Basis.MODELLED,
    standing: Standing = Standing.ACTUAL,
) -> Point:
    """A point with the interval value ÷ factor to value × factor."""
    return Point(int(start.timestamp()), value, value / factor, value * factor, basis, standing)


def from_lb_per_mwh(value: float) -> float:
    """Pounds per megawatt-hour as grams per kilowatt-hour. [gCO₂e/kWh]"""
    return value * KG_PER_LB


def number(value: Any, field: str) -> float:
    """A number of a JSON answer.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{field} is {value!r}, which is no number")
    return float(value)


def moment(value: Any, field: str) -> datetime:
    """A time of a JSON answer, in UTC.

    Raises:
        ValueError: it is no time, or does not say its zone.
    """
    if not isinstance(value, str):
        raise ValueError(f"{field} is {value!r}, which is no time")  # noqa: TRY004 (what came in)
    read = datetime.fromisoformat(value)
    if read.tzinfo is None:
        raise ValueError(f"{field} is {value!r}, a time without a zone")
    return read.astimezone(UTC)


def look_at(points: Sequence[Point], zone: str, kind: SignalKind, step: timedelta) -> None:
    """Refuse points that cannot be true.

    Raises:
        ValueError: they are out of order, off the step, no intensity, or in another unit.
    """
    for one, two in pairwise(points):
        if two.start <= one.start:
            raise ValueError(f"its times are out of order: {_time(two)} after {_time(one)}")
    seconds = int(step.total_seconds())
    for point in points:
        if point.start % seconds:
            raise ValueError(f"{_time(point)} is not on its step of {step}")
        if not (0 <= point.low <= point.value <= point.high and math.isfinite(point.high)):
            raise ValueError(f"its value at {_time(point)} is {point.value!r}, no intensity")
        if point.value > HIGHEST:
            raise ValueError(
                f"its value at {_time(point)} is {point.value:g} g/kWh, more than any plant emits: "
                "its unit may have changed"
            )
    if kind is SignalKind.AVERAGE and len(points) * step >= timedelta(hours=_HOURS_OF_A_MEAN):
        _look_at_mean(points, zone)


def _look_at_mean(points: Sequence[Point], zone: str) -> None:
    try:
        known = factor(zone).intensity
    except LichenError:
        return
    mean = sum(point.value for point in points) / len(points)
    low, high = known.low.in_g_per_kwh / _BELOW, known.high.in_g_per_kwh * _ABOVE
    if not low <= mean <= high:
        raise ValueError(
            f"its mean of {mean:g} g/kWh lies outside {low:.3g} to {high:.4g}, all that {zone} can "
            "be: its unit may have changed"
        )


def packed(points: Iterable[Point]) -> list[list[float]]:
    """Points as a shelf keeps them."""
    return [list(point) for point in points]


def unpacked(rows: Any) -> list[Point]:
    """Points off the shelf.

    Raises:
        ValueError: they are not what `packed` made.
    """
    if not isinstance(rows, list) or any(len(row) != _FIELDS for row in rows):
        raise ValueError("no rows of six")
    return [
        Point(
            int(row[0]),
            float(row[1]),
            float(row[2]),
            float(row[3]),
            Basis(row[4]),
            Standing(row[5]),
        )
        for row in rows
    ]


class Wanted(NamedTuple):
    """What is asked of a source: steps of `kind` in `zone`, from `start` to before `end`."""

    source: str
    zone: str
    kind: SignalKind
    start: datetime
    end: datetime
    step: timedelta

    def __str__(self) -> str:
        return (
            f"{self.kind.value} intensity of {self.zone} from {self.source}, "
            f"{self.start:%F %R} to {self.end:%F %R} UTC"
        )


def signal(wanted: Wanted, points: Mapping[int, Point], issued_at: datetime) -> GridSignal:
    """The signal of the points that are wanted, every one of them.

    Raises:
        SignalUnavailable: one is missing.
    """
    seconds = int(wanted.step.total_seconds())
    starts = range(int(wanted.start.timestamp()), int(wanted.end.timestamp()), seconds)
    for start in starts:
        if start not in points:
            newest = max(points, default=None)
            has = "has nothing" if newest is None else f"its newest is {_clock(newest)}"
            raise SignalUnavailable(
                str(wanted),
                f"{_clock(start)} is missing, {has}",
                "ask for another time, or configure another source: a gap is not filled",
            )
    chosen = [points[start] for start in starts]
    return GridSignal(
        zone=wanted.zone,
        kind=wanted.kind,
        basis=max(point.basis for point in chosen),
        source=wanted.source,
        issued_at=issued_at,
        start=wanted.start,
        step=wanted.step,
        values=tuple(point.value for point in chosen),
        lows=tuple(point.low for point in chosen),
        highs=tuple(point.high for point in chosen),
        standing=max(point.standing for point in chosen),
    )


def floor(time: datetime, step: timedelta) -> datetime:
    """The start of the step that a time lies in, in UTC."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(time.timestamp()) // seconds * seconds, UTC)


def ceil(time: datetime, step: timedelta) -> datetime:
    """The first start of a step that is not before a time, in UTC."""
    below = floor(time, step)
    return below if below == time else below + step


def _time(point: Point) -> str:
    return _clock(point.start)


def _clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%F %R} UTC"
