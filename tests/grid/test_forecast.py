"""The built-in forecaster: what it stands on, what it says of itself, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lichen.grid.forecast import Driver, Forecaster
from lichen.grid.forecast_fit import fit, prior
from lichen.grid.forecast_past import FEATURES, Past
from lichen.grid.trace import TraceSource
from lichen.ledger.errors import InputError, NaiveTime, SignalUnavailable, to_install
from lichen.ledger.estimate import Basis
from lichen.ledger.signal import SignalKind
from lichen.testing.recordings import HOUR, START, recording, wandering

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike


DAY = timedelta(days=1)


def mean_error(made: ArrayLike, came: ArrayLike) -> float:
    return float(np.mean(np.abs(np.asarray(made) - np.asarray(came))))


def test_a_forecast_beats_yesterday_and_the_profile_on_a_grid_that_wanders() -> None:
    hours = wandering(260)
    forecaster = Forecaster(recording(hours))
    errors = []

    for day in range(200, 250):
        issued = START + day * DAY
        made = forecaster.forecast("DE", DAY, issued_at=issued).values
        past, came = hours[: day * 24], hours[day * 24 : day * 24 + 24]
        profile = np.asarray(past[-28 * 24 :]).reshape(28, 24).mean(axis=0)
        errors.append([mean_error(rule, came) for rule in (made, past[-24:], profile)])

    ours, yesterday, flat = np.mean(errors, axis=0)
    assert ours < 0.8 * yesterday
    assert ours < 0.9 * flat


def test_nine_of_ten_hours_lie_inside_the_interval() -> None:
    hours = wandering(300, seed=3)
    forecaster = Forecaster(recording(hours))
    inside = []

    for day in range(150, 290, 2):
        made = forecaster.forecast("DE", 72 * HOUR, issued_at=START + day * DAY + 5 * HOUR)
        came = hours[day * 24 + 5 : day * 24 + 77]
        inside += [
            low <= y <= high for low, y, high in zip(made.lows, came, made.highs, strict=True)
        ]

    assert 0.86 < sum(inside) / len(inside) < 0.95


def test_hours_that_come_again_two_days_later_are_seen_coming() -> None:
    draw = np.random.default_rng(7)
    off = draw.normal(0.0, 30.0, 260 * 24)
    for hour in range(48, len(off)):
        off[hour] = 0.9 * off[hour - 48] + 0.4 * off[hour]
    hours = (300.0 + off).tolist()
    forecaster = Forecaster(recording(hours))
    errors = []

    for day in range(200, 250):
        made = forecaster.forecast("DE", DAY, issued_at=START + day * DAY).values
        came = hours[day * 24 : day * 24 + 24]
        profile = np.asarray(hours[(day - 28) * 24 : day * 24]).reshape(28, 24).mean(axis=0)
        errors.append([mean_error(rule, came) for rule in (made, profile)])

    ours, flat = np.mean(errors, axis=0)
    assert ours < 0.7 * flat


@pytest.mark.parametrize(
    ("feature", "index"),
    [("last-hour-yesterday", 35 * 24 + 7 - 25), ("two-days-ago", 35 * 24 + 7 + 30 % 24 - 48)],
)
def test_what_was_off_is_off_the_four_weeks_before_it(feature: str, index: int) -> None:
    hours = np.asarray(wandering(60))
    issued, ahead = np.array([35 * 24 + 7]), np.array([30])

    x = Past(hours).features(issued, ahead)[0, 0]

    profile = np.mean([hours[index - 24 * day] for day in range(1, 29)])
    assert x[FEATURES.index(feature)] == pytest.approx(hours[index] - profile)


def test_noise_moves_the_weights_less_the_farther_ahead() -> None:
    hours = np.random.default_rng(2).normal(300.0, 40.0, 200 * 24)

    moved = np.abs(fit(Past(hours)).weights - prior(len(FEATURES))).sum(axis=1)

    assert moved[-24:].mean() < 0.5 * moved[:24].mean()


def test_a_weekend_is_known_as_one() -> None:
    hours = [300.0 - (80.0 if hour // 24 % 7 > 4 else 0.0) for hour in range(24 * 7 * 20)]
    friday = START + 19 * 7 * DAY + 4 * DAY

    made = Forecaster(recording(hours)).forecast("DE", 72 * HOUR, issued_at=friday)

    assert np.mean(made.values[24:]) < np.mean(made.values[:24]) - 60


def test_it_is_modelled_and_says_what_it_was_made_of() -> None:
    made = Forecaster(recording(wandering(120))).forecast("DE", DAY, issued_at=START + 119 * DAY)

    assert made.basis is Basis.MODELLED
    assert made.issued_at == START + 119 * DAY
    assert made.source == "forecast/1: ridge on lags over 91 days, from a recording"


@pytest.mark.parametrize("days", [1, 2, 6, 8, 40, 83])
def test_with_little_history_it_is_a_profile_and_says_so(days: int) -> None:
    made = Forecaster(recording(wandering(days))).forecast(
        "DE", 7 * DAY, issued_at=START + days * DAY
    )

    assert made.source.startswith("forecast/1: profile and decaying offset")
    assert f"since {days} days of history fit no ridge" in made.source
    assert all(low < high for low, high in zip(made.lows, made.highs, strict=True))


def test_of_one_day_the_forecast_is_that_day_again() -> None:
    day = wandering(1)

    made = Forecaster(recording(day)).forecast("DE", 2 * DAY, issued_at=START + DAY)

    assert made.values == pytest.approx([*day, *day])


@pytest.mark.parametrize("value", [0.0, 24.0, 512.25])
def test_a_constant_zone_stays_what_it_is(value: float) -> None:
    history = recording([value] * 24 * 100)

    made = Forecaster(history).forecast("DE", 7 * DAY, issued_at=START + 100 * DAY)

    assert made.values == pytest.approx([value] * 168)
    assert made.highs == pytest.approx([value] * 168)


@pytest.mark.parametrize("minutes", [5, 10, 15, 30, 60])
def test_it_has_the_step_of_its_history(minutes: int) -> None:
    step = timedelta(minutes=minutes)
    per_hour = 60 // minutes
    hours = np.repeat(wandering(30), per_hour)
    issued = START + 29 * DAY + timedelta(minutes=59)

    made = Forecaster(recording(hours.tolist(), step=step)).forecast(
        "DE", 4 * HOUR, issued_at=issued
    )

    assert made.step == step
    assert made.start <= issued < made.start + step
    assert made.end >= issued + 4 * HOUR


def test_the_shape_within_an_hour_is_kept() -> None:
    halves = [hour + side for hour in wandering(30) for side in (-10.0, 10.0)]
    history = recording(halves, step=HOUR / 2)

    made = Forecaster(history).forecast("DE", 24 * HOUR, issued_at=START + 30 * DAY)

    rises = [late - early for early, late in zip(made.values[::2], made.values[1::2], strict=True)]
    assert rises == pytest.approx([20.0] * 24)


def test_marginal_history_gives_a_marginal_forecast() -> None:
    history = recording(wandering(30), kind=SignalKind.MARGINAL)

    made = Forecaster(history).forecast("DE", DAY, issued_at=history.end)

    assert made.kind is SignalKind.MARGINAL


def test_farther_than_two_weeks_is_refused() -> None:
    with pytest.raises(SignalUnavailable, match="use the zone's average"):
        Forecaster(recording(wandering(99))).forecast("DE", 15 * DAY, issued_at=START + 99 * DAY)


def test_now_is_the_clocks() -> None:
    now = START + 50 * DAY + 12 * HOUR

    made = Forecaster(recording(wandering(60)), clock=lambda: now).forecast("DE", DAY)

    assert made.issued_at == now


def test_a_naive_clock_is_refused() -> None:
    naive = datetime(2026, 2, 1)  # noqa: DTZ001 (the point)

    with pytest.raises(NaiveTime):
        Forecaster(recording(wandering(60)), clock=lambda: naive).forecast("DE", DAY)


def test_wind_that_is_known_ahead_betters_the_hours_it_is_known_for() -> None:
    draw = np.random.default_rng(11)
    wind = np.convolve(draw.normal(size=24 * 260), np.ones(30) / 30, mode="same")
    hours = (np.asarray(wandering(260, seed=5)) + 400 - 700 * wind).clip(0).tolist()
    alone = Forecaster(recording(hours))
    told = Forecaster(recording(hours), drivers=[Driver("wind", START, wind.tolist(), DAY)])
    errors = []

    for day in range(200, 250, 2):
        came = hours[day * 24 : day * 24 + 48]
        issued = START + day * DAY
        made = [one.forecast("DE", 48 * HOUR, issued_at=issued).values for one in (alone, told)]
        errors.append(
            [
                mean_error(one[part], came[part])
                for part in (slice(24), slice(24, 48))
                for one in made
            ]
        )

    near_alone, near_told, far_alone, far_told = np.mean(errors, axis=0)
    assert near_told < 0.8 * near_alone
    assert far_told == pytest.approx(far_alone, rel=0.1)


@pytest.mark.parametrize("first", [-200, -5, 0, 20, 29, 45])
def test_a_driver_may_begin_and_end_anywhere(first: int) -> None:
    history = recording(wandering(30))
    driver = Driver("wind", START + first * DAY, [float(n % 9) for n in range(24 * 10)])

    made = Forecaster(history, drivers=[driver]).forecast("DE", 2 * DAY, issued_at=history.end)

    alone = Forecaster(history).forecast("DE", 2 * DAY, issued_at=history.end)
    assert made.values == pytest.approx(alone.values)


@pytest.mark.parametrize(("values", "lead"), [([], DAY), ([1.0], timedelta(0))])
def test_a_driver_that_says_nothing_is_refused(values: list[float], lead: timedelta) -> None:
    with pytest.raises(InputError, match="driver wind needs values and a positive lead"):
        Driver("wind", START, values, lead)


def test_it_comes_in_by_the_door_of_plug_ins() -> None:
    found = {point.name: point for point in entry_points(group="lichen.forecast")}

    assert found["history"].load() is Forecaster


def test_numpy_is_not_loaded_before_someone_forecasts() -> None:
    code = "import sys, lichen.grid.forecast; sys.exit('numpy' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], check=False)

    assert done.returncode == 0


def test_without_numpy_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from lichen.grid.forecast import Forecaster\n"
        "from lichen.grid.zones import StaticZones\n"
        "from lichen.ledger.errors import MissingExtra\n"
        "try: Forecaster(StaticZones())\n"
        "except MissingExtra as error: print(error)"
    )

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == f"a forecast needs numpy: {to_install('grid')}\n"


def test_steps_follow_each_other_without_a_seam() -> None:
    history = recording(wandering(100))
    one = Forecaster(history)

    made = [one.forecast("DE", DAY, issued_at=START + n * HOUR) for n in range(2160, 2184)]

    assert all(late.start - early.start == HOUR for early, late in pairwise(made))


def test_on_a_real_half_hourly_year_it_errs_less_than_the_week_and_keeps_its_interval(
    recorded: Path,
) -> None:
    trace = TraceSource(recorded / "lwa2020_GB_30min.csv.gz", "GB", tz=UTC).signal
    forecaster = Forecaster(trace)
    errors, inside = [], []

    for day in range(100, 370, 3):
        first = 48 * day + 2 * (day % 24)
        issued = trace.start + first * trace.step
        made = forecaster.forecast("GB", 72 * HOUR, issued_at=issued)
        came = np.asarray(trace.values[first : first + 144])
        week = np.asarray(trace.values[first - 4 * 336 : first]).reshape(4, 336).mean(axis=0)
        errors.append([mean_error(made.values, came), mean_error(week[:144], came)])
        inside.append((came >= np.asarray(made.lows)) & (came <= np.asarray(made.highs)))

    ours, weekly = np.mean(errors, axis=0)
    assert ours < 0.92 * weekly
    assert 0.86 < np.mean(inside) < 0.95
