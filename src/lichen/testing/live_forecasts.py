"""LiveForecastContract: what every live source that forecasts keeps, beside `LiveContract`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest

from lichen.ledger.errors import SignalUnavailable
from lichen.testing.grid_api import Answer, GridApi
from lichen.testing.live_grids import Clock, LiveContract

if TYPE_CHECKING:
    from lichen.grid.live_forecast import LiveForecast
    from lichen.ledger.window import Window


class LiveForecastContract(LiveContract):
    """The laws of a live source that forecasts."""

    horizon: ClassVar[timedelta] = timedelta(hours=24)
    source_type: ClassVar[type[LiveForecast]]

    def test_a_forecast_covers_its_horizon(
        self, source: LiveForecast, window: Window, clock: Clock
    ) -> None:
        """From now to its end, and it says when it was issued."""
        found = source.forecast(window.zone, self.horizon)

        assert found.start <= clock.now < found.start + found.step
        assert found.end >= clock.now + self.horizon
        assert found.issued_at <= clock.now
        assert found.kind is source.kind

    def test_a_forecast_is_asked_once_till_the_next_is_issued(
        self, source: LiveForecast, window: Window, api: GridApi, clock: Clock
    ) -> None:
        """It is kept."""
        first = source.forecast(window.zone, self.horizon)
        asked = len(api.asked)

        second = source.forecast(window.zone, self.horizon)
        again = len(api.asked)
        clock.now += timedelta(hours=1)
        later = source.forecast(window.zone, self.horizon)

        assert second == first
        assert again == asked
        assert later.issued_at > first.issued_at

    def test_the_last_forecast_stands_while_the_source_is_down(
        self, source: LiveForecast, window: Window, api: GridApi, clock: Clock
    ) -> None:
        """With the time it was issued at."""
        first = source.forecast(window.zone, self.horizon)
        clock.now += timedelta(hours=2)
        api.trouble = Answer(500)

        second = source.forecast(window.zone, self.horizon - timedelta(hours=4))

        assert second.issued_at == first.issued_at
        assert second.at(clock.now) == first.at(clock.now)

    def test_beyond_its_reach_a_forecast_is_refused(
        self, source: LiveForecast, window: Window
    ) -> None:
        """Nothing is made up."""
        with pytest.raises(SignalUnavailable, match="forecasts"):
            source.forecast(window.zone, source.reach + timedelta(days=1))

    @pytest.mark.parametrize("body", [b"{}", b"<html>", b'{"data": [], "forecast": [{}]}'])
    def test_a_forecast_of_another_shape_is_refused(
        self, source: LiveForecast, window: Window, api: GridApi, body: bytes
    ) -> None:
        """An API that changed is no number."""
        api.trouble = Answer(body=body)

        with pytest.raises(SignalUnavailable):
            source.forecast(window.zone, self.horizon)
