"""Question pairs as traffic: every text once, in a random order, and who is the same as whom.

Two texts are the same question where a chain of labels "same" joins them, or where their words are
the same; they are different where a label "not the same" joins their classes. All others nobody
judged: they count neither way in the main figures, and as wrong in the worst case.
"""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lichen.calls.similar.facts import plain
from lichen.calls.similar.guards import differ
from lichen.calls.similar.kinds import Kind, kind_of
from lichen.calls.similar.verify import worded
from lichen.text.embeddings import MiniLm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PAIRS: Final = Path(__file__).parents[3] / "shared" / "data" / "text" / "question_pairs.tsv.gz"
_NEIGHBOURS: Final = 48
NEAR: Final = 0.8
# Of twenty parts of the components, these are for the prior's weights and never asked here.
_PRIOR_PARTS: Final = 3
_PARTS: Final = 20


class Judged(NamedTuple):
    """A neighbour: its text's number, the cosine, and whether a guard tells them apart."""

    text: int
    cosine: float
    differs: bool


class _Classes:
    """Union-find over numbers."""

    def __init__(self, count: int) -> None:
        self._up = list(range(count))

    def find(self, one: int) -> int:
        while self._up[one] != one:
            self._up[one] = self._up[self._up[one]]
            one = self._up[one]
        return one

    def join(self, one: int, other: int) -> None:
        self._up[self.find(one)] = self.find(other)


class Traffic:
    """The texts, their neighbours, and the judgement."""

    def __init__(self) -> None:
        self.pairs = _read()
        numbers: dict[str, int] = {}
        for one, other, _ in self.pairs:
            numbers.setdefault(one, len(numbers))
            numbers.setdefault(other, len(numbers))
        self.texts = list(numbers)
        self.labels = [(numbers[a], numbers[b], same) for a, b, same in self.pairs]
        same, joined = _Classes(len(self.texts)), _Classes(len(self.texts))
        self._join_equal(same)
        for first, second, label in self.labels:
            joined.join(first, second)
            if label:
                same.join(first, second)
        self.classes = [same.find(n) for n in range(len(self.texts))]
        for n, found in enumerate(self.classes):
            joined.join(n, found)
        self._parts = [(joined.find(n) * 2654435761 >> 7) % _PARTS for n in range(len(self.texts))]
        self._apart = {
            frozenset((self.classes[a], self.classes[b]))
            for a, b, label in self.labels
            if not label
        }
        self._near: tuple[list[list[int]], list[list[float]]] | None = None
        self._differs: dict[tuple[int, int], bool] = {}
        self._worded: dict[tuple[int, int], tuple[float, ...]] = {}
        self._kinds: dict[tuple[int, int], Kind] = {}

    def _join_equal(self, same: _Classes) -> None:
        seen: dict[str, int] = {}
        for number, text in enumerate(self.texts):
            same.join(number, seen.setdefault(plain(text), number))

    def asked(self, seed: int, *, prior: bool = False) -> list[int]:
        """Texts in the order of a seed; those for the prior, or all the others."""
        order = np.random.default_rng(seed).permutation(len(self.texts)).tolist()
        return [n for n in order if (self._parts[n] < _PRIOR_PARTS) == prior]

    def judge(self, one: int, other: int) -> bool | None:
        """Whether an answer to one serves the other; None where nobody judged."""
        here, there = self.classes[one], self.classes[other]
        if here == there:
            return True
        return False if frozenset((here, there)) in self._apart else None

    def near(self, number: int, stored: Sequence[int] | bytearray) -> list[Judged]:
        """Stored neighbours with a cosine of .8 or more, nearest first."""
        if self._near is None:
            self._near = _neighbours(self.texts)
        texts, cosines = self._near
        found = []
        for other, cosine in zip(texts[number], cosines[number], strict=True):
            if cosine < NEAR:
                break
            if stored[other]:
                found.append(Judged(other, cosine, self._told_apart(number, other)))
        return found

    def _told_apart(self, one: int, other: int) -> bool:
        key = (min(one, other), max(one, other))
        if key not in self._differs:
            self._differs[key] = differ(self.texts[one], self.texts[other]) is not None
        return self._differs[key]

    def worded(self, one: int, other: int) -> tuple[float, ...]:
        """The features of two texts' words, kept for the next seed."""
        if (one, other) not in self._worded:
            self._worded[one, other] = worded(self.texts[one], self.texts[other])
        return self._worded[one, other]

    def kind(self, one: int, other: int, group: int) -> Kind:
        """The kind of two texts as a would-be hit, kept for the next seed but for its group."""
        if (one, other) not in self._kinds:
            self._kinds[one, other] = kind_of(self.texts[one], self.texts[other], b"")
        return self._kinds[one, other]._replace(group=group.to_bytes(4))


def _read() -> list[tuple[str, str, bool]]:
    with gzip.open(PAIRS, "rt", encoding="utf-8") as lines:
        next(lines)
        rows = [line.rstrip("\n").split("\t") for line in lines]
    return [(one, other, same == "1") for one, other, same in rows]


def _neighbours(texts: Sequence[str]) -> tuple[list[list[int]], list[list[float]]]:
    """The nearest texts of each, and their cosines; kept in the folder for temporary files."""
    name = hashlib.sha256(PAIRS.read_bytes() + MiniLm.name.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"lichen-similar-{name}.npz"
    if not path.exists():
        vectors = MiniLm().embed(texts)
        nearest, cosines = _search(vectors)
        np.savez(path, nearest=nearest, cosines=cosines)
    with np.load(path) as kept:
        return kept["nearest"].tolist(), kept["cosines"].tolist()


def _search(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    count = len(vectors)
    nearest = np.zeros((count, _NEIGHBOURS), np.int32)
    cosines = np.zeros((count, _NEIGHBOURS), np.float32)
    for start in range(0, count, 512):
        block = vectors[start : start + 512] @ vectors.T
        rows = np.arange(len(block))
        block[rows, start + rows] = -1
        found = np.argpartition(-block, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
        values = np.take_along_axis(block, found, 1)
        order = np.argsort(-values, axis=1)
        nearest[start : start + len(block)] = np.take_along_axis(found, order, 1)
        cosines[start : start + len(block)] = np.take_along_axis(values, order, 1)
    return nearest, cosines
