"""How memory went: the slope of the resident set over time, with its interval.

    RSS(t) = a + b · t        b ± t₀.₉₇₅ · s_b   [MB/min]

by least squares over means of ten seconds (so that neighbours, which hang together, count once),
the first part left out: until the store of answers is full, memory is meant to grow.

Source: NIST/SEMATECH e-Handbook of Statistical Methods, §4.4.3 (linear least squares).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Student's t, two-sided 95 %, by degrees of freedom.
_T = {
    1: 12.71,
    2: 4.30,
    3: 3.18,
    4: 2.78,
    5: 2.57,
    8: 2.31,
    10: 2.23,
    15: 2.13,
    20: 2.09,
    30: 2.04,
    60: 2.00,
}
_BLOCK_S = 10.0


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth [MB/min] with its 95 % interval; the means that it was drawn through. [MB]"""

    per_minute: float
    low: float
    high: float
    first_mb: float
    last_mb: float


def slope(samples: list[tuple[float, float]], *, warm_up_s: float) -> Slope | None:
    """The slope of (time [s], resident set [MB]) after the warm-up; None where there is too little.

    Blocks are of ten seconds, shorter ones where that would leave fewer than six.
    """
    later = [(at, mb) for at, mb in samples if at >= warm_up_s]
    if len(later) < 6:
        return None
    length = min(_BLOCK_S, (later[-1][0] - later[0][0]) / 6)
    means = _means(later, length)
    if len(means) < 3:
        return None
    middle = sum(at for at, _ in means) / len(means)
    level = sum(mb for _, mb in means) / len(means)
    spread = sum((at - middle) ** 2 for at, _ in means)
    rise = sum((at - middle) * (mb - level) for at, mb in means) / spread
    left = sum((mb - level - rise * (at - middle)) ** 2 for at, mb in means)
    free = len(means) - 2
    error = math.sqrt(left / free / spread) * _t(free)
    return Slope(60 * rise, 60 * (rise - error), 60 * (rise + error), means[0][1], means[-1][1])


def _means(samples: list[tuple[float, float]], length: float) -> list[tuple[float, float]]:
    blocks: dict[int, list[tuple[float, float]]] = {}
    start = samples[0][0]
    for at, mb in samples:
        blocks.setdefault(int((at - start) / length), []).append((at, mb))
    return [
        (sum(at for at, _ in block) / len(block), sum(mb for _, mb in block) / len(block))
        for _, block in sorted(blocks.items())
    ]


def _t(free: int) -> float:
    """Student's t of the nearest fewer degrees of freedom in the table: never too narrow."""
    return _T[max(known for known in _T if known <= free)]
