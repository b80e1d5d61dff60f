"""Curve: a signal as a running sum, so that any stretch of it is one subtraction.

    F(t) = ∫₀ᵗ I dt          carbon of a constant power from a to b = P × (F(b) − F(a))

t  time since the signal's start   [s]
I  carbon intensity, by step       [gCO₂e/kWh]
F  its running sum                 [gCO₂e/kWh × s], straight within a step

Source: prefix sums; I is constant within a step, as `GridSignal.over` takes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lichen.ledger.errors import SignalUnavailable, UnitError
from lichen.ledger.estimate import Estimate
from lichen.ledger.quantities import JOULES_PER_KWH, Carbon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lichen.ledger.estimate import Basis
    from lichen.ledger.quantities import Energy, Power
    from lichen.ledger.signal import GridSignal, SignalKind


@dataclass(frozen=True, slots=True)
class Curve:
    """A signal's value, low and high as running sums of shape (3, n + 1). [gCO₂e/kWh × s]"""

    start: datetime
    step_s: float
    sums: NDArray[np.float64]
    basis: Basis

    @classmethod
    def of(
        cls, signal: GridSignal, start: datetime | None = None, end: datetime | None = None
    ) -> Curve:
        """The running sums of a signal, or of its steps that a window from start to end touches."""
        first, last = 0, len(signal.values)
        if start is not None:
            first = min(max((start - signal.start) // signal.step, 0), last - 1)
        if end is not None:
            last = max(min(-((signal.start - end) // signal.step), last), first + 1)
        rows = (signal.values[first:last], signal.lows[first:last], signal.highs[first:last])
        step_s = signal.step.total_seconds()
        sums = np.zeros((3, last - first + 1))
        np.cumsum(np.array(rows, np.float64) * step_s, axis=1, out=sums[:, 1:])
        begin = signal.start.astimezone(UTC) + signal.step * first
        return cls(begin, step_s, sums, signal.basis)

    @property
    def length_s(self) -> float:
        """The signal's length. [s]"""
        return float((self.sums.shape[1] - 1) * self.step_s)

    def joined(self, many: int) -> Curve:
        """The same with so many steps in one; what lies past its end emits nothing more."""
        if many == 1:
            return self
        over = -(self.sums.shape[1] - 1) % many
        sums = np.concatenate((self.sums, np.repeat(self.sums[:, -1:], over, axis=1)), axis=1)
        return Curve(self.start, self.step_s * many, sums[:, ::many], self.basis)

    def seconds(self, moment: datetime) -> float:
        """A moment as time since the signal's start. [s]"""
        return (moment - self.start) / timedelta(seconds=1)

    def moment(self, seconds: float) -> datetime:
        """The moment some seconds after the signal's start, to the microsecond."""
        return self.start + timedelta(seconds=seconds)

    def upto(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """F of each of three ends at times of any shape s: (3, *s). [gCO₂e/kWh × s]

        Times outside the signal are taken as its ends.
        """
        count = self.sums.shape[1] - 1
        place = np.clip(times_s / self.step_s, 0.0, count)
        index = np.minimum(place.astype(np.intp), count - 1)
        before, after = self.sums[:, index], self.sums[:, index + 1]
        made: NDArray[np.float64] = before + (after - before) * (place - index)
        return made

    def carbon(
        self, starts_s: NDArray[np.float64], ends_s: NDArray[np.float64], power: Estimate[Power]
    ) -> Estimate[Carbon]:
        """Carbon of a power over stretches of shape (k,). [gCO₂e]"""
        sums = (self.upto(ends_s) - self.upto(starts_s)).sum(axis=1)
        ends = (power.value.in_watts, power.low.in_watts, power.high.in_watts)
        return self._estimate(sums, ends, max(self.basis, power.basis))

    def carbon_at(self, moments_s: NDArray[np.float64], energy: Energy) -> Estimate[Carbon]:
        """Carbon of an energy taken at each of some moments, shape (k,). [gCO₂e]"""
        joules = energy.in_joules
        return self._estimate(self.rates(moments_s).sum(axis=1), (joules,) * 3, self.basis)

    def rates(self, moments_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """I of each of three ends at moments of shape (k,): (3, k). [gCO₂e/kWh]"""
        last = self.sums.shape[1] - 2
        steps = np.clip(moments_s // self.step_s, 0, last).astype(np.intp)
        made: NDArray[np.float64] = (self.sums[:, steps + 1] - self.sums[:, steps]) / self.step_s
        return made

    @staticmethod
    def _estimate(
        sums: NDArray[np.float64], scales: tuple[float, ...], basis: Basis
    ) -> Estimate[Carbon]:
        """Grams from g/kWh times joules. [gCO₂e]"""
        value, low, high = (
            float(total) * scale / JOULES_PER_KWH for total, scale in zip(sums, scales, strict=True)
        )
        # Rounding of the sums must not push a value out of its own interval.
        return Estimate(Carbon(value), Carbon(min(low, value)), Carbon(max(high, value)), basis)


def one_kind(signals: Sequence[GridSignal]) -> SignalKind:
    """The kind that all signals have.

    Raises:
        SignalUnavailable: there is none.
        UnitError: average and marginal are mixed.
    """
    if not signals:
        raise SignalUnavailable("a plan", "no signal was given", "give one, or run now")
    for one, other in pairwise(signals):
        if one.kind is not other.kind:
            raise UnitError(
                f"average and marginal intensity never mix in one plan: {one.kind.value} of "
                f"{one.zone} and {other.kind.value} of {other.zone}; give signals of one kind"
            )
    return signals[0].kind


def of_zone(zone: str, signals: Sequence[GridSignal]) -> GridSignal:
    """The signal of a zone.

    Raises:
        SignalUnavailable: none of them is.
    """
    for signal in signals:
        if signal.zone == zone:
            return signal
    known = ", ".join(sorted({signal.zone for signal in signals}))
    raise SignalUnavailable(
        f"a plan in {zone}", f"the signals given are of {known}", f"give one of {zone}, or run now"
    )
