"""GridSignal: the carbon intensity of a zone over time.

    carbon of a window = Σ over steps of E(step) × I(step)

A signal is AVERAGE (what the grid emits per kWh) or MARGINAL (what one more kWh would emit); they
answer different questions and never add. Market-based values (certificates) are refused:
ISO/IEC 21031:2024 clause 7.3 allows location-based intensity only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, IntEnum

from lichen.ledger.errors import InputError, SignalUnavailable, UnitError
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import CarbonIntensity
from lichen.ledger.window import Window, aware


class SignalKind(Enum):
    """Which question a carbon intensity answers."""

    AVERAGE = "average"
    MARGINAL = "marginal"

    @classmethod
    def of(cls, name: str) -> SignalKind:
        """The kind by its name.

        Raises:
            InputError: no such kind; market-based intensity is refused by name.
        """
        try:
            return cls(name.lower())
        except ValueError:
            why = (
                "market-based intensity is not allowed in SCI"
                if "market" in name.lower()
                else f"{name!r} is no kind of signal"
            )
            raise InputError(f"{why}: use 'average' or 'marginal' (location-based)") from None


class Standing(IntEnum):
    """How final what a source says of the past is; the larger, the less.

    ESTIMATED: the source publishes nothing better. PROVISIONAL: a forecast or an estimate stands
    in until the actual value is out, so nothing may be settled on it.
    """

    ACTUAL = 0
    ESTIMATED = 1
    PROVISIONAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSignal:
    """Carbon intensity by step: values, lows and highs of shape (n,). [gCO₂e/kWh]

    `standing` is that of the least final step; it says nothing of a forecast.

    Raises:
        InputError: shapes differ, the step is not positive, or a value lies outside its interval.
        NaiveTime: a time has no zone.
    """

    zone: str
    kind: SignalKind
    basis: Basis
    source: str
    issued_at: datetime
    start: datetime
    step: timedelta
    values: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    standing: Standing = Standing.ACTUAL

    def __post_init__(self) -> None:
        """Refuse what cannot be a signal."""
        aware(self.issued_at)
        aware(self.start)
        if self.step <= timedelta(0):
            raise InputError(f"a signal's step must be positive, got {self.step}")
        if not len(self.values) == len(self.lows) == len(self.highs) > 0:
            raise InputError(
                f"values, lows and highs must be of one length ≥ 1, got {len(self.values)}, "
                f"{len(self.lows)}, {len(self.highs)}"
            )
        for value, low, high in zip(self.values, self.lows, self.highs, strict=True):
            if not 0 <= low <= value <= high:
                raise InputError(
                    f"intensity must keep 0 ≤ low ≤ value ≤ high, got {low}, {value}, {high}"
                )

    @property
    def end(self) -> datetime:
        """The end of the last step."""
        return self.start + self.step * len(self.values)

    def at(self, moment: datetime) -> Estimate[CarbonIntensity]:
        """Intensity at a moment. [gCO₂e/kWh]

        Raises:
            SignalUnavailable: the signal does not reach that moment.
        """
        index = (aware(moment) - self.start) // self.step
        if index == len(self.values) and moment == self.end:
            index -= 1
        if not 0 <= index < len(self.values):
            raise self._beyond(moment)
        return self._estimate(self.values[index], self.lows[index], self.highs[index])

    def over(self, window: Window) -> Estimate[CarbonIntensity]:
        """Mean intensity over a window, each step weighted by its time in it. [gCO₂e/kWh]

        Raises:
            SignalUnavailable: the signal does not cover the window.
        """
        if window.start < self.start or window.end > self.end:
            raise self._beyond(window.start if window.start < self.start else window.end)
        if window.start == window.end:
            return self.at(window.start)
        first = (window.start - self.start) // self.step
        last = min((window.end - self.start) // self.step, len(self.values) - 1)
        sums = [0.0, 0.0, 0.0]
        for index in range(first, last + 1):
            begin = max(window.start, self.start + self.step * index)
            share = (
                min(window.end, self.start + self.step * (index + 1)) - begin
            ) / window.duration
            sums[0] += self.values[index] * share
            sums[1] += self.lows[index] * share
            sums[2] += self.highs[index] * share
        # Rounding of the shares must not push a value out of its own interval.
        return self._estimate(sums[0], min(sums[1], sums[0]), max(sums[2], sums[0]))

    def __add__(self, other: GridSignal) -> GridSignal:
        """Add two signals of one kind, zone grid and span, step by step."""
        if self.kind is not other.kind:
            raise UnitError(
                f"average and marginal intensity never add: {self.kind.value} of {self.zone} and "
                f"{other.kind.value} of {other.zone}"
            )
        raise UnitError(
            "intensities do not add: mean them over time with over(), or price each zone's energy"
        )

    def _estimate(self, value: float, low: float, high: float) -> Estimate[CarbonIntensity]:
        made = CarbonIntensity.g_per_kwh
        return Estimate(made(value), made(low), made(high), self.basis)

    def _beyond(self, moment: datetime) -> SignalUnavailable:
        return SignalUnavailable(
            f"{self.kind.value} intensity of {self.zone} at {moment.isoformat()}",
            f"{self.source} covers {self.start.isoformat()} to {self.end.isoformat()}",
            "ask for a window inside it or configure another source",
        )
