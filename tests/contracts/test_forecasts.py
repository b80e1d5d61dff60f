"""The built-in forecaster keeps ForecastContract, whatever it stands on."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from lichen.grid.forecast import Forecaster
from lichen.grid.trace import TraceSource
from lichen.testing.forecasts import Asked, ForecastContract

START = datetime(2026, 3, 2, tzinfo=UTC)


def days(count: int, step: timedelta) -> TraceSource:
    """Hours that rise and fall with the day and drift with the week."""
    steps = count * timedelta(days=1) // step
    rows = [
        (START + n * step, 300 + 80 * math.sin(n * step / timedelta(hours=24) * math.tau) + n % 7)
        for n in range(steps)
    ]
    return TraceSource(rows, "DE")


class TestForecasterOfASource(ForecastContract):
    @pytest.fixture
    def source(self) -> Forecaster:
        return Forecaster(days(100, timedelta(hours=1)))

    @pytest.fixture
    def asked(self) -> Asked:
        return Asked("DE", timedelta(hours=72), START + timedelta(days=99, minutes=40))


class TestForecasterOfASignal(ForecastContract):
    @pytest.fixture
    def source(self) -> Forecaster:
        return Forecaster(days(20, timedelta(minutes=5)).signal)

    @pytest.fixture
    def asked(self) -> Asked:
        return Asked("DE", timedelta(hours=30), START + timedelta(days=17, minutes=37))


class TestForecasterOfADay(ForecastContract):
    @pytest.fixture
    def source(self) -> Forecaster:
        return Forecaster(days(1, timedelta(minutes=30)).signal)

    @pytest.fixture
    def asked(self) -> Asked:
        return Asked("DE", timedelta(days=14), START + timedelta(days=1))
