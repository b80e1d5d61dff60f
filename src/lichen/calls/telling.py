"""Telling: what a call used and spared, as headers of its answer.

    x-lichen-energy-wh: 0.36; low=0.074; high=2.4      energy [Wh] with its 90 % interval
    x-lichen-carbon-g: 0.17; low=0.01; high=1.9        operational and embodied carbon [gCO₂e]

Source: RFC 9110 §5.6.6 (a value and its parameters).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.quantities import JOULES_PER_WH

if TYPE_CHECKING:
    from lichen.calls.exchange import Headers
    from lichen.ledger.footprint import Footprint


# A number and, as its parameters, the ends of its interval.
_TRIPLE = b"%.4g; low=%.4g; high=%.4g"


def used_headers(made: Footprint) -> Headers:
    """What a call used, with the 90 % interval: energy [Wh] and carbon [gCO₂e]."""
    value, low, high = made.energy.numbers
    wh = _TRIPLE % (value / JOULES_PER_WH, low / JOULES_PER_WH, high / JOULES_PER_WH)
    value, low, high = made.operational.numbers
    held, least, most = made.embodied.numbers
    grams = _TRIPLE % (value + held, low + least, high + most)
    return [(b"x-lichen-energy-wh", wh), (b"x-lichen-carbon-g", grams)]


def avoided_headers(instead: Footprint) -> Headers:
    """What a call spared, with the 90 % interval: energy [Wh] and carbon [gCO₂e]."""
    return [
        (name.replace(b"x-lichen-", b"x-lichen-avoided-"), value)
        for name, value in used_headers(instead)
    ]
