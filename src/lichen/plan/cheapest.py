"""The cheapest steps of many windows at once: what pausing could save if it cost nothing.

    mean of the k least of I(first) … I(last − 1)          [gCO₂e/kWh]

This is the bound that `interruptible` comes down to without restart, shortest run and idle power.
Steps may be chosen under one signal and priced under another: what a forecast was worth.

Source: the interruptible bound of T. Sukprasert et al., "On the Limitations of Carbon-Aware
Temporal and Spatial Workload Shifting in the Cloud", EuroSys 2024.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lichen.ledger.signal import GridSignal

# Windows looked at together times their longest: what a processor's cache holds.
_CELLS = 1 << 17


def cheapest_steps(
    signal: GridSignal,
    firsts: ArrayLike,
    lasts: ArrayLike,
    counts: ArrayLike,
    *,
    actual: GridSignal | None = None,
) -> NDArray[np.float64]:
    """Mean intensity of the cheapest steps of each of n windows, (n,). [gCO₂e/kWh]

    A window is the steps `firsts` to `lasts` (that one left out) of the signal, and `counts` of
    them are taken; each is (n,), or one number for all. With `actual` the steps are chosen under
    `signal` and priced under it.

    Raises:
        InputError: a window is not inside the signal, or has fewer steps than are to be taken; or
            the actual signal has not the signal's steps.
    """
    given = (np.asarray(part, np.intp) for part in (firsts, lasts, counts))
    first, last, count = (part.ravel() for part in np.broadcast_arrays(*map(np.atleast_1d, given)))
    values = np.asarray(signal.values)
    good = (first >= 0) & (last <= values.size) & (count > 0) & (first + count <= last)
    if not good.all():
        at = int(np.argmin(good))
        raise InputError(
            f"window {at} of {first.size} cannot be: {count[at]} of steps {first[at]} to "
            f"{last[at]} of a signal of {values.size}"
        )
    if actual is None:
        return _means(values, values, (first, last, count))
    if (actual.start, actual.step, len(actual.values)) != (signal.start, signal.step, values.size):
        raise InputError(
            f"the actual signal starts {actual.start} by {actual.step} × {len(actual.values)}, the "
            f"other {signal.start} by {signal.step} × {values.size}: cut both to the same steps"
        )
    return _means(values, np.asarray(actual.values), (first, last, count))


def _means(
    values: NDArray[np.float64],
    priced: NDArray[np.float64],
    windows: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]],
) -> NDArray[np.float64]:
    """Windows of one length and count together, so that each needs one partition and no padding."""
    first, last, count = windows
    made = np.empty(first.size)
    width = last - first
    order = np.lexsort((count, width))
    # Where length or count change, from one window to the next in that order.
    change = np.flatnonzero(np.diff(width[order]) | np.diff(count[order])) + 1
    for alike in np.split(order, change):
        many = max(1, _CELLS // int(width[alike[0]]))
        for at in range(0, alike.size, many):
            some = alike[at : at + many]
            made[some] = _alike(values, priced, first[some], (width[some[0]], count[some[0]]))
    return made


def _alike(
    values: NDArray[np.float64],
    priced: NDArray[np.float64],
    first: NDArray[np.intp],
    shape: tuple[np.intp, np.intp],
) -> NDArray[np.float64]:
    width, count = map(int, shape)
    rows = sliding_window_view(values, width)[first]
    if values is priced:
        rows.partition(count - 1, axis=1)
        chosen = rows[:, :count]
    else:
        place = np.argpartition(rows, count - 1, axis=1)[:, :count]
        chosen = priced[first[:, None] + place]
    made: NDArray[np.float64] = chosen.mean(axis=1)
    return made
