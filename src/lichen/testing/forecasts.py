"""ForecastContract: what every forecast of carbon intensity keeps.

    class TestMyForecast(ForecastContract):
        @pytest.fixture
        def source(self) -> ForecastSource:
            return MyForecast()

        @pytest.fixture
        def asked(self) -> Asked:
            return Asked("DE", timedelta(hours=24), issued_at)

A plug-in that passes can plan in place of the built-in forecaster.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import InputError, NaiveTime, SignalUnavailable, UnknownZone
from lichen.ledger.estimate import Basis
from lichen.testing.grids import NO_ZONE

if TYPE_CHECKING:
    from lichen.ledger.ports import ForecastSource


@dataclass(frozen=True, slots=True)
class Asked:
    """What a source under test can forecast: a zone, a horizon of some steps, and when."""

    zone: str
    horizon: timedelta
    issued_at: datetime


class ForecastContract:
    """The laws of `ForecastSource`; inherit it and give `source` and `asked`."""

    @pytest.fixture
    def source(self) -> ForecastSource:
        """The source under test."""
        raise NotImplementedError("give the source under test")

    @pytest.fixture
    def asked(self) -> Asked:
        """A zone, a horizon and a time of issue that the source has a forecast for."""
        raise NotImplementedError("give what the source can forecast")

    def test_the_forecast_covers_the_horizon(self, source: ForecastSource, asked: Asked) -> None:
        """From the moment of issue to the end of the horizon, and not a step more."""
        made = source.forecast(asked.zone, asked.horizon, issued_at=asked.issued_at)

        assert made.start <= asked.issued_at < made.start + made.step
        assert made.end >= asked.issued_at + asked.horizon > made.end - made.step

    def test_it_says_what_it_is(self, source: ForecastSource, asked: Asked) -> None:
        """Zone, source, basis and time of issue are filled in, and nobody measured the future."""
        made = source.forecast(asked.zone, asked.horizon, issued_at=asked.issued_at)

        assert made.zone
        assert made.source
        assert made.basis is not Basis.MEASURED
        assert made.issued_at <= asked.issued_at

    def test_asking_twice_gives_the_same(self, source: ForecastSource, asked: Asked) -> None:
        """A forecast once issued is what it is."""
        first = source.forecast(asked.zone, asked.horizon, issued_at=asked.issued_at)
        second = source.forecast(asked.zone, asked.horizon, issued_at=asked.issued_at)

        assert first == second

    def test_a_longer_horizon_begins_with_the_shorter(
        self, source: ForecastSource, asked: Asked
    ) -> None:
        """How far one looks does not change what one sees."""
        whole = source.forecast(asked.zone, asked.horizon, issued_at=asked.issued_at)
        half = source.forecast(asked.zone, asked.horizon / 2, issued_at=asked.issued_at)

        count = len(half.values)
        assert half.values == pytest.approx(whole.values[:count], rel=1e-9)
        assert half.lows == pytest.approx(whole.lows[:count], rel=1e-9)
        assert half.highs == pytest.approx(whole.highs[:count], rel=1e-9)

    def test_the_same_moment_by_another_clock_is_the_same_moment(
        self, source: ForecastSource, asked: Asked
    ) -> None:
        """A time zone is a way of writing."""
        tokyo = asked.issued_at.astimezone(timezone(timedelta(hours=9)))
        utc = asked.issued_at.astimezone(UTC)

        made = source.forecast(asked.zone, asked.horizon, issued_at=tokyo)

        assert made == source.forecast(asked.zone, asked.horizon, issued_at=utc)

    def test_a_naive_time_of_issue_is_refused(self, source: ForecastSource, asked: Asked) -> None:
        """Nobody can tell which hour it means."""
        naive = asked.issued_at.replace(tzinfo=None)

        with pytest.raises(NaiveTime):
            source.forecast(asked.zone, asked.horizon, issued_at=naive)

    def test_a_horizon_of_nothing_is_refused(self, source: ForecastSource, asked: Asked) -> None:
        """The future begins after now."""
        with pytest.raises(InputError):
            source.forecast(asked.zone, timedelta(0), issued_at=asked.issued_at)

    def test_an_unknown_zone_is_refused(self, source: ForecastSource, asked: Asked) -> None:
        """No source forecasts a grid it does not know."""
        with pytest.raises((UnknownZone, SignalUnavailable), match=NO_ZONE):
            source.forecast(NO_ZONE, asked.horizon, issued_at=asked.issued_at)
