"""Laws of forecasts: the future does not reach back, and intervals hold their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.grid.forecast import Driver, Forecaster
from lichen.testing.recordings import HOUR, START, recording

if TYPE_CHECKING:
    from numpy.typing import NDArray

# As many as a fit needs, and a week in which it is used.
HOURS = 24 * 100

seeds = st.integers(0, 2**32 - 1)
hours_known = st.integers(24, HOURS) | st.integers(24 * 92, HOURS)


def drawn(seed: int, count: int = HOURS) -> NDArray[np.float64]:
    """Hours of any roughness, some of them zero."""
    draw = np.random.default_rng(seed)
    walk = np.cumsum(draw.normal(0.0, draw.uniform(0.0, 40.0), count))
    found: NDArray[np.float64] = np.maximum(draw.uniform(0.0, 900.0) + walk - walk.mean(), 0.0)
    return found


@settings(max_examples=25)
@given(seed=seeds, other=seeds, known=hours_known)
def test_what_comes_after_the_time_of_issue_changes_nothing(
    seed: int, other: int, known: int
) -> None:
    past = drawn(seed)
    changed = np.concatenate([past[:known], drawn(other)[known:]])
    issued = START + known * HOUR + HOUR / 3
    # A driver is known a day ahead, so what is changed of it is later than that.
    wind = drawn(other, HOURS + 48)
    later = np.concatenate([wind[: known + 24], drawn(seed, HOURS + 48)[known + 24 :]])

    made = Forecaster(recording(past), drivers=[Driver("wind", START, wind.tolist())])
    again = Forecaster(recording(changed), drivers=[Driver("wind", START, later.tolist())])
    cut = Forecaster(recording(past[:known]), drivers=[Driver("wind", START, wind.tolist())])

    asked = made.forecast("DE", 168 * HOUR, issued_at=issued)
    assert again.forecast("DE", 168 * HOUR, issued_at=issued) == asked
    assert cut.forecast("DE", 168 * HOUR, issued_at=issued) == asked


@settings(max_examples=25)
@given(seed=seeds, known=hours_known, factor=st.floats(0.01, 100.0))
def test_the_unit_changes_nothing_but_the_unit(seed: int, known: int, factor: float) -> None:
    past = drawn(seed)[:known]
    issued = START + known * HOUR

    one = Forecaster(recording(past)).forecast("DE", 72 * HOUR, issued_at=issued)
    other = Forecaster(recording(past * factor)).forecast("DE", 72 * HOUR, issued_at=issued)

    for end in ("values", "lows", "highs"):
        wanted = np.asarray(getattr(one, end)) * factor
        np.testing.assert_allclose(getattr(other, end), wanted, rtol=1e-5, atol=1e-5 * factor)


@settings(max_examples=25)
@given(seed=seeds, known=hours_known, seen=st.integers(24, HOURS))
def test_what_was_asked_before_changes_nothing(seed: int, known: int, seen: int) -> None:
    history = recording(drawn(seed))
    fresh, used = Forecaster(history), Forecaster(history)

    used.forecast("DE", 24 * HOUR, issued_at=START + seen * HOUR)

    issued = START + known * HOUR
    assert used.forecast("DE", 48 * HOUR, issued_at=issued) == fresh.forecast(
        "DE", 48 * HOUR, issued_at=issued
    )
