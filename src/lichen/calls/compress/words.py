r"""Words: how well each piece of a text fits a question by its words, without any model.

    b(u) = Σ_{t ∈ q} w(t) · idf(t) · f · (k + 1) / (f + k · (1 − β + β · |u| / avg))      BM25
    idf(t) = ln(1 + (n − n_t + ½) / (n_t + ½))

t, q    a stem, and the stems of the question
f       how often t stands in the piece u                       count
n, n_t  pieces, and pieces with t                               count
k, β    1.2 and 0.75
w(t)    3 for numbers, names and identifiers, else 1

Names in a question and numbers are what an answer hangs on. `surprise` is how unlike all others a
piece is, by the mean idf of its words: in a log of ten thousand requests it finds what happened.

Source: Robertson & Zaragoza, "The probabilistic relevance framework: BM25 and beyond" (2009).
"""

from __future__ import annotations

import re
from collections import Counter
from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_K, _BETA = 1.2, 0.75
_ANCHOR = 3.0
# A stem in so few pieces, or in so small a share of them, points at them.
_FEW, _FEW_SHARE = 2, 0.05
_WORD = re.compile(r"[^\W_]+(?:[.@:/'_-][^\W_]+)*|\w+")
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+(?:\.\d+)*|[^\W\d_]+")
_STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "being",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "for",
        "from",
        "had",
        "has",
        "have",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "me",
        "my",
        "no",
        "not",
        "of",
        "on",
        "one",
        "or",
        "our",
        "shall",
        "should",
        "so",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "up",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
_ENDINGS = ("ations", "ation", "ingly", "ments", "ment", "ings", "ing", "edly", "ies", "ers", "ed",
            "er", "es", "ly", "s")  # fmt: skip
_SHORTEST_STEM = 3


def stems(text: str) -> list[str]:
    """The words of a text without their endings, in their order; parts of compounds, too."""
    made: list[str] = []
    for word in _WORD.findall(text):
        whole = word.lower()
        if whole in _STOP:
            continue
        made.append(_stem(whole))
        parts = _PART.findall(word)
        if len(parts) > 1:
            made += [_stem(part.lower()) for part in parts if part.lower() not in _STOP]
    return made


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word


def anchors(question: str) -> frozenset[str]:
    """The stems of what an answer hangs on: numbers, identifiers, names, quoted words."""
    found: set[str] = set()
    words = _WORD.findall(question)
    for place, word in enumerate(words):
        named = word[0].isupper() and place > 0
        if named or any(map(str.isdigit, word)) or any(mark in word for mark in "_@/.-"):
            found.update(stems(word))
    for quoted in re.findall(r"[\"'“‘`]([^\"'”’`]{2,60})[\"'”’`]", question):
        found.update(stems(quoted))
    return frozenset(found)


class Words:
    """The words of the pieces of one text."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self._counts = [Counter(stems(piece)) for piece in pieces]
        self._lengths = [sum(count.values()) for count in self._counts]
        self._average = sum(self._lengths) / max(1, len(pieces)) or 1.0
        holding: Counter[str] = Counter()
        for count in self._counts:
            holding.update(count.keys())
        n = len(pieces)
        self._few = {stem for stem, m in holding.items() if m <= max(_FEW, _FEW_SHARE * n)}
        self._idf = {stem: log(1 + (n - m + 0.5) / (m + 0.5)) for stem, m in holding.items()}

    def is_found(self, question: str) -> bool:
        """Whether what the answer hangs on stands in few pieces: then words are enough."""
        return not self._few.isdisjoint(anchors(question))

    def fit(self, question: str) -> list[float]:
        """How well each piece fits the question, at least 0."""
        hanging = anchors(question)
        asked = {
            stem: self._idf[stem] * (_ANCHOR if stem in hanging else 1.0)
            for stem in {*stems(question)}
            if stem in self._idf
        }
        made: list[float] = []
        for count, length in zip(self._counts, self._lengths, strict=True):
            room = _K * (1 - _BETA + _BETA * length / self._average)
            made.append(
                sum(
                    weight * count[stem] * (_K + 1) / (count[stem] + room)
                    for stem, weight in asked.items()
                    if stem in count
                )
            )
        return made

    def surprise(self) -> list[float]:
        """How unlike the others each piece is: the mean idf of its words; 0 for one of none."""
        return [
            sum(self._idf[stem] for stem in count) / len(count) if count else 0.0
            for count in self._counts
        ]
