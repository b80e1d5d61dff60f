"""Price: what a model would have used on a call that was answered here.

    tokens    read: the call's bytes × tokens per byte so far; written: the mean of answers so far
    value     the token model's value at those tokens
    low       its low end, had the answer been as short as one in twenty, its input in a warm cache
    high      its high end, had it been as long as one in twenty

Nobody knows what the model would have said, so this is an estimate and says so: it is modelled
where lengths of answers were seen, assumed where none were, and its interval holds both the model's
spread and that of the lengths. Where the upstream is metered, energy is scaled by measured ÷
modelled energy and embodied carbon by that of embodied carbon; until a call of it has been measured
neither is known, which is a gap.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.ledger.estimate import Basis, Estimate, Q
from lichen.ledger.footprint import Footprint
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.entry import Entry, Figures
    from lichen.ledger.ports import CallReading
    from lichen.ledger.pricing import Pricer

METHOD = "gate/1"
ESTIMATED = "baseline-estimated"
UNMEASURED = "upstream-not-measured-yet"
_OF_PRICES = ("zone-assumed", "intensity-unavailable", "model-")


def instead(
    pricer: Pricer, raw: Mapping[str, float | str], *, model: str, zone: str, at_us: int
) -> tuple[Footprint, tuple[str, ...]]:
    """What the call would have used, from an entry's raw quantities; what had to be assumed.

    They are read, written, written_low, written_high [token], answers [count], and of energy and
    embodied carbon scale and scale_embodied [1].
    """
    read, scale = int(raw["read"]), float(raw.get("scale", 1.0))
    # Entries of an earlier lichen have one scale for both.
    scale_embodied = float(raw.get("scale_embodied", scale))
    answers = (
        Tokens(cache_read=read, decode=int(raw["written_low"])),
        tokens_of(raw),
        Tokens(prefill=read, decode=int(raw["written_high"])),
    )
    made: list[Footprint] = []
    gaps: tuple[str, ...] = ()
    for tokens in answers:
        reading = scaled(pricer.calls.read(model, tokens), scale, scale_embodied)
        footprint, gaps = pricer.footprint(reading, zone, at_us)
        made.append(footprint)
    low, value, high = made
    basis = Basis.MODELLED if float(raw["answers"]) else Basis.ASSUMED
    return (
        Footprint(
            _spanning(low.energy, value.energy, high.energy, basis),
            _spanning(low.operational, value.operational, high.operational, basis),
            _spanning(low.embodied, value.embodied, high.embodied, basis),
        ),
        gaps,
    )


def scaled(reading: CallReading, scale: float, scale_embodied: float) -> CallReading:
    """A reading with so many times the energy, and so many times the embodied carbon."""
    return replace(reading.times(scale), embodied=reading.times(scale_embodied).embodied)


def tokens_of(raw: Mapping[str, float | str]) -> Tokens:
    """The tokens that a baseline claims."""
    return Tokens(prefill=int(raw["read"]), decode=int(raw["written"]))


def _spanning(low: Estimate[Q], value: Estimate[Q], high: Estimate[Q], basis: Basis) -> Estimate[Q]:
    ends = sorted((low.low, value.low, value.high, high.high))
    return Estimate(value.value, ends[0], ends[-1], max(basis, value.basis))


def reprice(figures: Figures, sample: Entry, *, pricer: Pricer) -> Figures:
    """An entry of the gate under today's factors; the same object where nothing changes."""
    baseline = figures.baseline
    if baseline is None:
        return figures
    footprint, gaps = instead(
        pricer, figures.raw, model=figures.model, zone=figures.zone, at_us=sample.start_us
    )
    kept = tuple(gap for gap in figures.gaps if not gap.startswith(_OF_PRICES))
    now = replace(
        figures,
        factors=pricer.calls.factors,
        baseline=replace(baseline, footprint=footprint),
        gaps=kept + tuple(gap for gap in gaps if gap not in kept),
    )
    return figures if now == figures else now
