"""The past as a forecaster sees it: hours, their running profiles, and features of what is to come.

    y(τ) − b(τ) ≈ Σ w_f · x_f(t, h)          τ = t + h, h = 0, 1, 2 … hours ahead

y    intensity, mean of an hour                                                 [gCO₂e/kWh]
b    profile: mean of the same hour of day over the last 28 days                 [gCO₂e/kWh]
x    features, each a difference of means of y known before t                    [gCO₂e/kWh]
t    the hour of issue: y(t) is the first hour that is not known                 [h]

Every running mean at index i is of values up to i, and a feature of (t, h) looks up indices below t
only. So no forecast, and no sample a fit learns from, knows more than was known when it was issued.

Source: seasonal means and lags as regressors of a direct multi-step forecast, Ben Taieb et al.,
Expert Systems with Applications 39 (2012) 7067, doi:10.1016/j.eswa.2012.01.039.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Whole: TypeAlias = NDArray[np.int64]

DAY, WEEK = 24, 168
# Over four weeks a profile follows the seasons and still holds every weekday four times.
PROFILE_DAYS = 28
# A weekday's own shape moves slowly and needs many weeks: as many as a year has.
WEEKDAY_WEEKS = 52
# How far back the level is read, from the last hours to the last week. [h]
LEVELS = (1, 3, 6, 12, 24, 72, 168)
FEATURES = (
    "yesterday",
    "week",
    "four-weeks",
    "week-ago",
    "weekday-hour",
    "weekday-day",
    *(f"level-{hours}" for hours in LEVELS),
    "last-hour-yesterday",
    "two-days-ago",
)


class Past:
    """Hourly history, and the features of forecasts issued within it.

    `hours` has shape (n,) with n ≥ 24. Each of `known` is a series on the same hours that may go on
    beyond them, NaN where it has no value, and how many hours ahead it was known.
    """

    def __init__(self, hours: Floats, known: Sequence[tuple[Floats, int]] = ()) -> None:
        self.hours = hours
        self.spread = float(np.std(hours))
        self._profile = running(hours, DAY, PROFILE_DAYS)
        self._week = running(hours, DAY, 7)
        self._four_weeks = running(hours, WEEK, 4)
        trust = _trust(len(hours))
        self._weekday_hour = trust * (
            running(hours, WEEK, WEEKDAY_WEEKS) - running(hours, DAY, 7 * WEEKDAY_WEEKS)
        )
        day = _trailing(hours, DAY)
        self._weekday_day = trust * (
            running(day, WEEK, WEEKDAY_WEEKS) - running(day, DAY, 7 * WEEKDAY_WEEKS)
        )
        off = np.zeros(len(hours))
        off[DAY:] = hours[DAY:] - self._profile[:-DAY]
        self._off = off.copy()
        self._offsets = _sums(off)
        # Of the first day there is no profile to lie off: it has the spread of all hours.
        off[:DAY] = self.spread
        self._spreads = np.sqrt(running(off**2, DAY, PROFILE_DAYS))
        self._given = tuple(known)
        self._known = [(*_anomaly(series, len(hours), self.spread), lead) for series, lead in known]

    def __len__(self) -> int:
        """How many hours are known."""
        return len(self.hours)

    def before(self, upto: int) -> Past:
        """What was known when index `upto` was not yet."""
        return Past(self.hours[:upto], self._given)

    def profile(self, at: Whole, ahead: Whole) -> Floats:
        """Profile b of forecasts issued `at`, shape (n,), so many hours `ahead`, (m,): (n, m)."""
        return self._profile[_same_hour(at, ahead)]

    def scale(self, at: Whole, ahead: Whole) -> Floats:
        """How far that hour of day lay off its profile lately, as (n, m). [gCO₂e/kWh]

        Not less than a tenth of the spread of all hours: a calm month is no promise.
        """
        found: Floats = np.maximum(self._spreads[_same_hour(at, ahead)], 0.1 * self.spread)
        return found

    def features(self, at: Whole, ahead: Whole) -> Floats:
        """Features x of forecasts issued `at`, (n,), `ahead` hours, (m,): (n, m, features)."""
        same = _same_hour(at, ahead)
        base = self._profile[same]
        week = at[:, None] + ahead[None, :] % WEEK - WEEK
        # The mean of a day around the hour is known when its last hour is.
        around = week + DAY // 2 - 1
        around = np.where(around < at[:, None], around, around - WEEK)
        rows = [
            self.hours[same] - base,
            self._week[same] - base,
            _or_zero(self._four_weeks, week, base),
            _or_zero(self.hours, week, base),
            _or_zero(self._weekday_hour, week),
            _or_zero(self._weekday_day, around),
        ]
        sums = self._offsets
        for hours in LEVELS:
            level = (sums[at] - sums[np.maximum(at - hours, 0)]) / hours
            rows.append(np.broadcast_to(level[:, None], base.shape))
        # The last hour is off by level-1. A day ago it was by this much, and then came yesterday.
        day_before = _or_zero(self._off, at - 1 - DAY)
        rows.append(np.broadcast_to(day_before[:, None], base.shape))
        rows.append(_or_zero(self._off, same - DAY))
        rows += [_ahead(anomaly, mean, at, ahead, lead) for anomaly, mean, lead in self._known]
        return np.stack(rows, axis=-1)


def running(values: Floats, period: int, count: int) -> Floats:
    """At each index the mean of it and those 1, 2, … periods before, up to `count` of them."""
    rows = -(-len(values) // period)
    padded = np.zeros(rows * period)
    padded[: len(values)] = values
    sums = np.cumsum(padded.reshape(rows, period), axis=0)
    sums[count:] = sums[count:] - sums[:-count]
    counts = np.minimum(np.arange(1, rows + 1), count)[:, None]
    found: Floats = (sums / counts).ravel()[: len(values)]
    return found


def _same_hour(at: Whole, ahead: Whole) -> Whole:
    """The newest known index of the same hour of day."""
    found: Whole = at[:, None] + ahead[None, :] % DAY - DAY
    return found


def _or_zero(values: Floats, index: Whole, less: Floats | float = 0.0) -> Floats:
    """Values at an index, less something; zero before the beginning: it says nothing."""
    found: Floats = np.where(index >= 0, values[np.maximum(index, 0)] - less, 0.0)
    return found


def _trust(count: int) -> Floats:
    """How far a weekday's shape is believed: w / (w + 1) after w weeks."""
    weeks = np.arange(count) // WEEK + 1.0
    found: Floats = weeks / (weeks + 1.0)
    return found


