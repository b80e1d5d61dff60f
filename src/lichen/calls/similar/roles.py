"""Roles without another order: who does it and where it goes, said by small words.

An order guard sees words that changed places (order.py). Roles also change while names stay where
they are: "to Paris from Rome" for "from Paris to Rome", "can I sue him" for "can he sue me", "who
did Plato teach" for "who taught Plato". Each check compares the small words that give the roles.

Source: ours; the traps in benchmarks/similar are what it is tested on.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lichen.calls.similar.facts import stem
from lichen.calls.similar.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

# Small words that give the thing behind them a role or a count: two of one kind exclude each other.
_ROLES: Final = {
    "from": ("way", "source"),
    "off": ("way", "source"),
    "to": ("way", "goal"),
    "into": ("way", "goal"),
    "onto": ("way", "goal"),
    "toward": ("way", "goal"),
    "towards": ("way", "goal"),
    "by": ("way", "doer"),
    "one": ("count", "one"),
    "every": ("count", "every"),
    "each": ("count", "every"),
}
_ARTICLES: Final = frozenset({"the", "a", "an", "my", "your", "our", "his", "her", "their", "its"})
_SUBJECTS: Final = frozenset({"i", "we", "he", "she", "they"})
_OBJECTS: Final = {"me": "i", "us": "we", "him": "he", "them": "they"}
_OWNERS: Final = frozenset({"my", "our", "his", "her", "their"})
# "Tell me", "help us", "for me": the asker is spoken of, not done anything to.
_COURTESY: Final = frozenset(
    {"tell", "help", "give", "show", "teach", "let", "explain", "for", "send", "recommend", "to"}
)
_AUXILIARIES: Final = frozenset(
    {"am", "are", "is", "was", "were", "be", "been", "do", "does", "did", "can", "could", "may"}
    | {"might", "must", "shall", "should", "will", "would", "has", "have", "had"}
)
_DO: Final = frozenset({"do", "does", "did"})
_SPANS: Final = frozenset({"long", "short", "near", "medium"})
_SUBJECTIVE: Final = frozenset({"who", "what", "which"})


def reversed_roles(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether small words give who, whom, from and to other roles in the two texts.

    `one` and `other` are words in order, as `facts.read` gives them. Symmetric in its arguments.
    """
    return (
        _attached(one, other)
        or _persons(one, other)
        or _persons(other, one)
        or _subject_asked(one, other)
        or _narrowing(one) != _narrowing(other)
    )


def _attached(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether a thing is come from in one text and gone to in the other, or one and every."""
    here, there = _roles_of(one), _roles_of(other)
    return any(here[thing].isdisjoint(there[thing]) for thing in here.keys() & there.keys())


def _roles_of(said: Sequence[str]) -> dict[tuple[str, str], set[str]]:
    """The roles of each thing, by kind of role and the thing's stem."""
    found: dict[tuple[str, str], set[str]] = {}
    for place, word in enumerate(said):
        kind, role = _ROLES.get(word, ("", ""))
        if not kind:
            continue
        rest = [thing for thing in said[place + 1 : place + 3] if thing not in _ARTICLES]
        if rest and rest[0] not in words("common"):
            found.setdefault((kind, stem(rest[0])), set()).add(role)
    return found


def _persons(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether somebody acts in `one` and is acted on in `other`, or owns who acts there."""
    acting, acted = _acting(one), _acted_on(one)
    actors, others = _acting(other), _acted_on(other)
    if (acting - acted) & (others - actors):
        return True
    return bool(acting & {"i", "we"}) and not actors and _owned_subject(other)


def _acting(said: Sequence[str]) -> set[str]:
    return set(_SUBJECTS.intersection(said))


def _acted_on(said: Sequence[str]) -> set[str]:
    return {
        _OBJECTS[word]
        for before, word in pairwise(("", *said))
        if word in _OBJECTS and before not in _COURTESY
    }


def _owned_subject(said: Sequence[str]) -> bool:
    """Whether the question opens on what somebody owns: can my ex …"""
    return len(said) > 1 and said[0] in _AUXILIARIES and said[1] in _OWNERS


def _subject_asked(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one asks who did it and the other to whom: who taught X, who did X teach."""
    if not (one and other and one[0] in _SUBJECTIVE and one[0] == other[0]):
        return False
    plain, helped = sorted((one, other), key=lambda said: not _AUXILIARIES.isdisjoint(said))
    if not _AUXILIARIES.isdisjoint(plain) or _DO.isdisjoint(helped):
        return False
    # "What the purpose" lost its "is": only a verb or a noun can stand here.
    return len(plain) > 1 and plain[1] not in words("common")


def _narrowing(said: Sequence[str]) -> set[str]:
    """Words that narrow a question to another one: remotely, permanently, raw, long-term."""
    found = set(words("narrowing").intersection(said))
    plain = [word for word in said if word != "-"]
    found.update(before for before, word in pairwise(plain) if word == "term" and before in _SPANS)
    return found
