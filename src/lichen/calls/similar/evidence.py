"""Evidence that hits above a threshold are right often enough, valid at any time.

Let y = 1 where a would-be hit with score ≥ t is wrong, and δ the share the user bears. Each outcome
that was verified multiplies a bet against "at least δ of them are wrong":

    E ← E · (1 + b·(δ − y)),     0 ≤ b < 1/(1 − δ), chosen before y is known
    b = (δ − r)/(δ(1 − δ)),      r = (wrong + δ)/(verified + 1)

If the claim were true, no E could be expected to grow, whatever share of outcomes is verified, as
long as the lottery does not look at y: so P(E ever reaches 1/α) ≤ α (Ville). A threshold is
certified once its E has reached 1/α. Thresholds are tried from strict to loose in chains: a looser
one counts only after all stricter ones of its chain, which needs no correction for their number;
the chains share α.

α  what the user leaves to chance, 1 − confidence    [1]
δ  share of wrong answers among hits the user bears  [1]

Source: Waudby-Smith and Ramdas 2024 (betting); Ville 1939; fixed-sequence testing, Maurer 1995. The
derivation is in docs/method/similar.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THRESHOLDS: Final = tuple(round(1 / (1 + math.exp(-step / 4)), 6) for step in range(24, -5, -1))
"""Scores at which evidence is kept, strict to loose: .9975 to .27, evenly in log odds."""

_STARTS: Final = (0, 4, 8, 12)
_MOST: Final = 0.9


class Evidence:
    """Bets for each threshold, and what is certified by them.

    `delta` and `confidence` as asked for; `thresholds` strict to loose.
    """

    __slots__ = ("_best", "_levels", "_log", "alpha", "delta", "thresholds", "verified", "wrong")

    def __init__(
        self, delta: float, confidence: float = 0.95, thresholds: Sequence[float] = THRESHOLDS
    ) -> None:
        self.delta = delta
        self.alpha = 1 - confidence
        self.thresholds = tuple(thresholds)
        self._levels = [
            (start, math.log(len(_STARTS) / self.alpha))
            for start in _STARTS
            if start < len(self.thresholds)
        ]
        self.clear()

    def clear(self) -> None:
        """Forget all outcomes: what was certified is no more."""
        count = len(self.thresholds)
        self.verified = [0] * count
        self.wrong = [0] * count
        self._log = [0.0] * count
        self._best = [0.0] * count

    def add(self, score: float, *, correct: bool) -> None:
        """Count the verified outcome of a would-be hit at `score`."""
        delta = self.delta
        for place in range(len(self.thresholds) - 1, -1, -1):
            if self.thresholds[place] > score:
                break
            rate = (self.wrong[place] + delta) / (self.verified[place] + 1)
            bet = (delta - rate) / (delta * (1 - delta))
            bet = min(max(bet, 0.0), _MOST / (1 - delta))
            self._log[place] += math.log1p(bet * (delta - (0.0 if correct else 1.0)))
            self._best[place] = max(self._best[place], self._log[place])
            self.verified[place] += 1
            self.wrong[place] += not correct

    def certified(self) -> int | None:
        """The place of the loosest certified threshold, or None where none is."""
        found: int | None = None
        for start, level in self._levels:
            place = start
            while place < len(self.thresholds) and self._best[place] >= level:
                found = place if found is None else max(found, place)
                place += 1
        return found

    def bound(self, place: int) -> float:
        """The least share of wrong answers that the outcomes at this threshold rule out. [1]

        Clopper and Pearson's upper bound at the evidence's confidence: of one look, for showing.
        """
        return upper(self.wrong[place], self.verified[place], 1 - self.alpha)

    def state(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {
            "thresholds": list(self.thresholds),
            "verified": list(self.verified),
            "wrong": list(self.wrong),
            "log": list(self._log),
            "best": list(self._best),
        }

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Take up a `state`; False, and nothing taken, where its thresholds are others."""
        if list(self.thresholds) != list(state.get("thresholds", ())):
            return False
        self.verified = [int(value) for value in state["verified"]]
        self.wrong = [int(value) for value in state["wrong"]]
        self._log = [float(value) for value in state["log"]]
        self._best = [float(value) for value in state["best"]]
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
