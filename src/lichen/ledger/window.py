"""Window and Work: when and where something ran, and how much it did."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lichen.ledger.errors import InputError, NaiveTime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def aware(moment: datetime) -> datetime:
    """The moment, if it has a time zone.

    Raises:
        NaiveTime: it has none.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise NaiveTime(moment)
    return moment


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, as the stores keep time. [µs]"""
    return (aware(moment) - EPOCH) // _MICROSECOND


def from_microseconds(amount: int) -> datetime:
    """The UTC moment of a stored time."""
    return EPOCH + timedelta(microseconds=amount)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time in a grid zone.

    Raises:
        NaiveTime: start or end has no time zone.
        InputError: it ends before it starts.
    """

    start: datetime
    end: datetime
    zone: str

    def __post_init__(self) -> None:
        """Refuse naive and backward windows."""
        if aware(self.end) < aware(self.start):
            raise InputError(f"a window cannot end ({self.end}) before it starts ({self.start})")

    @property
    def duration(self) -> timedelta:
        """From start to end."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Work:
    """R, the work done, in functional units.

    Raises:
        InputError: the amount is negative or not a number, or the unit has no name.
    """

    amount: float
    unit: str

    def __post_init__(self) -> None:
        """Refuse work that cannot be."""
        if not math.isfinite(self.amount) or self.amount < 0:
            raise InputError(f"work must be a number ≥ 0, got {self.amount!r} {self.unit}")
        if not self.unit.strip():
            raise InputError(f"work needs a functional unit such as 'request', got {self.unit!r}")
