"""Same: whether two models gave one answer.

    exact     the same JSON, or the same words in the same order; case and punctuation do not count
    overlap   F1 of their words ≥ a share, the same numbers, and as many negations

    F1 = 2 |a ∩ b| / (|a| + |b|)      over words with their counts

Source: Rajpurkar et al., "SQuAD" (arXiv 1606.05250), §6.1, for F1 of words.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.gate.small import Cascade

_WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*")
_NUMBER = re.compile(r"[-−]?\d+(?:[.,]\d+)*")
_NEGATIONS = frozenset(("no", "not", "never", "none", "cannot", "without", "nor", "neither"))


def alike(table: Cascade) -> Callable[[str, str], bool]:
    """How a cascade compares answers."""
    if table.same == "exact":
        return exact
    return lambda one, other: overlapping(one, other, table.overlap)


def exact(one: str, other: str) -> bool:
    """Whether two answers say the same, word for word."""
    if one == other:
        return True
    try:
        return bool(orjson.loads(one) == orjson.loads(other))
    except orjson.JSONDecodeError:
        return (
            bool(_words(one)) and _words(one) == _words(other) and _numbers(one) == _numbers(other)
        )


def overlapping(one: str, other: str, least: float) -> bool:
    """Whether two answers share most words and state the same numbers."""
    if exact(one, other):
        return True
    here, there = Counter(_words(one)), Counter(_words(other))
    both = sum((here & there).values())
    total = sum(here.values()) + sum(there.values())
    if not total or 2 * both / total < least:
        return False
    return Counter(_numbers(one)) == Counter(_numbers(other)) and _denials(here) == _denials(there)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold().replace("n't", " not").replace("n’t", " not"))


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(text.replace("−", "-"))


def _denials(words: Counter[str]) -> int:
    return sum(words[word] for word in _NEGATIONS)
