"""Frames: two texts that are the same but for one word, which is another thing.

"How do I care for a rabbit" and "… a hamster" share all but what they ask about. No table knows all
things, so any such word counts as another one unless it is spelt alike or known as a synonym. Of
question pairs that differ so, four in ten were labelled different.

Source: measured on question pairs (docs/method/similar.md).
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

from lichen.calls.similar.facts import stem
from lichen.calls.similar.words import table, words

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALIKE: Final = 3
_LEAST: Final = 3
# Drive and drink are not of one stem, drive and driving are.
_SHARE: Final = 0.6


def substituted(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the texts, as words in order, differ in one word that is another thing."""
    if len(one) != len(other) or len(one) < _LEAST:
        return False
    unlike = [(x, y) for x, y in zip(one, other, strict=True) if x != y]
    apart = [(x, y) for x, y in unlike if stem(x) != stem(y)]
    if len(apart) != 1:
        return False
    here, there = apart[0]
    if not (here.isalpha() and there.isalpha()):
        return False
    common = words("common")
    return here not in common and there not in common and not _akin(here, there)


def _akin(one: str, other: str) -> bool:
    """Whether two words are spelt alike at the start, or known as synonyms."""
    same = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))
    if same >= _ALIKE and same > _SHARE * min(len(one), len(other)):
        return True
    synonyms = table().synonyms
    return bool(synonyms.get(one, frozenset()) & synonyms.get(other, frozenset()))
