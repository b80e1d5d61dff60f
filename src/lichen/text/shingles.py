"""Shingles: the cheap first look. Does any text of a scope share enough of the rarer words?

    c(a, b) = Σ_{w in a and b} idf(w) / max(Σ_{w in a} idf(w), Σ_{w in b} idf(w))
    idf(w) = ln(1 + N / (1 + n_w))

N    texts in the scope      [text]
n_w  texts that have word w  [text]

A text may only be similar to another if c ≥ `least`, or less than that among few texts. To find
that none is, it is enough to look at the texts that share one of the query's rarest words: those
that together weigh more than 1 − `least` of it, since a text without any of them cannot reach
`least` (prefix filter). Where that would take too many looks, the answer is maybe. Words are cut to
their first letters, so that "swim", "swims" and "swimming" are one; of scripts without spaces,
pairs of characters stand for words. Only hashes are kept.

Source: Chaudhuri, Ganti & Kaushik, "A primitive operator for similarity joins" (ICDE 2006), for the
prefix filter; Spärck Jones (1972) for idf.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# How much of the weight two texts must share, at least. Measured with benchmarks/similar.
LEAST = 0.4
# Texts looked at before the answer is maybe, at some 10 ns each. [text]
_MOST_LOOKS = 6000
# Among few texts idf says little, so less has to be shared: in proportion, up to so many. [text]
_FEW = 256
# A word is known by its first letters: a stemmer for all languages, if a coarse one.
_STEM = 5
_WORD = re.compile(r"[^\W_]+")
# Scripts that are written without spaces: Thai to Myanmar, Khmer, kana, ideographs.
# Source: Unicode Standard 16, code charts; UAX 29 (they need a dictionary).
_NO_SPACES = re.compile(r"[\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def words(text: str) -> frozenset[int]:
    """The words of a text as hashes of their stems, each once."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    found: set[str] = set()
    for word in _WORD.findall(plain):
        if _NO_SPACES.search(word):
            found.update(word[n : n + 2] for n in range(max(1, len(word) - 1)))
        else:
            found.add(word[:_STEM])
    return frozenset(map(hash, found))


class FirstLook:
    """The texts of one scope by their words; `might` is what there is to ask.

    Not safe among threads: whoever shares it takes turns.
    """

    def __init__(self, *, least: float = LEAST) -> None:
        import numpy as np  # noqa: PLC0415 (heavy)

        self._least = least
        self._having: dict[int, array[int]] = {}
        self._words: dict[int, frozenset[int]] = {}
        # A text's whole weight as it was when it came. Weights only grow with the texts there are,
        # so that an old one errs towards maybe.
        self._weight = np.zeros(8, np.float32)
        self._shared = np.zeros(8, np.float32)

    def __len__(self) -> int:
        return len(self._words)

    def add(self, row: int, found: frozenset[int]) -> None:
        """Take a text's words under a row number that is free; small numbers take less room."""
        self._words[row] = found
        if row >= len(self._weight):
            self._grow(row)
        for word in found:
            self._having.setdefault(word, array("i")).append(row)
        texts, having = len(self._words), self._having
        self._weight[row] = sum(_idf(len(having[word]), texts) for word in found)

    def _grow(self, row: int) -> None:
        import numpy as np  # noqa: PLC0415 (heavy)

        more = max(row + 1, 2 * len(self._weight)) - len(self._weight)
        self._weight = np.concatenate([self._weight, np.zeros(more, np.float32)])
        self._shared = np.zeros(len(self._weight), np.float32)

    def remove(self, row: int) -> None:
        """Forget a text."""
        for word in self._words.pop(row):
            rows = self._having[word]
            rows.remove(row)
            if not rows:
                del self._having[word]

    def might(self, found: frozenset[int]) -> bool:
        """Whether a text might be similar to one of these words; False is sure."""
        rows = self.like(found)
        return rows is None or bool(len(rows))

    def like(self, found: frozenset[int]) -> NDArray[np.int32] | None:
        """The rows that might be similar to a text of these words; of others it is sure.

        None where it would take too many looks to say.
        """
        import numpy as np  # noqa: PLC0415 (heavy)

        texts = len(self._words)
        rows = sorted((had for word in found if (had := self._having.get(word))), key=len)
        weights = [_idf(len(having), texts) for having in rows]
        left = sum(weights)
        # Words that no text has weigh the most, and nobody shares them.
        total = left + (len(found) - len(rows)) * _idf(0, texts)
        least = self._least * min(1.0, texts / _FEW)
        wanted = least * total
        # A text that has none of the words so far could share no more than what is left: so many
        # words, and of these the rows so far, have to be looked at.
        near = looks = words_in = 0
        for having, weight in zip(rows, weights, strict=True):
            if looks + len(having) > _MOST_LOOKS:
                break
            looks, words_in = looks + len(having), words_in + 1
            if left >= wanted:
                near = looks
            left -= weight
        if left >= wanted and texts:
            return None
        if not near:
            return np.zeros(0, np.int32)
        looked = np.concatenate([np.frombuffer(having, np.int32) for having in rows[:words_in]])
        counts = [len(having) for having in rows[:words_in]]
        shared = self._shared
        np.add.at(shared, looked, np.repeat(np.array(weights[:words_in], np.float32), counts))
        might = looked[:near]
        # Which could share enough, if they had all the words that were not looked at.
        enough = np.maximum(least * self._weight[might], wanted)
        reached = might[shared[might] + left >= enough]
        shared[looked] = 0
        return np.unique(reached)


def _idf(count: int, texts: int) -> float:
    return log(1 + texts / (1 + count))
