"""Kinds of would-be hits: how two questions differ, and whose answer it is.

    edit   = the words that one question has and the other lacks, and the other way round
    region = no word differs | only small words or forms differ | a word of content differs

A thousand repeats of one question, or of one trivial change of words, are one piece of evidence and
not a thousand: a would-be hit is of a new kind only where its group was not seen before in its band
of scores, nor its edit in that band and those beside it, an e-fold of odds in all. Which were seen
is remembered as bits, not as words: some kinds are taken for seen that were not, which costs
evidence and spoils none.

Source: ours; docs/method/similar.md. Bloom 1970 for a set that only errs towards "seen".
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from lichen.calls.similar.facts import read, stem
from lichen.calls.similar.words import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lichen.calls.similar.facts import Facts

REGIONS: Final = ("the same words", "other small words", "other words")
"""How far two questions' words are apart; each region needs evidence of its own."""

_BITS = 1 << 17
# Bands in which an edit counts once: one unit of log odds.
_BESIDE = 4


class Kind(NamedTuple):
    """What a would-be hit is one of: its region's number, and hashes of its edit and its group."""

    region: int
    edit: bytes
    group: bytes


def kind_of(stored: str, asked: str, group: bytes, facts: Callable[[str], Facts] = read) -> Kind:
    """The kind of a would-be hit; which of the two was stored does not matter.

    `facts` may remember what it has read.
    """
    one, other = Counter(facts(stored).words), Counter(facts(asked).words)
    sides = sorted((_side(one - other), _side(other - one)))
    edit = hashlib.blake2b("\n".join(sides).encode(), digest_size=8).digest()
    return Kind(_region(one, other), edit, group)


def _side(words_: Counter[str]) -> str:
    return " ".join(sorted(words_.elements()))


def _region(one: Counter[str], other: Counter[str]) -> int:
    if one == other:
        return 0
    return 1 if _content(one) == _content(other) else 2


def _content(words_: Iterable[str]) -> set[str]:
    return {stem(word) for word in words_ if word not in words("common")}


class SeenKinds:
    """Which edits and groups were seen in each band, as bits.

    Once half of the bits are set it begins anew: a kind counts again after some 65,000 others.
    """

    __slots__ = ("_bits", "_set")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all kinds."""
        self._bits = bytearray(_BITS // 8)
        self._set = 0

    def is_new(self, band: int, kind: Kind) -> bool:
        """Whether a kind is new in a band; from now on it is not."""
        places = (
            self._place(b"edit", band // _BESIDE, kind.edit),
            self._place(b"group", band, kind.group),
        )
        if any(self._bits[place >> 3] >> (place & 7) & 1 for place in places):
            return False
        if self._set > _BITS // 2:
            self.clear()
        for place in places:
            self._bits[place >> 3] |= 1 << (place & 7)
        self._set += len(places)
        return True

    @staticmethod
    def _place(what: bytes, band: int, value: bytes) -> int:
        made = hashlib.blake2b(b"%b %d %b" % (what, band, value), digest_size=4).digest()
        return int.from_bytes(made) % _BITS

    def state(self) -> str:
        """It as text, for JSON."""
        return base64.b85encode(zlib.compress(self._bits, 1)).decode()

    def restore(self, state: str) -> None:
        """Take up a `state`.

        Raises:
            ValueError, zlib.error: it is none.
        """
        bits = zlib.decompress(base64.b85decode(state))
        if len(bits) != _BITS // 8:
            raise ValueError("another number of kinds")
        self._bits = bytearray(bits)
        self._set = int.from_bytes(bits).bit_count()
