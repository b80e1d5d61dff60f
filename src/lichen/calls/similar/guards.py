"""Guards: why two texts cannot be the same question, whatever their cosine says.

An embedding puts "is it safe" and "is it unsafe" at .98, a reversed route at .995. A guard compares
what the texts state, in a few microseconds, and names what differs. Guards only refuse: where they
find nothing, the texts may still be different questions, and the decision is the verifier's.

Source: ours; English first. A text in another language is refused unless it is the same text, since
what its words state is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lichen.calls.similar.affixes import turned
from lichen.calls.similar.facts import NUMERALS, Facts, plain, read, stem
from lichen.calls.similar.frames import substituted
from lichen.calls.similar.order import swapped
from lichen.calls.similar.roles import reversed_roles
from lichen.calls.similar.words import table, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ALIASES: Final = {
    "place",
    "tongue",
    "coding",
    "store",
    "frame",
    "system",
    "maker",
    "cloud",
    "browser",
}
"""Classes whose members are names: one that only one text holds makes another question."""


def differ(one: str, other: str) -> str | None:
    """The name of what makes `one` and `other` different questions, or None where no guard knows.

    Symmetric and deterministic; never raises. Texts that are equal as words never differ, unless
    their code or numbers do.
    """
    if one == other:
        return None
    reason = compare(read(one), read(other))
    if reason == "language" and plain(one) == plain(other):
        reason = compare(read(one), read(other), foreign=True)
    return reason


def compare(one: Facts, other: Facts, *, foreign: bool = False) -> str | None:
    """As `differ`, of facts that are read already; `foreign` lets any language pass."""
    for name, check in _CHECKS:
        if check(one, other) and not (foreign and name == "language"):
            return name
    return None


def _language(one: Facts, other: Facts) -> bool:
    if one.language != other.language or one.scripts != other.scripts or one.language != "en":
        return True
    foreign = one if one.english < other.english else other
    return bool(one.english or other.english) and not foreign.english and len(foreign.words) > 1


def _numbers(one: Facts, other: Facts) -> bool:
    if sorted(one.numbers) == sorted(other.numbers):
        return one.numbers != other.numbers
    return _beyond(one, other) or _beyond(other, one)


def _beyond(one: Facts, other: Facts) -> bool:
    """Whether `one` counts what `other` does not, but for a "1st" that is a "first" there."""
    left = list(other.numbers)
    for number in one.numbers:
        if number in left:
            left.remove(number)
        elif number != "1" or not other.marks.get("single"):
            return True
    return False


def _dates(one: Facts, other: Facts) -> bool:
    return _unlike(one, other, "date")


def _units(one: Facts, other: Facts) -> bool:
    return _unlike(one, other, "unit")


def _code(one: Facts, other: Facts) -> bool:
    return one.code != other.code


def _negation(one: Facts, other: Facts) -> bool:
    if len(one.marks.get("negation", ())) != len(other.marks.get("negation", ())):
        return True
    if bool(one.marks.get("avoid")) != bool(other.marks.get("avoid")):
        return True
    moved = set(one.scopes) ^ set(other.scopes)
    if moved:
        here, there = _stems(one), _stems(other)
        return any(word in here and word in there for word in moved)
    if turned(one.words, other.words):
        return True
    return _unprefixed(one, other) or _unprefixed(other, one)


_NEAR: Final = 3
_PREFIXES: Final = ("un", "in", "im", "ir", "il", "dis", "non", "mis", "de", "anti")


def _unprefixed(one: Facts, other: Facts) -> bool:
    """Whether a word of `one` is a word of `other` with a negating prefix."""
    here, there = set(one.words), set(other.words)
    return any(word.startswith(_PREFIXES) and _bare(word, there - here) for word in here - there)


def _bare(word: str, among: set[str]) -> bool:
    return any(
        word.startswith(prefix)
        and word[len(prefix) :] in among
        and len(word) - len(prefix) >= _NEAR
        for prefix in _PREFIXES
    )


def _poles(one: Facts, other: Facts) -> bool:
    here, there = one.marks.get("pole"), other.marks.get("pole")
    if not here or not there:
        return False
    first, second = set(here), set(there)
    for pole in first - second:
        against = _against(pole)
        if against in second and against not in first:
            return True
    return _crossed(here, there)


def _against(pole: str) -> str:
    return pole[:-1] + ("-" if pole[-1] == "+" else "+")


def _crossed(here: list[str], there: list[str]) -> bool:
    """Whether both sides of an axis are named, in another order: rise here and fall there."""
    for axis in {pole[:-1] for pole in here}:
        sides = [pole for pole in here if pole[:-1] == axis]
        others = [pole for pole in there if pole[:-1] == axis]
        if len(set(sides)) > 1 and len(set(others)) > 1 and sides[0] != others[0]:
            return True
    return False


def _asked(one: Facts, other: Facts) -> bool:
    here, there = set(one.marks.get("ask", ())), set(other.marks.get("ask", ()))
    if "how" in here and "how" in there and _measure(one) != _measure(other):
        return True
    here -= {"what"}
    there -= {"what"}
    return bool(here) and bool(there) and here.isdisjoint(there)


def _measure(facts: Facts) -> str:
    """What "how" asks for: many, much, long …; empty where it asks for a way."""
    said = facts.words
    place = said.index("how") + 1
    return said[place] if place < len(said) and said[place] in words("measures") else ""


def _names(one: Facts, other: Facts) -> bool:
    return _unnamed(one, other) or _unnamed(other, one)


def _unnamed(one: Facts, other: Facts) -> bool:
    """Whether `one` names what `other` does not hold, in any case, ending or alias."""
    if not one.names:
        return False
    there = set(other.words)
    missing = [name for name in one.names if name not in there]
    if not missing:
        return False
    stems = {_root(word) for word in there}
    values = set(other.marks.get("class", ()))
    held = set(one.marks.get("class", ())) & values
    joined = "".join(other.words)
    return any(
        _root(name) not in stems
        and not (len(name) > _NEAR and name in joined)
        and not _aliased(name, held)
        for name in missing
    )


def _root(name: str) -> str:
    return stem(name)[:12]


def _aliased(name: str, held: set[str]) -> bool:
    return any(mark.value in held for mark in table().marks.get(name, ()) if mark.group == "class")


def _classes(one: Facts, other: Facts) -> bool:
    """Whether members of a class that exclude one another stand in the two texts."""
    here, there = one.marks.get("class"), other.marks.get("class")
    if not here and not there:
        return _kin(one, other)
    first, second = set(here or ()), set(there or ())
    if first != second:
        beyond = [value.split(":") for value in first - second]
        missing = [value.split(":") for value in second - first]
        if {kind for kind, _ in beyond} & {kind for kind, _ in missing}:
            return True
        if any(kind in ALIASES and word not in words("weak") for kind, word in beyond + missing):
            return True
    return _kin(one, other)


def _kin(one: Facts, other: Facts) -> bool:
    here, there = set(one.marks.get("kin", ())), set(other.marks.get("kin", ()))
    return bool(here) and bool(there) and here.isdisjoint(there)


def _quoted(one: Facts, other: Facts) -> bool:
    return _unsaid(one.quotes, other) or _unsaid(other.quotes, one)


def _unsaid(quotes: Iterable[str], other: Facts) -> bool:
    if not quotes:
        return False
    there = " ".join(other.words)
    return any(said not in other.quotes and said not in there for said in quotes if said)


def _roles(one: Facts, other: Facts) -> bool:
    return swapped(one.words, other.words) or reversed_roles(one.words, other.words)


def _thing(one: Facts, other: Facts) -> bool:
    return substituted(one.words, other.words)


def _more(one: Facts, other: Facts) -> bool:
    """Whether one text says all that the other says and names a thing besides."""
    here, there = _said(one), _said(other)
    return bool(here and there) and (here < there or there < here)


def _said(facts: Facts) -> set[str]:
    """The stems of what is named, without words that only fill a question."""
    return {stem(word) for word in facts.words if word[0].isalnum() and not _idle(word)}


def _idle(word: str) -> bool:
    if word in words("common") or word in words("filler"):
        return True
    return any(mark.group in NUMERALS for mark in table().marks.get(word, ()))


def _unlike(one: Facts, other: Facts, group: str) -> bool:
    here, there = one.marks.get(group), other.marks.get(group)
    return (here or there) is not None and set(here or ()) != set(there or ())


def _stems(facts: Facts) -> set[str]:
    return {stem(word) for word in facts.words if word not in words("common")}


_CHECKS: Final[tuple[tuple[str, Callable[[Facts, Facts], bool]], ...]] = (
    ("language", _language),
    ("numbers", _numbers),
    ("units", _units),
    ("dates", _dates),
    ("code", _code),
    ("negation", _negation),
    ("polarity", _poles),
    ("asked", _asked),
    ("quoted", _quoted),
    ("class", _classes),
    ("names", _names),
    ("order", _roles),
    ("thing", _thing),
    ("more", _more),
)
