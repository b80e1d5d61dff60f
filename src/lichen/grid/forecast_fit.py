"""A ridge on lags that leans on a profile with a decaying offset, one for each hour ahead.

    w(h) = p(h) + argmin_v  Σ_t (y(t+h) − b − x·p(h) − x·v)² + λ(h) Σ_f var(x_f) v_f²

    λ(h) = 50 + 1950 · (1 − exp(−h / 48))

    low, high(h) = forecast + q₀₅, q₉₅(h) · s        90 % interval

p    prior: the classic forecast, profile and weekday's shape, and an offset that decays in τ hours
λ    how many hours of evidence the prior is worth: the more, the farther ahead, since errors of
     neighbouring hours are alike for as long as weather lasts, and say less than their number
s    spread of the target's hour of day about its profile over the last 28 days  [gCO₂e/kWh]
q    quantiles of (y − forecast) / s over the hours that were fitted             [1]

With little history w is p, and with none of a week the features that need one are zero: what is
left is the mean of the same hour, and an offset. λ and p were set on 2022 in other zones than
those reported: docs/method/forecast.md.

Source: ridge toward a prior mean: Hoerl and Kennard, Technometrics 12 (1970) 55; quantiles of past
errors as an interval: Gneiting et al., doi:10.1198/016214506000001437.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lichen.grid.forecast_past import DAY, FEATURES, WEEK

if TYPE_CHECKING:
    from lichen.grid.forecast_past import Floats, Past, Whole

# With less than this much history before the fit, the prior stands alone: over 14 zones a fit on
# six, nine or twelve weeks errs as much as the prior, within 1 %. [h]
FEWEST_HOURS = 84 * DAY
# A profile is of four weeks, so a sample before those four is of another kind. [h]
_WARM_UP = 28 * DAY
# A year has every season once; what is older is another power system. [h]
_MEMORY = 365 * DAY
# Every fifth hour: neighbours say much the same, and 5 and 24 share no factor, so all hours of day
# are seen.
_STRIDE = 5
# λ of the next hour and of the far end, and in how many hours it rises: set on fourteen zones of
# 2022, where 100 and 4,000, and 24 and 72 hours, lie within a fifth of a point. [samples, h]
_RIDGE_NEAR, _RIDGE_FAR, _RIDGE_RISE = 50.0, 2000.0, 48.0
# λ of what is known ahead: it says as much of a far hour as of a near one. [samples]
_RIDGE_DRIVER = 300.0
# Fewer errors than this give no 5 % quantile.
_FEWEST_ERRORS = 40
# What stands in for q where there are too few errors, in spreads: a normal distribution's 1.645
# and half as much again, since the spread too is of few days; after one day twice that.
_UNFITTED_WIDTH = 2.5
# Past errors are smaller than those to come, the more so the fewer days they are of: × 1.05, and
# 4 days over the days there are, so that 14 zones are covered about 9 times of 10.
_OPTIMISM, _OPTIMISM_DAYS = 1.05, 4.0


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights of shape (168, features) and quantiles of shape (168,), by hours ahead.

    `days` of history were fitted; 0 where the prior stands alone.
    """

    weights: Floats
    lows: Floats
    highs: Floats
    days: int

    def values(self, past: Past, hours: int) -> tuple[Floats, Floats, Floats]:
        """Values, lows and highs of the next `hours` after the past, each (hours,). [gCO₂e/kWh]

        Beyond a week an hour is forecast as the same hour of the seventh day is.
        """
        at, ahead = np.array([len(past)]), np.arange(hours)
        lead = _by_week(ahead)
        x = past.features(at, ahead)[0]
        raw = past.profile(at, ahead)[0] + np.einsum("hf,hf->h", x, self.weights[lead])
        # Nothing known says that a grid goes far beyond where it has been.
        value: Floats = np.clip(raw, 0.0, 1.5 * past.hours.max())
        scale = past.scale(at, ahead)[0]
        low = np.clip(value + self.lows[lead] * scale, 0.0, value)
        high = np.maximum(value + self.highs[lead] * scale, value)
        return value, low, high


