"""`python -m benchmarks.similar.prior`: fit the weights that a decider begins with.

Logistic regression on the outcomes of three replays of the texts that are kept for it, all of them
verified; each weight is held to the side that sense allows (a missing word never speaks for a hit).
Prints the tuple for `verify.PRIOR`. Takes scipy, which tests bring along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize  # type: ignore[import-untyped]

from benchmarks.similar.replay import ask
from benchmarks.similar.traffic import Traffic
from lichen.calls.similar.decision import Decider
from lichen.calls.similar.verify import FEATURES, PRIOR

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Features that speak against a hit; all others speak for one.
_AGAINST = {"outside", "wrong", "group wrong", "missing", "added", "asked", "length"}
_RIDGE = 1e-3


def main() -> None:
    traffic = Traffic()
    rows: list[tuple[float, ...]] = []
    outcomes: list[bool] = []

    def heard(features: tuple[float, ...], correct: bool) -> None:  # noqa: FBT001 (a hook)
        rows.append(features)
        outcomes.append(correct)

    for seed in range(3):
        # A bound that no traffic of this size can show: nothing is ever given.
        ask(traffic, traffic.asked(seed, prior=True), Decider(1e-6, prior=PRIOR), heard)
    known = np.c_[np.ones(len(rows)), np.array(rows)]
    right = np.array(outcomes, float)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = known @ weights
        each = np.logaddexp(0, -odds) * right + np.logaddexp(0, odds) * (1 - right)
        slope = known.T @ (1 / (1 + np.exp(-odds)) - right) / len(right)
        held = np.r_[0, weights[1:]]
        return float(each.mean() + _RIDGE * (held**2).sum()), slope + 2 * _RIDGE * held

    sides = [(None, 0) if name in _AGAINST else (0, None) for name in FEATURES]
    found = minimize(loss, np.zeros(len(FEATURES) + 1), jac=True, bounds=[(None, None), *sides])
    print(f"{len(rows)} outcomes, {right.mean():.1%} right")
    print(tuple(round(float(weight), 2) for weight in found.x))


if __name__ == "__main__":
    main()
