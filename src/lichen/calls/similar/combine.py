"""One score out of many features: the odds that a stored answer serves, learnt as outcomes come in.

    score = 1 / (1 + exp(−(w₀ + Σ wⱼ xⱼ)))
    wⱼ ← wⱼ − η gⱼ / √(1 + Gⱼ) − η ρ (wⱼ − w⁰ⱼ),    gⱼ = (score − y) xⱼ,  Gⱼ = Σ gⱼ²

y is 1 where the stored answer served. Each outcome is learnt once, after its score was used: so a
score is never one of its own outcome. The weights start at a prior w⁰ and are drawn back to it.

η  step                           [1]
ρ  pull towards the prior         [1]

Source: Duchi, Hazan, Singer 2011 (AdaGrad), diagonal.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STEP: Final = 0.1
_PULL: Final = 1e-4
_FAR: Final = 30.0


class Combiner:
    """A logistic score over features, started at `prior`: the weight of 1, then of each feature."""

    __slots__ = ("_prior", "_spread", "_weights")

    def __init__(self, prior: Sequence[float]) -> None:
        self._prior = tuple(prior)
        self._weights = list(prior)
        self._spread = [0.0] * len(self._prior)

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights now, the constant's first."""
        return tuple(self._weights)

    def score(self, features: Sequence[float]) -> float:
        """The probability that the answer serves. [1]"""
        weights = self._weights
        odds = weights[0]
        for weight, value in zip(weights[1:], features, strict=True):
            odds += weight * value
        return 1 / (1 + math.exp(-max(-_FAR, min(_FAR, odds))))

    def learn(self, features: Sequence[float], *, correct: bool, weight: float = 1.0) -> None:
        """Move towards an outcome; `weight` is how many outcomes it stands for."""
        error = (self.score(features) - correct) * min(weight, 10.0)
        for place, value in enumerate((1.0, *features)):
            slope = error * value
            self._spread[place] += slope * slope
            self._weights[place] -= _STEP * slope / math.sqrt(1 + self._spread[place])
            self._weights[place] -= _STEP * _PULL * (self._weights[place] - self._prior[place])

    def state(self) -> dict[str, Any]:
        """Weights and spread as plain values, for JSON."""
        return {"weights": list(self._weights), "spread": list(self._spread)}

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Take up a `state`; False, and nothing taken, where it has other features."""
        weights, spread = state.get("weights", ()), state.get("spread", ())
        if len(weights) != len(self._prior) or len(spread) != len(self._prior):
            return False
        self._weights = [float(value) for value in weights]
        self._spread = [float(value) for value in spread]
        return True
