"""Spreads: what is known of a number that nobody publishes, and quantiles of what follows from it.

    x = spread.at(p)        the value below which x lies with probability p

Fixed(v)                  v, surely
Uniform(low, high)        evenly between low and high
LogUniform(low, high)     evenly between log low and log high: "somewhere in these decades"
LogNormal(low, high)      low and high are its 5 % and 95 % points

Spreads are propagated by a Latin hypercube: each of n draws takes every spread's value from another
one of n equally likely strata. The seed is fixed, so the same factors give the same numbers.

Source: McKay, Beckman and Conover (1979), Technometrics 21(2), 239,
doi:10.1080/00401706.1979.10489755.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Protocol

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEED = 1979

# The standard normal's 95 % point, which makes low and high a 90 % interval.
Z95 = NormalDist().inv_cdf(0.95)


class Spread(Protocol):
    """What is known of a number."""

    def at(self, probability: float) -> float:
        """The value below which the number lies with `probability`, in (0, 1)."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A number that is known.

    Raises:
        InputError: it is not a finite number above 0.
    """

    value: float

    def __post_init__(self) -> None:
        """Refuse what no factor can be."""
        if not (math.isfinite(self.value) and self.value > 0):
            raise InputError(f"a fixed factor is a finite number above 0, got {self.value!r}")

    def at(self, probability: float) -> float:  # noqa: ARG002 (the same at every probability)
        """Its value."""
        return self.value


@dataclass(frozen=True, slots=True)
class _Range:
    """Two ends, in order and above 0.

    Raises:
        InputError: they are not.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse ends that are not in order or not above 0."""
        if not 0 < self.low <= self.high < math.inf:
            raise InputError(f"a spread needs 0 < low ≤ high, got {self.low!r} and {self.high!r}")


@dataclass(frozen=True, slots=True)
class Uniform(_Range):
    """Evenly between low and high."""

    def at(self, probability: float) -> float:
        """The value at `probability`."""
        return self.low + (self.high - self.low) * probability


@dataclass(frozen=True, slots=True)
class LogUniform(_Range):
    """Evenly between the logarithms of low and high."""

    def at(self, probability: float) -> float:
        """The value at `probability`."""
        ratio: float = (self.high / self.low) ** probability
        return self.low * ratio


@dataclass(frozen=True, slots=True)
class LogNormal(_Range):
    """A bell in the logarithm; low and high are its 5 % and 95 % points."""

    def at(self, probability: float) -> float:
        """The value at `probability`."""
        middle = (math.log(self.high) + math.log(self.low)) / 2
        sigma = (math.log(self.high) - math.log(self.low)) / (2 * Z95)
        return math.exp(middle + sigma * NormalDist().inv_cdf(probability))


def latin_hypercube(spreads: Mapping[str, Spread], count: int) -> dict[str, list[float]]:
    """`count` draws of every spread, each stratum used once. (one list a name)"""
    chance = random.Random(SEED)  # noqa: S311 (sampling, not secrets)
    drawn: dict[str, list[float]] = {}
    for name, spread in spreads.items():
        strata = sorted(range(count), key=lambda _: chance.random())
        drawn[name] = [spread.at((stratum + 0.5) / count) for stratum in strata]
    return drawn


def quantile(ordered: Sequence[float], probability: float) -> float:
    """The value at `probability` among sorted values, between neighbours by a straight line."""
    place = probability * len(ordered) - 0.5
    below = min(max(int(place), 0), len(ordered) - 2)
    share = min(max(place - below, 0.0), 1.0)
    return ordered[below] + (ordered[below + 1] - ordered[below]) * share


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The 5 %, 50 % and 95 % points."""
    ordered = sorted(values)
    return quantile(ordered, 0.05), quantile(ordered, 0.5), quantile(ordered, 0.95)
