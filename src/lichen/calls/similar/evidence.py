"""Evidence that hits above a threshold are right often enough.

Scores are cut into bands. Of N_b would-be hits in band b, n_b were verified and W_b of those were
wrong; each verified one stands for ω_b = N_b/n_b. For a threshold t and the bands above it, a bet
against "δ or more of the N = Σ N_b would-be hits are wrong" stands at

    E(κ) = exp(κ N δ) Π (1 − κ ω_b)^W_b,        E = mean of E(κ) over some κ < 1 / max ω_b

If the claim were true, E could not be expected to be above 1, so P(E ≥ 1/α) ≤ α; and while all are
verified (ω = 1), P(E ever reaches 1/α) ≤ α, whenever one looks. A threshold is certified once its E
has reached 1/α. Thresholds are tried from strict to loose in chains: a looser one counts only after
all stricter ones of its chain, which needs no correction for their number; the chains share α.

α  what the user leaves to chance, 1 − confidence    [1]
δ  share of wrong answers among hits the user bears  [1]

Source: ours, on Ville 1939, Robbins 1970 (mixtures), Maurer, Hothorn and Lehmacher 1995 (tests in
a fixed order). docs/method/similar.md derives it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THRESHOLDS: Final = tuple(round(1 / (1 + math.exp(-step / 4)), 6) for step in range(24, 0, -1))
"""Scores at which evidence is kept, strict to loose: .9975 to .56, evenly in log odds."""

_BETS: Final = (0.05, 0.12, 0.25, 0.4, 0.6, 0.95)
"""Bets κ, as shares of the most that may be bet."""

_CHAINS: Final = ((1.0, 0.5), (0.5, 0.25), (0.25, 0.25))
"""Where chains start, as a score of 1 − δ times this, and the part of α each has."""


class Evidence:
    """What was verified in each band of scores, and which thresholds it certifies.

    `delta` and `confidence` as asked for; `thresholds` strict to loose: band b lies from threshold
    b up to the next stricter one. `seen`, `verified` and `wrong` count would-be hits by band.
    """

    __slots__ = (
        "_certified",
        "_rising",
        "alpha",
        "delta",
        "seen",
        "thresholds",
        "verified",
        "wrong",
    )

    def __init__(
        self, delta: float, confidence: float = 0.95, thresholds: Sequence[float] = THRESHOLDS
    ) -> None:
        self.delta = delta
        self.alpha = 1 - confidence
        self.thresholds = tuple(thresholds)
        self._rising = [-threshold for threshold in self.thresholds]
        self.clear()

    def clear(self) -> None:
        """Forget all outcomes: what was certified is no more."""
        count = len(self.thresholds)
        self.seen = [0] * count
        self.verified = [0] * count
        self.wrong = [0] * count
        self._certified: set[tuple[int, int]] = set()

    def band(self, score: float) -> int:
        """The band of a score; the number of bands where it is below all."""
        return bisect_left(self._rising, -score)

    def see(self, score: float) -> None:
        """Count a would-be hit, verified or not."""
        band = self.band(score)
        if band < len(self.seen):
            self.seen[band] += 1

    def add(self, score: float, *, correct: bool) -> None:
        """Count the verified outcome of a would-be hit at `score` that was seen."""
        band = self.band(score)
        if band < len(self.verified):
            self.verified[band] += 1
            self.wrong[band] += not correct

    def certified(self) -> int | None:
        """The place of the loosest certified threshold, or None where none is.

        What was certified stays so until its bet has lost all it won, or the evidence is cleared.
        """
        found: int | None = None
        for chain, (part, share) in enumerate(_CHAINS):
            level = math.log(1 / (self.alpha * share))
            place = min(self.band(1 - self.delta * part), len(self.thresholds) - 1)
            while place < len(self.thresholds) and self._holds(chain, place, level):
                found = place if found is None else max(found, place)
                place += 1
        return found

    def _holds(self, chain: int, place: int, level: float) -> bool:
        """Whether a threshold is certified in a chain: its bet reached the level, and stands."""
        known = (chain, place) in self._certified
        stands = self.bet(place) >= (0.0 if known else level)
        if stands:
            self._certified.add((chain, place))
        else:
            self._certified.discard((chain, place))
        return stands

    def bet(self, place: int) -> float:
        """The logarithm of the bet at a threshold; far below 0 where nothing was verified."""
        bands = list(self._weighed(place))
        if not bands:
            return -math.inf
        total = sum(weight * verified for weight, verified, _ in bands)
        most = 1 / max(weight for weight, _, _ in bands)
        logs = [
            bet * most * total * self.delta
            + sum(wrong * math.log1p(-bet * most * weight) for weight, _, wrong in bands)
            for bet in _BETS
        ]
        top = max(logs)
        return top + math.log(sum(math.exp(log - top) for log in logs) / len(logs))

    def counted(self, place: int) -> tuple[int, int]:
        """Would-be hits above a threshold that were verified, and those that were wrong."""
        return sum(self.verified[: place + 1]), sum(self.wrong[: place + 1])

    def _weighed(self, place: int) -> list[tuple[float, int, int]]:
        """For each band above a threshold: how many each verified one stands for, verified, wrong.

        A band of which nothing was verified is counted with the next looser one.
        """
        found: list[tuple[float, int, int]] = []
        seen = 0
        for band in range(place + 1):
            seen += self.seen[band]
            if self.verified[band]:
                found.append(
                    (max(1.0, seen / self.verified[band]), self.verified[band], self.wrong[band])
                )
                seen = 0
        if seen and found:
            weight, verified, wrong = found[-1]
            found[-1] = (weight + seen / verified, verified, wrong)
        return found

    def state(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {
            "thresholds": list(self.thresholds),
            "seen": list(self.seen),
            "verified": list(self.verified),
            "wrong": list(self.wrong),
            "certified": sorted(map(list, self._certified)),
        }

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Take up a `state`; False, and nothing taken, where its thresholds are others."""
        if list(self.thresholds) != list(state.get("thresholds", ())):
            return False
        self.seen = [int(value) for value in state["seen"]]
        self.verified = [int(value) for value in state["verified"]]
        self.wrong = [int(value) for value in state["wrong"]]
        self._certified = {(int(chain), int(place)) for chain, place in state["certified"]}
        return True


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