def _trailing(values: Floats, width: int) -> Floats:
    """At each index the mean of the last `width` values, of fewer at the beginning."""
    sums = _sums(values)
    index = np.arange(1, len(values) + 1)
    first = np.maximum(index - width, 0)
    found: Floats = (sums[index] - sums[first]) / (index - first)
    return found


def _sums(values: Floats) -> Floats:
    """Sums of the first i values, shape (n + 1,)."""
    return np.concatenate([[0.0], np.cumsum(values)])


def _anomaly(series: Floats, count: int, spread: float) -> tuple[Floats, Floats]:
    """A known series in the intensity's own spread, and its running profile; NaN is kept.

    How much it moves is read from its first `count` hours: what comes after was not known by then.
    """
    there = np.isfinite(series)
    filled = np.where(there, series, 0.0)
    counts = running(there.astype(np.float64), DAY, PROFILE_DAYS)
    mean = running(filled, DAY, PROFILE_DAYS) / np.maximum(counts, 1e-9)
    past = series[:count][there[:count]]
    width = float(np.std(past)) if len(past) else 0.0
    # A series that never moves says nothing.
    factor = spread / width if width > 0 else 0.0
    return series * factor, np.where(counts > 0, mean, np.nan) * factor


def _ahead(series: Floats, mean: Floats, at: Whole, ahead: Whole, lead: int) -> Floats:
    """How far a known series will lie off its profile; zero where that was not known yet."""
    hour = at[:, None] + ahead[None, :]
    inside = (ahead[None, :] < lead) & (hour < len(series))
    off = series[np.minimum(hour, len(series) - 1)] - mean[_same_hour(at, ahead)]
    found: Floats = np.where(inside & np.isfinite(off), off, 0.0)
    return found


def hourly(values: Sequence[float], per_hour: int) -> Floats:
    """Steps in whole hours, shape (hours, per_hour)."""
    found: Floats = np.asarray(values, dtype=np.float64).reshape(-1, per_hour)
    return found


def within(blocks: Floats, hours: int, days: int) -> Floats:
    """How steps lie about their hour's mean over the last `days`, for the next `hours`.

    Shape (hours, per_hour); zero where a step is an hour. [gCO₂e/kWh]
    """
    whole = len(blocks) // DAY
    recent = blocks[-DAY * min(days, whole) :]
    off = recent - recent.mean(axis=1, keepdims=True)
    shape = off.reshape(-1, DAY, blocks.shape[1]).mean(axis=0)
    found: Floats = np.resize(shape, (hours, blocks.shape[1]))
    return found
