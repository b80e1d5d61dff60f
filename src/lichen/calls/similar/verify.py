"""A second look at a would-be hit: the words of two texts, and what lies around them.

    features = cosine; nearest that differs; others of the group, their number and nearness;
               how often this answer and its group's were right and wrong;
               words missing and added, bigrams, letters, what is asked, length

Each feature is scaled to about one. What they are worth is learnt from outcomes (`combine`); the
prior weights are where that begins.

Source: ours; docs/method/similar.md says what was tried and what each is worth.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lichen.calls.similar.combine import Combiner
from lichen.calls.similar.facts import Facts, read, stem
from lichen.calls.similar.neighbours import Around, History
from lichen.calls.similar.words import words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

FEATURES: Final = (
    "cosine",
    "margin",
    "second",
    "mean",
    "inside",
    "outside",
    "right",
    "wrong",
    "group right",
    "group wrong",
    "group odds",
    "group size",
    "missing",
    "added",
    "bigrams",
    "letters",
    "asked",
    "length",
)
"""The features' names, in order."""

OF_RECORD: Final = FEATURES[1:12]
"""Those that hang on neighbours and outcomes at the time, and cannot be measured again later."""

PRIOR: Final = (
    *(0.94, 0.62, 0.03, 0.2, 0.89, 0.05, -0.2),
    *(0.12, -0.22, 0.25, -0.37, 0.61, 0.25),
    *(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
)
"""Weights to begin with: the constant's, then one for each feature.

Source: `python -m benchmarks.similar.prior`, on texts that the benchmark never asks.
"""

_NOBODY: Final = History()
_ALONE: Final = Around()


class Verifier:
    """Measures pairs of texts; `score` weighs the measures by the prior.

    `facts` may remember what it has read.
    """

    def __init__(self, facts: Callable[[str], Facts] = read) -> None:
        self._combiner = Combiner(PRIOR)
        self._facts = facts

    def features(
        self,
        one: str,
        other: str,
        *,
        cosine: float,
        history: History = _NOBODY,
        around: Around = _ALONE,
    ) -> tuple[float, ...]:
        """The features of a stored text `one` and the text asked now, `other`; shape as FEATURES.

        `cosine` is the embedder's; `history` the stored answer's; `around` what lies beside.
        """
        return (*placed(cosine, history, around), *worded(one, other, self._facts))

    def score(self, one: str, other: str, *, cosine: float) -> float:
        """The probability that an answer to `one` serves `other`, by the prior alone. [1]"""
        return self._combiner.score(self.features(one, other, cosine=cosine))


def placed(cosine: float, history: History, around: Around) -> tuple[float, ...]:
    """The features that no word is needed for: nearness, neighbours and record."""
    right, wrong = math.log1p(history.group_right), math.log1p(history.group_wrong)
    return (
        20 * (cosine - 0.95),
        10 * (cosine - around.apart),
        5 * (around.second - 0.75),
        5 * (around.mean - 0.75),
        math.log1p(around.inside),
        math.log1p(around.outside),
        math.log1p(history.right),
        math.log1p(history.wrong),
        right,
        wrong,
        right - wrong,
        math.log(history.size),
    )


def worded(one: str, other: str, facts: Callable[[str], Facts] = read) -> tuple[float, ...]:
    """The features of two texts' words; about 0 where they are alike."""
    here, there = facts(one), facts(other)
    first, then = _content(here), _content(there)
    return (
        3 * _missing(first, then),
        3 * _missing(then, first),
        2 * _alike(set(_pairs(here)), set(_pairs(there))) - 1,
        2 * _alike(_letters(one), _letters(other)) - 1,
        float(here.marks.get("ask") != there.marks.get("ask")),
        3 * abs(math.log((len(here.words) + 1) / (len(there.words) + 1))),
    )


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
