"""Forecast: what a zone's carbon intensity will be, from what it was.

    I(τ) = b(τ) + w(h)·x(t, h)        τ = t + h, for each of h = 0 … 167 hours ahead  [gCO₂e/kWh]

b    profile: the same hour of day over the last four weeks       [gCO₂e/kWh]
x    lags, weekday's shape, levels of the last hours and days     [gCO₂e/kWh]
w    a ridge that leans on profile and decaying offset            [1]

Any zone, average or marginal, any step that divides an hour. It is fitted anew each UTC week, on
what was known then, in a tenth of a second; with less than twelve weeks of history it is the
profile with an offset, and its `source` says so. Steps below an hour get their hour's mean shape.
The interval is that of the history's own account: docs/method/forecast.md.

Source: `lichen.grid.forecast_past` and `lichen.grid.forecast_fit`, which hold the equations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lichen.grid.forecast_history import HOUR, known, monday
from lichen.ledger.errors import InputError, MissingExtra, SignalUnavailable
from lichen.ledger.estimate import Basis
from lichen.ledger.signal import GridSignal
from lichen.ledger.window import aware

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.grid.forecast_fit import Fit
    from lichen.grid.forecast_history import Known
    from lichen.grid.forecast_past import Floats, Past
    from lichen.ledger.ports import IntensitySource

METHOD = "forecast/1"
# Farther ahead than two weeks history says no more than a profile does.
REACH = timedelta(days=14)
# Over how many days the shape within an hour is taken: as the profile.
_SHAPE_DAYS = 28
# Fits of this many (zone, week) pairs are kept; each is 35 kB.
_KEPT_FITS = 64


@dataclass(frozen=True, slots=True)
class Driver:
    """What moves a grid and is known ahead, such as day-ahead wind and solar, hour by hour.

    `values` may hold NaN where nothing was published; a value was known `lead` before its time.
    The unit does not matter: MW, m/s, W/m².

    Raises:
        NaiveTime: `start` has no time zone.
        InputError: there are no values, or the lead is not positive.
    """

    name: str
    start: datetime
    values: Sequence[float]
    lead: timedelta = timedelta(hours=24)

    def __post_init__(self) -> None:
        """Refuse what cannot drive anything."""
        aware(self.start)
        if not self.values or self.lead <= timedelta(0):
            raise InputError(
                f"driver {self.name} needs values and a positive lead, got {len(self.values)} "
                f"values known {self.lead} ahead"
            )


class Forecaster:
    """Forecasts from a source of recorded intensity, or from one recorded signal.

    The same history and `issued_at` give the same forecast, and nothing after `issued_at` is used.
    Safe to share among threads.

    Raises:
        MissingExtra: numpy is not installed.
    """

    def __init__(
        self,
        history: IntensitySource | GridSignal,
        *,
        drivers: Sequence[Driver] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        try:
            import numpy  # noqa: F401, ICN001, PLC0415 (only who forecasts needs it)
        except ImportError as error:
            raise MissingExtra("a forecast", "numpy", "grid") from error
        self._history = history
        self._drivers = tuple(drivers)
        self._now = clock
        self._fits: dict[tuple[object, ...], Fit] = {}

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        """Forecast of a zone from now, or from `issued_at`, over a horizon. [gCO₂e/kWh]

        It has the step of the history and starts with the step that `issued_at` lies in.

        Raises:
            NaiveTime: `issued_at` has no time zone.
            InputError: the horizon is not positive.
            UnknownZone: the history knows no such zone.
            SignalUnavailable: less than a day of history, none of the last two days, a step that
                divides no hour, or a horizon beyond two weeks.
        """
        moment = aware(self._now() if issued_at is None else issued_at).astimezone(UTC)
        if horizon <= timedelta(0):
            raise InputError(f"a forecast's horizon must be positive, got {horizon}")
        if horizon > REACH:
            raise SignalUnavailable(
                f"forecast of {zone} over {horizon}",
                f"history says nothing beyond {REACH.days} days",
                "ask for less, or use the zone's average",
            )
        history = known(self._history, zone, moment)
        return self._issue(history, moment, horizon)

    def _issue(self, history: Known, moment: datetime, horizon: timedelta) -> GridSignal:
        from lichen.grid.forecast_past import Past, hourly, within  # noqa: PLC0415 (numpy)

        blocks = hourly(history.values, HOUR // history.step)
        past = Past(blocks.mean(axis=1), [_aligned(each, history) for each in self._drivers])
        fitted = self._fitted(past, history, moment)
        skip = (moment - history.end) // history.step
        steps = -((history.end - moment - horizon) // history.step)
        hours = math.ceil(steps * history.step / HOUR)
        shape = within(blocks, hours, _SHAPE_DAYS)
        value, low, high = (
            (ends[:, None] + shape).clip(0.0).ravel()[skip:steps].tolist()
            for ends in fitted.values(past, hours)
        )
        return GridSignal(
            zone=history.zone,
            kind=history.kind,
            basis=Basis.MODELLED,
            source=f"{METHOD}: {_how(fitted, past)}, from {history.source}",
            issued_at=moment,
            start=history.end + skip * history.step,
            step=history.step,
            values=tuple(value),
            lows=tuple(low),
            highs=tuple(high),
        )

    def _fitted(self, past: Past, history: Known, moment: datetime) -> Fit:
        """The fit of this week: of what was known when it began, whoever asks in it and when."""
        from lichen.grid.forecast_fit import FEWEST_HOURS, fit  # noqa: PLC0415 (numpy)

        upto = min(max((monday(moment) - history.start) // HOUR, 0), len(past))
        if upto < FEWEST_HOURS:
            # The prior learns nothing; only its interval does, from all there is.
            return fit(past.before(min(len(past), FEWEST_HOURS - 1)))
        key = (history.zone, history.kind, history.start, upto, hash(past.hours[:upto].tobytes()))
        found = self._fits.get(key)
        if found is None:
            found = fit(past.before(upto))
            for old in list(self._fits)[: 1 - _KEPT_FITS]:
                self._fits.pop(old, None)
            self._fits[key] = found
        return found


def _how(fitted: Fit, past: Past) -> str:
    """What the forecast is made of, for whoever reads its source."""
    if fitted.days:
        return f"ridge on lags over {fitted.days} days"
    return f"profile and decaying offset, since {len(past) // 24} days of history fit no ridge"


def _aligned(driver: Driver, history: Known) -> tuple[Floats, int]:
    """A driver on the hours of the history and of what follows, NaN where it has none."""
    import numpy as np  # noqa: PLC0415 (on use)

    first = round((driver.start - history.start) / HOUR)
    given = np.asarray(driver.values[max(-first, 0) :], dtype=np.float64)
    begin = max(first, 0)
    hours = round((history.end - history.start) / HOUR)
    series = np.full(max(hours, begin + len(given)), np.nan)
    series[begin : begin + len(given)] = given
    return series, int(driver.lead / HOUR)
