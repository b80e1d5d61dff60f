"""Laws of signals: a window's carbon is the sum over its parts; average and marginal never add."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.grid.trace import TraceSource
from lichen.ledger.errors import UnitError
from lichen.ledger.estimate import Estimate, price
from lichen.ledger.quantities import Carbon, Power
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.ledger.window import Window

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=30)
LOAD = Power.watts(730.0)

intensities = st.lists(
    st.floats(min_value=0.0, max_value=2000.0, allow_subnormal=False), min_size=2, max_size=40
)
shares = st.lists(st.floats(min_value=0.0, max_value=1.0), min_size=2, max_size=9)


def traced(values: list[float], kind: SignalKind = SignalKind.AVERAGE) -> TraceSource:
    rows = [(START + STEP * n, value) for n, value in enumerate(values)]
    return TraceSource(rows, "DE", kind=kind)


def carbon(source: TraceSource, start: datetime, end: datetime) -> Estimate[Carbon]:
    window = Window(start, end, "DE")
    energy = Estimate.exact(LOAD * window.duration)
    return price(energy, source.intensity("DE", window).over(window))


@given(values=intensities, shares=shares)
def test_a_windows_carbon_equals_the_sum_over_its_parts(
    values: list[float], shares: list[float]
) -> None:
    source = traced(values)
    span = STEP * len(values)
    cuts = sorted(START + span * share for share in shares)

    whole = carbon(source, cuts[0], cuts[-1])
    parts = [carbon(source, start, end) for start, end in pairwise(cuts)]

    for end in ("value", "low", "high"):
        grams = [getattr(part, end).in_grams for part in parts]
        assert sum(grams) == pytest.approx(getattr(whole, end).in_grams, rel=1e-9, abs=1e-9)


@given(values=intensities, shares=shares)
def test_a_windows_intensity_lies_between_the_least_and_the_most_in_it(
    values: list[float], shares: list[float]
) -> None:
    source = traced(values)
    span = STEP * len(values)
    window = Window(START + span * min(shares), START + span * max(shares), "DE")

    signal = source.intensity("DE", window)
    mean = signal.over(window).value.in_g_per_kwh

    assert min(signal.values) - 1e-9 <= mean <= max(signal.values) + 1e-9


@given(one=intensities, other=intensities)
def test_average_and_marginal_never_add(one: list[float], other: list[float]) -> None:
    average: GridSignal = traced(one).signal
    marginal = traced(other, SignalKind.MARGINAL).signal

    with pytest.raises(UnitError, match="average and marginal intensity never add"):
        average + marginal