def fit(past: Past) -> Fit:
    """Fit on all of a past; the prior where its hours are too few or all alike."""
    upto = len(past)
    count = past.features(np.array([DAY]), np.array([0])).shape[-1]
    enough = upto >= FEWEST_HOURS and past.spread > 0
    first = max(_WARM_UP, upto - _MEMORY) if enough else DAY
    weights = prior(count)
    lows, highs = np.full(WEEK, np.nan), np.full(WEEK, np.nan)
    for h in range(WEEK):
        at = np.arange(first, upto - h, _STRIDE)
        if len(at) < _FEWEST_ERRORS:
            break
        ahead = np.array([h])
        x = past.features(at, ahead)[:, 0]
        target = past.hours[at + h] - past.profile(at, ahead)[:, 0]
        if enough:
            weights[h] += _ridge(x, target - x @ weights[h], past.spread, _evidence(h, count))
        errors = (target - x @ weights[h]) / np.maximum(past.scale(at, ahead)[:, 0], 1e-12)
        lows[h], highs[h] = np.quantile(errors, (0.05, 0.95))
    days = upto / DAY
    low, high = (_interval(side * ends, days) for side, ends in ((-1.0, lows), (1.0, highs)))
    return Fit(weights, -low, high, (upto - first) // DAY if enough else 0)


def prior(count: int) -> Floats:
    """p, shape (168, `count`): profile, weekday's shape, and an offset that decays.

    A forecast for the next hours is the last hour's offset: most of it goes in 16 h (0.7), a little
    stays for days (0.2), and so does that of the last three days (0.12). Farther ahead it is the
    profile of the last week beside that of four (0.35), a little of yesterday (0.2 where that is 24
    hours before, then 0.05), and the weekday's own shape (0.6 of the hour's, 0.2 of the day's: what
    is known of a weekday is half noise).
    """
    ahead = np.arange(WEEK, dtype=np.float64)
    weights = np.zeros((WEEK, count))

    def put(feature: str, values: Floats) -> None:
        weights[:, FEATURES.index(feature)] = values

    put("level-1", 0.7 * np.exp(-ahead / 16.0) + 0.2 * np.exp(-ahead / 120.0))
    put("level-72", 0.12 * (1.0 - np.exp(-ahead / 24.0)))
    put("week", 0.35 * (1.0 - np.exp(-ahead / 5.0)))
    put("weekday-hour", 0.6 * (1.0 - np.exp(-ahead / 4.0)))
    put("weekday-day", 0.2 * (1.0 - np.exp(-ahead / 40.0)))
    put("yesterday", np.where(ahead < DAY, 0.2 * (1.0 - np.exp(-ahead / 8.0)), 0.05))
    return weights


def _evidence(ahead: int, count: int) -> Floats:
    """λ of each of `count` features so many hours ahead; drivers come last. [samples]"""
    near = float(np.exp(-ahead / _RIDGE_RISE))
    found = np.full(count, _RIDGE_FAR - (_RIDGE_FAR - _RIDGE_NEAR) * near)
    found[len(FEATURES) :] = _RIDGE_DRIVER
    return found


def _ridge(x: Floats, target: Floats, spread: float, evidence: Floats) -> Floats:
    """v: what the evidence adds to the prior, which stands for so many samples of each feature."""
    seen = x / spread
    # A feature is penalised by how much it moves; one that never does stays at its prior.
    penalty = evidence * seen.var(axis=0) + 1e-4
    return np.linalg.solve(seen.T @ seen + np.diag(penalty), seen.T @ (target / spread)).astype(
        np.float64, copy=False
    )


def _by_week(ahead: Whole) -> Whole:
    """Hours ahead as one of the first 168: those beyond are as those of the seventh day."""
    found: Whole = np.where(ahead < WEEK, ahead, WEEK - DAY + ahead % DAY)
    return found


def _interval(quantiles: Floats, days: float) -> Floats:
    """Quantiles of one side, smoothed and widened; where none were seen, wide. All ≥ 0. [1]"""
    unseen = _UNFITTED_WIDTH * (1.0 + 1.0 / days)
    count = int(np.isfinite(quantiles).sum())
    if count == 0:
        return np.full(WEEK, unseen)
    filled = quantiles.copy()
    # An hour nobody saw may be farther off than the last that was.
    filled[count:] = max(quantiles[count - 1], unseen)
    smooth = filled.copy()
    # The first hours widen fast; from there on neighbours differ by chance.
    smooth[6:-3] = np.convolve(filled, np.ones(7) / 7, mode="valid")[3:]
    found: Floats = np.maximum(smooth * (_OPTIMISM + _OPTIMISM_DAYS / days), 0.0)
    return found
