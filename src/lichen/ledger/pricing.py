"""Pricing: from raw quantities to a footprint, the same when first written and when priced again.

    operational = E × I(zone, time)      E from tokens ("tokens/1") or CPU time ("process/1"), or of
                                         a measured window ("window/1"), with I over all of it
    embodied    = M, the hardware's share
    E in a cloud region with a published PUE = E × PUE of the region / PUE assumed

Where a zone's intensity cannot be had for a time, the wide world average stands in and the entry
says so: accounting never breaks a call, and a gap is counted, not hidden.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.entry import Baseline
from lichen.ledger.errors import SourceError, UnknownZone
from lichen.ledger.estimate import Estimate, Q, price
from lichen.ledger.footprint import Footprint
from lichen.ledger.ports import CallReading
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Window, from_microseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from lichen.ledger.entry import Entry, Figures
    from lichen.ledger.ports import CallMeter, IntensitySource
    from lichen.ledger.quantities import CarbonIntensity, Energy

WORLD = "WORLD"
_MINUTE_US = 60_000_000
_NOTHING = Footprint.zero()


class Raw(NamedTuple):
    """What one side of an entry is priced from; `prefix` is "baseline_" for the other side."""

    model: str
    tokens: Tokens
    raw: Mapping[str, float | str]
    prefix: str


class Pricer:
    """Prices calls and measured energy; also a `Pricing` for history.

    `readers` give energy and embodied carbon by method ("tokens", "process"), from raw quantities.
    Entries of the methods in `spans` last, and are priced over their whole window.
    `whole` prices all of an entry by method, where its raw quantities say more than one time.
    `pue_of` tells the PUE of a cloud region with its ends, None where a zone is none. [1]
    """

    def __init__(
        self,
        calls: CallMeter,
        grid: IntensitySource,
        readers: Mapping[str, Callable[[Raw], CallReading | None]] | None = None,
        *,
        spans: Collection[str] = (),
        whole: Mapping[str, Callable[[Figures, Entry], Figures]] | None = None,
        pue_of: Callable[[str], tuple[float, float, float] | None] = lambda _zone: None,
    ) -> None:
        self.calls = calls
        self._spans = frozenset(spans)
        self._grid = grid
        self._readers = {"tokens": self._from_tokens, **(readers or {})}
        self._whole = dict(whole or {})
        self._pue_of = pue_of
        self._minute: dict[str, tuple[int, Estimate[CarbonIntensity], tuple[str, ...]]] = {}
        self._last: tuple[Figures, Estimate[CarbonIntensity], tuple[str, ...], Figures] | None = (
            None
        )

    def intensity(self, zone: str, at_us: int) -> tuple[Estimate[CarbonIntensity], tuple[str, ...]]:
        """Intensity of a zone in a minute [gCO₂e/kWh], and what had to be assumed."""
        minute = at_us // _MINUTE_US
        had = self._minute.get(zone)
        if had is not None and had[0] == minute:
            return had[1], had[2]
        start = from_microseconds(minute * _MINUTE_US)
        found, gaps = self.over(Window(start, start + timedelta(minutes=1), zone))
        if had is not None and had[1] == found:
            # The same object while nothing changes: figures made from it can be kept.
            found = had[1]
        self._minute[zone] = (minute, found, gaps)
        return found, gaps

    def over(self, window: Window) -> tuple[Estimate[CarbonIntensity], tuple[str, ...]]:
        """Mean intensity over a window [gCO₂e/kWh], and what had to be assumed."""
        gaps: tuple[str, ...] = ("zone-assumed",) if window.zone == WORLD else ()
        try:
            return self._grid.intensity(window.zone, window).over(window), gaps
        except (SourceError, UnknownZone):
            gaps = (f"intensity-unavailable:{window.zone}",)
            everywhere = replace(window, zone=WORLD)
            return self._grid.intensity(WORLD, everywhere).over(everywhere), gaps

    def spanning(
        self, method: str, raw: Mapping[str, float | str], window: Window
    ) -> tuple[Footprint, str, tuple[str, ...]]:
        """A window's footprint from its raw quantities, the factors used, what was assumed."""
        reading = self.reading(method, raw)
        if reading is None:
            return Footprint.zero(), "", (f"method-unknown:{method}",)
        made, gaps = self._priced(reading, window)
        return made, reading.factors, gaps

    def footprint(
        self, reading: CallReading, zone: str, at_us: int
    ) -> tuple[Footprint, tuple[str, ...]]:
        """A reading priced on a grid at a time, and what had to be assumed."""
        intensity, gaps = self.intensity(zone, at_us)
        energy = self._in_region(reading, zone)
        made = Footprint(energy, price(energy, intensity), reading.embodied)
        return made, reading.gaps + gaps

    def _in_region(self, reading: CallReading, zone: str) -> Estimate[Energy]:
        """The energy with the PUE of a region, where one is published, in place of the assumed."""
        if not reading.pue or (pue := self._pue_of(zone)) is None:
            return reading.energy
        had = reading.energy
        value, low, high = (each / reading.pue for each in pue)
        return Estimate(had.value * value, had.low * low, had.high * high, had.basis)

    def reading(self, method: str, raw: Mapping[str, float | str]) -> CallReading | None:
        """What raw quantities come to by a method; None where nobody here can read them."""
        read = self._readers.get(method.partition("/")[0])
        return read(Raw("", Tokens(), raw, "")) if read else None

    def instead(self, reading: CallReading, model: str, tokens: Tokens) -> CallReading:
        """What a call like the one read would have used if it had been made again.

        Its value is that call's; its low end supposes that the second time all input came from the
        provider's prompt cache, which a repeated prompt often finds warm.
        """
        if not tokens.output:
            return reading  # no prompt cache serves an embedding
        warm = Tokens(cache_read=tokens.input, decode=tokens.decode, reasoning=tokens.reasoning)
        cold, cached = self.calls.read(model, tokens), self.calls.read(model, warm)
        return CallReading(
            _with_low(reading.energy, cached.energy.low / cold.energy.low),
            _with_low(reading.embodied, cached.embodied.low / cold.embodied.low),
            reading.gaps,
            pue=reading.pue,
        )

    def __call__(self, figures: Figures, sample: Entry) -> Figures:
        """The figures under today's factors; the same object where nothing changes."""
        whole = self._whole.get(figures.method.partition("/")[0])
        if whole is not None:
            return whole(figures, sample)
        if figures.method.split("/")[0] in self._spans:
            return self._repriced(figures, sample.window)
        intensity, gaps = self.intensity(figures.zone, sample.start_us)
        last = self._last
        if last is not None and last[0] is figures and last[1] is intensity and last[2] == gaps:
            # History comes figures by figures: most minutes have the price of the one before.
            return last[3]
        now = self._repriced(figures, sample.start_us)
        self._last = figures, intensity, gaps, now
        return now

    def _repriced(self, figures: Figures, at: Window | int) -> Figures:
        used, gaps, factors = self._again(figures, figures.tokens, figures.footprint, at)
        baseline = figures.baseline
        if baseline is not None:
            instead, more, _ = self._again(
                figures, baseline.tokens, baseline.footprint, at, "baseline_"
            )
            baseline = Baseline(instead, baseline.method, baseline.evidence, baseline.tokens)
            gaps += more
        kept = tuple(gap for gap in figures.gaps if not _is_pricing_gap(gap))
        now = replace(
            figures,
            footprint=used,
            baseline=baseline,
            factors=factors or self._factors(figures),
            gaps=kept + tuple(dict.fromkeys(gap for gap in gaps if gap not in kept)),
        )
        return figures if now == figures else now

    def _again(
        self, figures: Figures, tokens: Tokens, had: Footprint, at: Window | int, prefix: str = ""
    ) -> tuple[Footprint, tuple[str, ...], str]:
        read = self._readers.get(figures.method.split("/")[0])
        raw = Raw(figures.model, tokens, figures.raw, prefix)
        reading = read(raw) if read else None
        if had == _NOTHING and (reading is None or not reading.energy.high.amount):
            return had, (), ""  # nothing was used, at any price
        if reading is None:
            # Raw quantities of a kind we have no reader for: energy stands, the grid may differ.
            reading = CallReading(had.energy, had.embodied)
        elif prefix:
            reading = self.instead(reading, figures.model, tokens)
        if isinstance(at, Window):
            return *self._priced(reading, at), reading.factors
        return *self.footprint(reading, figures.zone, at), reading.factors

    def _priced(self, reading: CallReading, window: Window) -> tuple[Footprint, tuple[str, ...]]:
        intensity, gaps = self.over(window)
        energy = self._in_region(reading, window.zone)
        made = Footprint(energy, price(energy, intensity), reading.embodied)
        return made, reading.gaps + gaps

    def _factors(self, figures: Figures) -> str:
        return self.calls.factors if figures.method == self.calls.method else figures.factors

    def _from_tokens(self, raw: Raw) -> CallReading | None:
        return self.calls.read(raw.model, raw.tokens)


def _with_low(known: Estimate[Q], share: float) -> Estimate[Q]:
    return Estimate(known.value, known.low * min(share, 1.0), known.high, known.basis)


def _is_pricing_gap(gap: str) -> bool:
    return gap.startswith(("zone-assumed", "intensity-unavailable", "model-"))
