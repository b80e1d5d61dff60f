"""Every built-in live source keeps the contract, against a local server that speaks its API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.grid.eia import Eia
from lichen.grid.electricitymaps import ElectricityMaps
from lichen.grid.entsoe import Entsoe
from lichen.grid.neso import Neso
from lichen.grid.watttime import WattTime
from lichen.ledger.window import Window
from lichen.testing.live_forecasts import LiveForecastContract
from lichen.testing.live_grids import Clock, LiveContract
from tests.grid.apis import electricitymaps, entsoe, watttime
from tests.grid.apis.eia import KEY, EiaApi
from tests.grid.apis.electricitymaps import ElectricityMapsApi
from tests.grid.apis.entsoe import EntsoeApi
from tests.grid.apis.neso import NesoApi
from tests.grid.apis.watttime import WattTimeApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.testing.grid_api import Answer, Question

MORNING = datetime(2026, 11, 20, 6, tzinfo=UTC)
UNTIL = MORNING + timedelta(hours=3, minutes=11)
YESTERDAY = MORNING - timedelta(days=1, hours=9)


class TestNeso(LiveForecastContract):
    source_type = Neso

    @pytest.fixture
    def answer(self, clock: Clock) -> Callable[[Question], Answer]:
        return NesoApi(clock)

    @pytest.fixture
    def window(self) -> Window:
        return Window(MORNING, UNTIL, "GB")


class TestNesoOfARegion(LiveForecastContract):
    source_type = Neso

    @pytest.fixture
    def answer(self, clock: Clock) -> Callable[[Question], Answer]:
        return NesoApi(clock)

    @pytest.fixture
    def window(self) -> Window:
        return Window(YESTERDAY, UNTIL, "GB-13")


class TestElectricityMaps(LiveForecastContract):
    source_type = ElectricityMaps
    credentials = (electricitymaps.TOKEN,)

    @pytest.fixture
    def answer(self, clock: Clock) -> Callable[[Question], Answer]:
        return ElectricityMapsApi(clock)

    @pytest.fixture
    def window(self) -> Window:
        return Window(MORNING, UNTIL, "DE")


class TestElectricityMapsOverDays(LiveForecastContract):
    source_type = ElectricityMaps
    credentials = (electricitymaps.TOKEN,)

    @pytest.fixture
    def answer(self, clock: Clock) -> Callable[[Question], Answer]:
        return ElectricityMapsApi(clock)

    @pytest.fixture
    def window(self) -> Window:
        return Window(MORNING - timedelta(days=25), UNTIL, "FR")


class TestWattTime(LiveForecastContract):
    source_type = WattTime
    credentials = (watttime.USERNAME, watttime.PASSWORD)

    @pytest.fixture
    def answer(self, clock: Clock) -> Callable[[Question], Answer]:
        return WattTimeApi(clock)

    @pytest.fixture
    def window(self) -> Window:
        return Window(MORNING, UNTIL, "US-CAL-CISO")


class TestEntsoe(LiveForecastContract):
    source_type = Entsoe
    credentials = (entsoe.TOKEN,)

    @pytest.fixture
    def answer(self, clock: Clock) -> Callable[[Question], Answer]:
        return EntsoeApi(clock)

    @pytest.fixture
    def window(self) -> Window:
        return Window(YESTERDAY, UNTIL, "DE")


class TestEia(LiveContract):
    source_type = Eia
    credentials = (KEY,)

    @pytest.fixture
    def answer(self, clock: Clock) -> Callable[[Question], Answer]:
        return EiaApi(clock)

    @pytest.fixture
    def window(self) -> Window:
        return Window(MORNING - timedelta(days=20), UNTIL, "US-CAL-CISO")
