"""Affixes: small parts that turn a word round, with or without a hyphen.

    non-refundable   sugar-free   seedless   check in, check out   pickup, drop-off

A cosine hears them least of all: "refundable" and "non-refundable" lie at .97. Where two texts do
not have the same of them on the same words they are taken for different questions; one that says
the same in other words ("without sugar") is refused too, which costs a hit and no error.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lichen.calls.similar.facts import stem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BEFORE: Final = frozenset(("non", "anti", "un", "pre", "post", "ex", "semi", "pseudo"))
_AFTER: Final = frozenset(("free", "less", "proof"))
_LESS: Final = "less"
# Words that end in "less" and want for nothing.
_WHOLE: Final = frozenset(
    ("bless", "doubtless", "nevertheless", "nonetheless", "regardless", "unless")
)
_LEAST: Final = 3
# Source: Quirk et al., "A Comprehensive Grammar of the English Language", §16.2 (phrasal verbs).
_AGAINST: Final = {
    "in": ("out",),
    "out": ("in",),
    "on": ("off",),
    "off": ("on", "up"),
    "up": ("down", "off"),
    "down": ("up",),
    "over": ("under",),
    "under": ("over",),
}
_PICK_OR_DROP: Final = frozenset((("pick", "up"), ("drop", "off")))


def turned(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two texts, as words, do not turn the same words round. Symmetric."""
    if set(_marked(one)) != set(_marked(other)):
        return True
    here, there = set(_phrasal(one)), set(_phrasal(other))
    return any(_is_against(each, there) and each not in there for each in here)


def _marked(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is turned round, and how."""
    for place, word in enumerate(words):
        if word.endswith(_LESS) and len(word) >= len(_LESS) + _LEAST and word not in _WHOLE:
            yield "less", stem(word.removesuffix(_LESS))
        if word != "-" or not 0 < place < len(words) - 1:
            continue
        before, after = words[place - 1], words[place + 1]
        if before in _BEFORE:
            yield before, stem(after)
        elif after in _AFTER:
            yield after, stem(before)


def _phrasal(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Verbs and the particles behind them, also where they are grown together."""
    plain = [word for word in words if word != "-"]
    for verb, particle in pairwise(plain):
        if particle in _AGAINST:
            yield stem(verb), particle
    for word in plain:
        for particle in _AGAINST:
            if word.endswith(particle) and len(word) >= len(particle) + _LEAST:
                yield stem(word.removesuffix(particle)), particle


def _is_against(phrase: tuple[str, str], there: set[tuple[str, str]]) -> bool:
    verb, particle = phrase
    if any((verb, against) in there for against in _AGAINST[particle]):
        return True
    return phrase in _PICK_OR_DROP and bool((_PICK_OR_DROP - {phrase}) & there)
