"""Every built-in source of intensity keeps IntensityContract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lichen.grid.trace import TraceSource
from lichen.grid.zones import StaticZones
from lichen.ledger.signal import SignalKind
from lichen.ledger.window import Window
from lichen.testing.grids import IntensityContract

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TestStaticZones(IntensityContract):
    @pytest.fixture
    def source(self) -> StaticZones:
        return StaticZones()

    @pytest.fixture
    def window(self) -> Window:
        return Window(NOON, NOON + timedelta(hours=5, minutes=3), "DE")


class TestStaticZonesOfACloudRegion(IntensityContract):
    @pytest.fixture
    def source(self) -> StaticZones:
        return StaticZones()

    @pytest.fixture
    def window(self) -> Window:
        return Window(NOON, NOON + timedelta(minutes=1), "aws:eu-north-1")


class TestMarginalStaticZones(IntensityContract):
    @pytest.fixture
    def source(self) -> StaticZones:
        return StaticZones(kind=SignalKind.MARGINAL)

    @pytest.fixture
    def window(self) -> Window:
        return Window(NOON, NOON + timedelta(days=400), "FR")


class TestTraceSource(IntensityContract):
    @pytest.fixture
    def source(self) -> TraceSource:
        rows = [(NOON + timedelta(minutes=30 * n), 200.0 + 37.0 * (n % 11)) for n in range(96)]
        return TraceSource(rows, "SE-SE3")

    @pytest.fixture
    def window(self) -> Window:
        return Window(NOON + timedelta(minutes=7), NOON + timedelta(hours=47), "SE-SE3")
