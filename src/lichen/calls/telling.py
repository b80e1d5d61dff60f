"""Telling: what a call used and spared, as headers of its answer.

    x-lichen-energy-wh: 0.36; low=0.074; high=2.4      energy [Wh] with its 90 % interval
    x-lichen-carbon-g: 0.17; low=0.01; high=1.9        operational and embodied carbon [gCO₂e]

Source: RFC 9110 §5.6.6 (a value and its parameters).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.calls.exchange import Headers
    from lichen.ledger.footprint import Footprint


def used_headers(made: Footprint) -> Headers:
    """What a call used, with the 90 % interval: energy [Wh] and carbon [gCO₂e]."""
    energy, operational, embodied = made.energy, made.operational, made.embodied
    wh = _triple(energy.value.in_wh, energy.low.in_wh, energy.high.in_wh)
    grams = _triple(
        operational.value.amount + embodied.value.amount,
        operational.low.amount + embodied.low.amount,
        operational.high.amount + embodied.high.amount,
    )
    return [(b"x-lichen-energy-wh", wh), (b"x-lichen-carbon-g", grams)]


def avoided_headers(instead: Footprint) -> Headers:
    """What a call spared, with the 90 % interval: energy [Wh] and carbon [gCO₂e]."""
    return [
        (name.replace(b"x-lichen-", b"x-lichen-avoided-"), value)
        for name, value in used_headers(instead)
    ]


def _triple(value: float, low: float, high: float) -> bytes:
    """A number and, as its parameters, the ends of its interval."""
    return b"%.4g; low=%.4g; high=%.4g" % (value, low, high)
