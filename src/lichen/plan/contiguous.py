"""The best start of a job that runs in one piece, by sliding window.

    carbon(s) ∝ F(s + d) − F(s)          release ≤ s ≤ latest

F  running sum of the signal   [gCO₂e/kWh × s]
s  start, d duration           [s]

F is straight within a step, so carbon(s) is straight between the moments at which the job's start
or its end meets the bound of a step. Its least value is at one of those, or at an end of the
window: looking at these alone is exact for any duration and any window, none of which need be a
whole number of steps. Of equal starts the earliest is taken.

Source: prefix sums over a sliding window; a piecewise linear function is least at a breakpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lichen.ledger.errors import InputError
from lichen.plan.curve import Curve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from lichen.ledger.signal import GridSignal

    Floats = NDArray[np.float64]

# Sums of a year differ by less than this share of the whole from one order of adding to another;
# starts that differ by no more are equal, and the earliest of equals is taken.
ROUNDING = 1e-13
# Plans looked at together times candidates of each: what a processor's cache holds.
_CELLS = 1 << 16


@dataclass(frozen=True, slots=True)
class Starts:
    """The best start of each of n plans, and mean intensity there and from its release on.

    `start_s` [s] after the signal's start, `mean` and `run_now` [gCO₂e/kWh], each (n,).
    """

    start_s: NDArray[np.float64]
    mean: NDArray[np.float64]
    run_now: NDArray[np.float64]


def best_start(
    curve: Curve, durations_s: NDArray[np.float64], first_s: float, last_s: float
) -> float:
    """The start in [first, last] of least mean carbon over durations of shape (k,). [s]

    Several durations stand for one that is uncertain, each as likely as the others. All times are
    seconds after the curve's start, and the curve must reach to `last_s` + the longest duration.
    """
    step_s = curve.step_s
    bounds = np.arange(np.floor(first_s / step_s), np.ceil((last_s + durations_s.max()) / step_s))
    bounds = (bounds + 1) * step_s
    # A long job in a tight window has few bounds in reach of its start: the rest are cut here.
    meets = np.concatenate((bounds, *(bounds - duration for duration in durations_s)))
    inside = meets[(meets > first_s) & (meets < last_s)]
    starts = np.sort(np.concatenate(((first_s,), inside, (last_s,))))
    sums = curve.upto(np.concatenate((starts[None], starts + durations_s[:, None])))[0]
    return float(starts[_earliest(sums[1:].mean(axis=0) - sums[0], curve)])


def _earliest(costs: NDArray[np.float64], curve: Curve) -> int:
    return int(np.argmax(costs <= costs.min() + ROUNDING * curve.sums[0, -1]))


def best_starts(
    signal: GridSignal, releases_s: ArrayLike, durations_s: ArrayLike, deadlines_s: ArrayLike
) -> Starts:
    """The best start of each of n plans under one signal, as `best_start` one by one.

    Releases, durations and deadlines are seconds, the former and the latter after the signal's
    start; each is (n,), or one number for all.

    Raises:
        InputError: a plan begins or ends outside the signal, its duration is not positive, or it
            does not fit into its window; the first such plan is named.
    """
    curve = Curve.of(signal)
    given = (np.asarray(part, np.float64) for part in (releases_s, durations_s, deadlines_s))
    release, duration, deadline = (
        part.ravel() for part in np.broadcast_arrays(*map(np.atleast_1d, given))
    )
    _check(curve, release, duration, deadline)
    window = _Steps.of(curve, release, duration, deadline)
    start = np.empty(release.size)
    for some in window.chunks():
        start[some] = window.best(some)
    ends = curve.upto(np.stack((release, release + duration, start, start + duration)))[0]
    return Starts(start, (ends[3] - ends[2]) / duration, (ends[1] - ends[0]) / duration)


def means(signal: GridSignal, starts_s: ArrayLike, durations_s: ArrayLike) -> NDArray[np.float64]:
    """Mean intensity over stretches of a signal, each (n,) or one number for all. [gCO₂e/kWh]

    Starts and durations are seconds, the former after the signal's start; a stretch is cut at the
    ends of the signal.
    """
    starts, durations = np.asarray(starts_s, np.float64), np.asarray(durations_s, np.float64)
    curve = Curve.of(signal)
    sums: Floats = (curve.upto(starts + durations)[0] - curve.upto(starts)[0]) / durations
    return sums


def _check(curve: Curve, release: Floats, duration: Floats, deadline: Floats) -> None:
    """Refuse the first plan that cannot be."""
    reach = curve.length_s
    # Half a microsecond: what a datetime cannot say.
    fits = release + duration <= deadline + 5e-7
    good = (release >= 0) & (duration > 0) & fits & (deadline <= reach + 5e-7)
    if good.all():
        return
    at = int(np.argmin(good))
    raise InputError(
        f"plan {at} of {release.size} cannot be: {duration[at]:g} s from {release[at]:g} s to "
        f"{deadline[at]:g} s in a signal from 0 to {reach:g} s; a plan needs a positive duration "
        "that fits into its window, and the window into the signal"
    )


@dataclass(frozen=True, slots=True)
class _Steps:
    """The plans in units of steps, (n,) each, with how many candidates each has at the most.

    One row of candidates a plan: those whose start meets a bound, then those whose end does.
    """

    sums: Floats
    release: Floats
    duration: Floats
    latest: Floats
    candidates: NDArray[np.intp]
    step_s: float

    @classmethod
    def of(cls, curve: Curve, release: Floats, duration: Floats, deadline: Floats) -> _Steps:
        """In steps of the curve."""
        step_s = curve.step_s
        latest = np.maximum(deadline - duration, release)
        # One more than the bounds a window can hold, whichever end meets them.
        most = np.ceil((latest - release) / step_s).astype(np.intp) + 1
        # Rows reach past the end of the signal and are cut by the window: any number will do there.
        padded = np.concatenate(
            (curve.sums[0], np.full(int(most.max(initial=0)) + 2, curve.sums[0, -1]))
        )
        return cls(padded, release / step_s, duration / step_s, latest / step_s, most, step_s)

    def chunks(self) -> Iterator[NDArray[np.intp]]:
        """Plans of about one length of window, as many as a cache holds."""
        order = np.argsort(self.candidates, kind="stable")
        at = 0
        while at < order.size:
            # The order is by length: the last one of a guess is the longest of the chunk.
            guess = max(1, _CELLS // int(self.candidates[order[at]]))
            many = max(1, _CELLS // int(self.candidates[order[min(at + guess, order.size) - 1]]))
            yield order[at : at + many]
            at += many

    def best(self, some: NDArray[np.intp]) -> Floats:
        """The best starts of some plans. [s]"""
        release, latest = self.release[some], self.latest[some]
        duration = self.duration[some]
        width = int(self.candidates[some].max())
        rounding = ROUNDING * self.sums[-1]
        # The window's ends first: what they cost is what a candidate has to beat.
        best = release.copy()
        least = self._at(release + duration) - self._at(release)
        for first, ends in ((np.ceil(release), False), (np.ceil(release + duration), True)):
            shift = duration if ends else 0.0
            costs = self._row(first + (0.0 if ends else duration), width)
            costs -= self._row(first - (duration if ends else 0.0), width)
            many = np.floor(latest + shift - first + 1e-9).astype(np.intp) + 1
            costs[np.arange(width) >= many[:, None]] = np.inf
            place = _first_least(costs, rounding)
            start = np.maximum(first + place - shift, release)
            best, least = _better(
                best, least, start, np.take_along_axis(costs, place[:, None], 1)[:, 0], rounding
            )
        last = self._at(latest + duration) - self._at(latest)
        return _better(best, least, latest, last, rounding)[0] * self.step_s

    def _at(self, place: Floats) -> Floats:
        index = place.astype(np.intp)
        before = self.sums[index]
        made: Floats = before + (self.sums[index + 1] - before) * (place - index)
        return made

    def _row(self, place: Floats, width: int) -> Floats:
        """F at a place and at each whole step after it: (n, width)."""
        index = place.astype(np.intp)
        part = (place - index)[:, None]
        rows: Floats = sliding_window_view(self.sums, width + 1)[index]
        if not part.any():
            return rows[:, :-1].copy()
        made: Floats = rows[:, :-1] + np.diff(rows, axis=1) * part
        return made


def _first_least(costs: Floats, rounding: float) -> NDArray[np.intp]:
    """The first place of each row that costs no more than its least."""
    found: NDArray[np.intp] = np.argmax(
        costs <= costs.min(axis=1, keepdims=True) + rounding, axis=1
    )
    return found


def _better(
    best: Floats, least: Floats, start: Floats, cost: Floats, rounding: float
) -> tuple[Floats, Floats]:
    """Starts that cost less take over, and equal ones that come earlier."""
    lower = (cost < least - rounding) | ((cost <= least + rounding) & (start < best))
    return np.where(lower, start, best), np.where(lower, cost, least)
