"""Swapped roles: the same words in another order, where the order says who does what to whom.

Words that both texts hold once are aligned. Two of them, x before y here and y before x there, are
an inversion. It changes the question where what lies between them is short and directed in both
(from x to y, x beats y, x minus y, x's effect on y); it does not where it is symmetric (x and y, x
or y), where a compound is spelt out (weight loss, loss of weight), or where a phrase moved to the
front (in India, how …).

Source: ours; the traps in benchmarks/similar are what it is tested on.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lichen.calls.similar.facts import stem
from lichen.calls.similar.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

_LETTERS = frozenset("aist")
_REACH = 5


def swapped(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether words that both texts hold changed places around a directed relation.

    `one` and `other` are words in order, as `facts.read` gives them. Symmetric in its arguments.
    """
    first, second = _places(one), _places(other)
    shared = [word for word in first if word in second]
    order = [second[word] for word in shared]
    if all(order[i] < order[i + 1] for i in range(len(shared) - 1)):
        return False
    return any(
        _changes(one[first[x] + 1 : first[y]], other[second[y] + 1 : second[x]])
        for i, x in enumerate(shared)
        for y in shared[i + 1 : i + 1 + _REACH]
        if second[y] < second[x]
    )


def _places(said: Sequence[str]) -> dict[str, int]:
    """Where each content word stands that occurs once, by stem, in order; numbers by place."""
    found: dict[str, int] = {}
    twice: set[str] = set()
    common = words("common")
    letters = any(len(word) == 1 and word.isalpha() and word not in _LETTERS for word in said)
    stems = [stem(word) for word in said]
    often = Counter(stems)
    for place, word in enumerate(said):
        if not (word[0].isalnum() or word[0] == "#"):
            continue
        if word in common and not (letters and _variable(said, place)):
            continue
        # Two words of one stem, such as http and https, are told apart by their spelling.
        key = word if often[stems[place]] > 1 else stems[place]
        if key in found:
            twice.add(key)
        found[key] = place
    for key in twice:
        del found[key]
    return found


def _variable(said: Sequence[str], place: int) -> bool:
    """Whether an "a" is a letter, as in a by b: no noun follows it."""
    return said[place] == "a" and all(word in words("common") for word in said[place + 1 :][:1])


def _changes(here: Sequence[str], there: Sequence[str]) -> bool:
    """Whether what lies between two inverted words, in either text, gives them roles."""
    if len(here) > _REACH or len(there) > _REACH:
        return False
    between = {*here, *there}
    if not words("asking").isdisjoint(between) or "," in between:
        return False
    if "the" in between and _is(here) and _is(there):
        return False
    directed = words("directed")
    if not directed.isdisjoint(here) and not directed.isdisjoint(there):
        return True
    if words("symmetric") >= between or (_joined(here) and _joined(there)):
        return not between
    # A compound spelt out: weight loss, loss of weight.
    bare, spelt = sorted((_relations(here), _relations(there)), key=len)
    return bool(bare) or not spelt or not words("spells") >= spelt


def _is(between: Sequence[str]) -> bool:
    return not {"is", "are", "was", "were"}.isdisjoint(between)


def _relations(between: Sequence[str]) -> frozenset[str]:
    """The words of a gap that relate, not name."""
    return words("common").union(words("spells")).intersection(between)


def _joined(between: Sequence[str]) -> bool:
    return "and" in between or "or" in between
