"""A second look at a would-be hit: what two texts share, word by word, beside their cosine.

    features = cosine, second cosine, shared content both ways, bigrams, trigrams of letters,
               what is asked, lengths, and how often this stored answer was right and wrong

Each feature is about 0 where the texts are alike and negative where they are not, so that a weight
says how much a difference counts. What the features are worth is learnt (`combine`); the prior
weights were fitted on question pairs, as docs/method/similar.md says.

Source: ours.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from lichen.calls.similar.combine import Combiner
from lichen.calls.similar.facts import Facts, read, stem
from lichen.calls.similar.words import words

if TYPE_CHECKING:
    from collections.abc import Collection


class History(NamedTuple):
    """How often a stored answer was verified: `right` times it served, `wrong` times not."""

    right: int = 0
    wrong: int = 0


FEATURES: Final = (
    "cosine",
    "second",
    "missing",
    "added",
    "bigrams",
    "letters",
    "asked",
    "length",
    "right",
    "wrong",
)
"""The features' names, in order."""

PRIOR: Final = (3.5, 12.0, 2.0, 1.5, 1.5, 0.5, 1.0, 0.3, 0.3, 0.8, 1.2)
"""Weights to begin with: the constant's, then one for each feature."""


class Verifier:
    """Measures pairs of texts; `score` weighs the measures by the prior."""

    def __init__(self) -> None:
        self._combiner = Combiner(PRIOR)

    def features(
        self,
        one: str,
        other: str,
        *,
        cosine: float,
        second: float | None = None,
        history: History = History(),  # noqa: B008 (a constant)
    ) -> tuple[float, ...]:
        """The features of a stored text `one` and the text asked now, `other`; shape as FEATURES.

        `cosine` is the embedder's; `second` another model's, where there is one.
        """
        here, there = read(one), read(other)
        first, then = _content(here), _content(there)
        return (
            cosine - 1,
            (cosine if second is None else second) - 1,
            -_missing(first, then),
            -_missing(then, first),
            _alike(set(_pairs(here)), set(_pairs(there))) - 1,
            _alike(_letters(one), _letters(other)) - 1,
            -float(here.marks.get("ask") != there.marks.get("ask")),
            -abs(math.log((len(here.words) + 1) / (len(there.words) + 1))),
            math.log1p(history.right),
            -math.log1p(history.wrong),
        )

    def score(self, one: str, other: str, *, cosine: float) -> float:
        """The probability that an answer to `one` serves `other`, by the prior alone. [1]"""
        return self._combiner.score(self.features(one, other, cosine=cosine))


def _content(facts: Facts) -> set[str]:
    return {stem(word) for word in facts.words if word not in words("common")}


def _missing(one: Collection[str], other: Collection[str]) -> float:
    """How many words of `one` the `other` lacks, as a share with one word's doubt. [1]"""
    return sum(word not in other for word in one) / (len(one) + 1)


def _pairs(facts: Facts) -> list[tuple[str, str]]:
    return list(pairwise(stem(word) for word in facts.words))


def _letters(text: str) -> set[str]:
    low = f" {text.lower()} "
    return {low[place : place + 3] for place in range(len(low) - 2)}


def _alike(one: Collection[object], other: Collection[object]) -> float:
    """The share of what either holds that both hold; 1 where neither holds anything. [1]"""
    both = sum(thing in other for thing in one)
    either = len(one) + len(other) - both
    return both / either if either else 1.0
