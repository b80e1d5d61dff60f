"""Samples: entries as a gateway would write them, the same for the same seed.

The numbers are made up to be told apart in a sum; they measure nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lichen.ledger.entry import Baseline, Entry, Figures
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.footprint import Footprint
from lichen.ledger.ids import new_id
from lichen.ledger.quantities import Carbon, Energy, Money, Water
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work, microseconds

if TYPE_CHECKING:
    from lichen.ledger.recompute import Pricing

MOMENT = datetime(2026, 3, 1, 11, 58, 30, tzinfo=UTC)
_STRATEGIES = ("none", "calls.exact", "calls.coalesce", "lichen")
_MODELS = ("small", "large")
_HOUR_US = 3_600_000_000


def sample_footprint(seed: int = 1, *, wh: float | None = None) -> Footprint:
    """A footprint with an interval of ×/÷ 4, of `wh` watt-hours or as the seed falls."""
    energy = Estimate.around(Energy.wh(0.1 + 0.01 * (seed % 17) if wh is None else wh))
    return Footprint(
        energy=energy,
        operational=Estimate.around(Carbon.grams(energy.value.in_wh * 0.4)),
        embodied=Estimate.around(Carbon.grams(energy.value.in_wh * 0.1), basis=Basis.ASSUMED),
    )


def sample_figures(seed: int = 0, **changes: Any) -> Figures:
    """Figures of one call; every third claims a saving, every seventh of those is a loss."""
    baseline = None
    used = sample_footprint(seed)
    if seed % 3 == 1:
        would = sample_footprint(seed, wh=0.02 if seed % 7 == 0 else 0.9)
        baseline = Baseline(would, "stored-call/1", new_id(), Tokens(prefill=40, decode=seed % 50))
    made = Figures(
        name="chat.completions",
        strategy=_STRATEGIES[seed % len(_STRATEGIES)],
        work=Work(1 + seed % 2, "request"),
        footprint=used,
        method="tokens/1",
        factors="2026-11",
        zone="SE-SE3",
        model=_MODELS[seed // 4 % len(_MODELS)],
        tokens=Tokens(prefill=100 + seed, cache_read=seed % 5, decode=20, reasoning=seed % 3),
        raw={"cpu_s": 0.5 + seed, "note": f"call {seed}"},
        baseline=baseline,
        gaps=("zone-assumed", "model-unknown")[: seed % 3],
    )
    return replace(made, **changes)


def sample_entry(
    at: datetime = MOMENT, figures: Figures | None = None, *, tenant: str = "9f86d081"
) -> Entry:
    """An entry that starts at a moment and takes 250 ms."""
    start = microseconds(at)
    return Entry(new_id(start), start, start + 250_000, tenant, figures or sample_figures())


def sample_entries(
    count: int, *, start: datetime = MOMENT, every: timedelta = timedelta(seconds=7)
) -> list[Entry]:
    """So many entries in order of time, each with figures of its own."""
    return [sample_entry(start + every * place, sample_figures(place)) for place in range(count)]


def full_figures() -> Figures:
    """Figures in which nothing is left out: water, money, raw quantities, gaps and a baseline."""
    water = Estimate(Water.litres(0.5), Water.litres(0.25), Water.litres(2), Basis.ASSUMED)
    used = replace(sample_footprint(3), water=water, money=Money.of(0.03, "EUR"))
    would = replace(sample_footprint(5), water=water * 2, money=Money.of(0.07, "EUR"))
    return sample_figures(
        2,
        footprint=used,
        baseline=Baseline(would, "stored-call/1", new_id(), Tokens(1, 2, 3, 4, 5)),
        tokens=Tokens(5, 4, 3, 2, 1),
        raw={"cpu_s": 0.1, "provider": "örebro ☂ 'quoted' \"twice\"", "batch": 8.0},
        gaps=("model-unknown", "a gap\nof two lines", "[]"),
    )


def scaled(factor: float, factors: str = "2027-01") -> Pricing:
    """A price list under which everything that was used costs `factor` times as much."""

    def price(figures: Figures, sample: Entry) -> Figures:  # noqa: ARG001 (every price list gets it)
        used = figures.footprint
        now = Footprint(
            used.energy * factor,
            used.operational * factor,
            used.embodied * factor,
            used.water,
            used.money,
        )
        return replace(figures, footprint=now, factors=factors)

    return price


def hourly(figures: Figures, sample: Entry) -> Figures:
    """A price list under which a thing costs more each hour, and at midnight UTC stays as it is.

    What was used and what would have been used alike, as where a grid's carbon becomes known.
    """
    factor = 1.0 + sample.start_us // _HOUR_US % 24
    if factor == 1:
        return figures
    used = scaled(factor)(figures, sample)
    if figures.baseline is None:
        return used
    would = scaled(factor)(replace(figures, footprint=figures.baseline.footprint), sample)
    return replace(used, baseline=replace(figures.baseline, footprint=would.footprint))


def unchanged(figures: Figures, sample: Entry) -> Figures:  # noqa: ARG001 (every price list gets it)
    """A price list under which nothing changes."""
    return figures
