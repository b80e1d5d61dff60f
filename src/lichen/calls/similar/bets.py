"""Bets on verified outcomes: what a threshold has to win, and what it stands at.

    E(κ) = exp(κ N δ) Π (1 − κ ω_b)^W_b,        E = mean of E(κ) over some κ < 1 / max ω_b

N    would-be hits above the threshold                [1]
ω_b  would-be hits that a verified one stands for     [1]
W_b  verified ones that were wrong                    [1]
δ    share of wrong answers among hits the user bears [1]

Source: docs/method/similar.md derives it; `lichen.calls.similar.evidence` counts.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

THRESHOLDS: Final = tuple(round(1 / (1 + math.exp(-step / 4)), 6) for step in range(24, 0, -1))
"""Scores at which evidence is kept, strict to loose: .9975 to .56, evenly in log odds."""

_BETS: Final = (0.25, 0.5, 0.95)
"""Bets κ, as shares of the most that may be bet."""

CHAINS: Final = ((1.0, 0.5), (0.5, 0.25), (0.25, 0.25))
"""Where chains start, as a score of 1 − δ times this, and the part of α each has."""

WIDER: Final = 1.5
"""What a region's own error has to be below, in times of what is certified for all. [1]"""


class Group(NamedTuple):
    """Would-be hits of a band, with those of stricter ones of which nothing was verified.

    Each that was verified stands for ω = seen / verified.
    """

    seen: int
    verified: int
    wrong: int


class Certificate(NamedTuple):
    """The chain that certified a threshold, and its thresholds up to that one, strict to loose.

    Each has the counts at the moment at which its bet reached the chain's level.
    """

    chain: int
    steps: tuple[tuple[float, tuple[Group, ...]], ...]


def chain_level(chain: int, alpha: float) -> float:
    """What the logarithm of a bet has to reach in a chain, where α is left to chance in all."""
    return math.log(1 / (alpha * CHAINS[chain][1]))


def chain_start(
    chain: int, delta: float, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[float, tuple[float, ...]]:
    """The threshold at which a chain starts, and those after it, strict to loose."""
    wanted = 1 - delta * CHAINS[chain][0]
    place = min(bisect_left([-each for each in thresholds], -wanted), len(thresholds) - 1)
    return thresholds[place], tuple(thresholds[place + 1 :])


def log_bet(groups: Sequence[Group], delta: float) -> float:
    """The logarithm of the bet against "δ or more are wrong"; far below 0 where nothing is known.

    Each group has something verified in it.
    """
    if not groups:
        return -math.inf
    total = top_weight = 0.0
    # What is right wins alike in all groups; only where something was wrong it matters which.
    lost: list[tuple[float, int]] = []
    for seen, verified, wrong in groups:
        weight = max(1.0, seen / verified)
        total += weight * verified
        top_weight = max(top_weight, weight)
        if wrong:
            lost.append((weight, wrong))
    logs = []
    for share in _BETS:
        bet = share / top_weight
        log = bet * total * delta
        for weight, wrong in lost:
            log += wrong * math.log1p(-bet * weight)
        logs.append(log)
    top = max(logs)
    return top + math.log(sum(math.exp(log - top) for log in logs) / len(logs))


def upper(wrong: int, verified: int, confidence: float = 0.95) -> float:
    """The upper bound of a share of which `wrong` in `verified` were seen. [1]

    Exact (Clopper and Pearson 1934), one-sided, by bisection of the binomial's tail.
    """
    if wrong >= verified:
        return 1.0
    low, high = wrong / verified, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if _tail(wrong, verified, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _tail(wrong: int, verified: int, share: float) -> float:
    """P(at most `wrong` of `verified`) where each is wrong with probability `share`."""
    if share >= 1:
        return 0.0
    ratio = share / (1 - share)
    term = verified * math.log1p(-share)
    total = 0.0
    for count in range(wrong + 1):
        total += math.exp(term)
        term += (
            math.log(verified - count) - math.log(count + 1) + math.log(ratio)
            if count < wrong
            else 0
        )
    return total
