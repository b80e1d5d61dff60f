"""GridSignal: carbon intensity over time, average or marginal, never market-based."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lichen.ledger.errors import InputError, NaiveTime, SignalUnavailable, UnitError
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import CarbonIntensity
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.ledger.window import Window

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SIGNAL = GridSignal(
    zone="DE",
    kind=SignalKind.AVERAGE,
    basis=Basis.MEASURED,
    source="a test",
    issued_at=NOON,
    start=NOON,
    step=HOUR,
    values=(100, 200, 400),
    lows=(50, 100, 300),
    highs=(150, 250, 800),
)


def intensity(value: float, low: float, high: float) -> Estimate[CarbonIntensity]:
    made = CarbonIntensity.g_per_kwh
    return Estimate(made(value), made(low), made(high), Basis.MEASURED)


def test_a_step_holds_from_its_start_until_the_next() -> None:
    assert SIGNAL.at(NOON) == intensity(100, 50, 150)
    assert SIGNAL.at(NOON + HOUR - timedelta(microseconds=1)) == intensity(100, 50, 150)
    assert SIGNAL.at(NOON + HOUR) == intensity(200, 100, 250)


def test_the_last_step_holds_at_its_very_end() -> None:
    assert SIGNAL.at(SIGNAL.end) == intensity(400, 300, 800)


@pytest.mark.parametrize("moment", [NOON - timedelta(microseconds=1), NOON + 4 * HOUR])
def test_outside_its_span_a_signal_has_no_value(moment: datetime) -> None:
    with pytest.raises(SignalUnavailable, match="covers 2026-03-01T12:00"):
        SIGNAL.at(moment)


def test_a_mean_weighs_each_step_by_its_time() -> None:
    window = Window(NOON + HOUR / 2, NOON + 2 * HOUR, "DE")

    mean = SIGNAL.over(window)

    assert mean.value.in_g_per_kwh == pytest.approx((100 * 0.5 + 200) / 1.5)
    assert mean.low.in_g_per_kwh == pytest.approx((50 * 0.5 + 100) / 1.5)
    assert mean.high.in_g_per_kwh == pytest.approx((150 * 0.5 + 250) / 1.5)


def test_a_mean_over_a_moment_is_its_value() -> None:
    assert SIGNAL.over(Window(NOON + HOUR, NOON + HOUR, "DE")) == SIGNAL.at(NOON + HOUR)


@pytest.mark.parametrize(
    ("start", "end"), [(NOON - HOUR, NOON + HOUR), (NOON, NOON + 4 * HOUR), (NOON, NOON + 5 * HOUR)]
)
def test_a_window_it_does_not_cover_has_no_mean(start: datetime, end: datetime) -> None:
    with pytest.raises(SignalUnavailable, match="ask for a window inside it"):
        SIGNAL.over(Window(start, end, "DE"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"step": timedelta(0)}, "step must be positive"),
        ({"values": ()}, "of one length"),
        ({"lows": (1, 2)}, "of one length"),
        ({"values": (100, 200, 900)}, "low ≤ value ≤ high"),
        ({"lows": (-1, 100, 300)}, "0 ≤ low"),
    ],
)
def test_what_cannot_be_a_signal_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        replace(SIGNAL, **changes)


@pytest.mark.parametrize("name", ["start", "issued_at"])
def test_a_naive_time_is_refused(name: str) -> None:
    changes: dict[str, Any] = {name: NOON.replace(tzinfo=None)}

    with pytest.raises(NaiveTime):
        replace(SIGNAL, **changes)


def test_a_market_based_signal_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="market-based intensity is not allowed in SCI"):
        SignalKind.of("market-based")


def test_a_kind_is_known_by_its_name() -> None:
    assert SignalKind.of("Marginal") is SignalKind.MARGINAL
    with pytest.raises(InputError, match="'typical' is no kind of signal"):
        SignalKind.of("typical")


def test_signals_of_one_kind_do_not_add_either() -> None:
    with pytest.raises(UnitError, match="intensities do not add"):
        SIGNAL + SIGNAL
