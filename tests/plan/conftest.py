"""Jobs and signals to plan with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Power
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.plan import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.plan import Pause

START = datetime(2026, 1, 5, tzinfo=UTC)


def make_signal(
    values: Sequence[float],
    *,
    zone: str = "DE",
    step: timedelta = timedelta(hours=1),
    kind: SignalKind = SignalKind.AVERAGE,
) -> GridSignal:
    return GridSignal(
        zone=zone,
        kind=kind,
        basis=Basis.MODELLED,
        source=f"made for {zone}",
        issued_at=START,
        start=START,
        step=step,
        values=tuple(map(float, values)),
        lows=tuple(value / 2 for value in values),
        highs=tuple(value * 2 for value in values),
    )


def make_job(
    hours: float,
    within: float,
    *,
    p90: float = 0,
    release: float = 0,
    zone: str = "DE",
    pause: Pause | None = None,
) -> Job:
    """A kilowatt for some hours, to be done within some hours of its release."""
    first = START + timedelta(hours=release)
    return Job(
        power=Estimate.exact(Power.watts(1000)),
        p50=timedelta(hours=hours),
        p90=timedelta(hours=p90),
        release=first,
        deadline=first + timedelta(hours=within),
        zone=zone,
        pause=pause,
    )


@pytest.fixture
def signal() -> Callable[..., GridSignal]:
    """A maker of signals that start on Monday, 2026-01-05, at midnight UTC."""
    return make_signal


@pytest.fixture
def job() -> Callable[..., Job]:
    """A maker of jobs of one kilowatt, times in hours."""
    return make_job


@pytest.fixture
def hour() -> Callable[[float], datetime]:
    """The moment some hours after the start."""
    return lambda hours: START + timedelta(hours=hours)
