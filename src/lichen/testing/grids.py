"""IntensityContract: what every source of carbon intensity keeps.

    class TestMyGrid(IntensityContract):
        @pytest.fixture
        def source(self) -> IntensitySource:
            return MyGrid()

        @pytest.fixture
        def window(self) -> Window:
            return Window(start, end, "DE")

A plug-in that passes can be configured in place of any built-in source.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import NaiveTime, SignalUnavailable, UnknownZone
from lichen.ledger.estimate import Estimate, price
from lichen.ledger.quantities import Energy, Power
from lichen.ledger.window import Window, aware

if TYPE_CHECKING:
    from lichen.ledger.ports import IntensitySource

# No grid has this name, and none is near it.
NO_ZONE = "no-such-zone-9d41"
_PARTS = 7


class IntensityContract:
    """The laws of `IntensitySource`; inherit it and give `source` and `window`."""

    @pytest.fixture
    def source(self) -> IntensitySource:
        """The source under test."""
        raise NotImplementedError("give the source under test")

    @pytest.fixture
    def window(self) -> Window:
        """A window of at least a minute, in a zone the source knows and a time it covers."""
        raise NotImplementedError("give a window the source covers, in a zone it knows")

    def test_the_signal_covers_the_window(self, source: IntensitySource, window: Window) -> None:
        """What was asked for is there, from its start to its end."""
        signal = source.intensity(window.zone, window)

        assert signal.start <= window.start
        assert signal.end >= window.end
        assert signal.over(window).value.in_g_per_kwh >= 0

    def test_the_signal_says_where_it_comes_from(
        self, source: IntensitySource, window: Window
    ) -> None:
        """Zone, source and time of issue are filled in."""
        signal = source.intensity(window.zone, window)

        assert signal.zone
        assert signal.source
        assert aware(signal.issued_at) <= datetime.now(UTC)

    def test_asking_twice_gives_the_same(self, source: IntensitySource, window: Window) -> None:
        """A source of what was does not change its mind."""
        first = source.intensity(window.zone, window)
        second = source.intensity(window.zone, window)

        assert first == second

    def test_a_windows_carbon_is_the_sum_over_its_parts(
        self, source: IntensitySource, window: Window
    ) -> None:
        """However a window is cut, its carbon stays."""
        cuts = [window.start + window.duration * i / _PARTS for i in range(_PARTS + 1)]
        parts = [Window(start, end, window.zone) for start, end in pairwise(cuts)]

        whole = _grams(source, window)

        assert sum(_grams(source, part) for part in parts) == pytest.approx(whole, rel=1e-9)

    def test_a_moment_has_an_intensity(self, source: IntensitySource, window: Window) -> None:
        """A window of no length is a moment."""
        moment = replace(window, end=window.start)

        signal = source.intensity(window.zone, moment)

        assert signal.over(moment) == signal.at(window.start)

    def test_an_unknown_zone_is_refused(self, source: IntensitySource, window: Window) -> None:
        """No source answers for a grid it does not know."""
        with pytest.raises((UnknownZone, SignalUnavailable), match=NO_ZONE):
            source.intensity(NO_ZONE, replace(window, zone=NO_ZONE))

    def test_a_naive_window_never_reaches_a_source(self, window: Window) -> None:
        """A time without a zone is refused before anyone is asked."""
        with pytest.raises(NaiveTime):
            replace(window, start=window.start.replace(tzinfo=None))


def _grams(source: IntensitySource, window: Window) -> float:
    """Carbon of a constant kilowatt over a window. [gCO₂e]"""
    energy: Estimate[Energy] = Estimate.exact(Power.watts(1000.0) * window.duration)
    return price(energy, source.intensity(window.zone, window).over(window)).value.in_grams
