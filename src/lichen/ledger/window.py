"""Window, Work and Reserved: when and where something ran, what it did, what was kept for it."""

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


@dataclass(frozen=True, slots=True)
class Reserved:
    """Hardware kept for a piece of work, busy or idle: logical CPUs and accelerators.

    Raises:
        InputError: a count is negative or not a number.
    """

    cpus: float = 0.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be kept."""
        for name, count in (("cpus", self.cpus), ("gpus", self.gpus)):
            if not math.isfinite(count) or count < 0:
                raise InputError(f"reserved {name} must be a number ≥ 0, got {count!r}")

    def told(self) -> dict[str, float]:
        """Those that somebody told of, by name."""
        return {name: held for name, held in (("cpus", self.cpus), ("gpus", self.gpus)) if held}
