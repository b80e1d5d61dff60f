"""Nearest: the nearest of many unit vectors, by their signs first and by their values then.

    h(a, b) = bits in which sign(a) and sign(b) differ        of the first half, all n
                                                              of all, those with a small one
    cos(a, b) ≈ s · Σ_i a_i b_i,  a_i in -127 … 127           the candidates with the smallest h

n  vectors                          [1]
s  scale that a vector was kept by  [1]

A search reads 24 bytes of each vector of 384 dimensions: at 100,000 of them it takes 0.4 ms of one
core, and adding or removing one takes some 10 µs. A graph (HNSW) searches faster and pays more for
each vector that comes than it spares where every search that finds nothing adds one; decision 12
has the measurements.

Source: Charikar, "Similarity estimation techniques from rounding algorithms" (STOC 2002), for signs
as a measure of angle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Candidates by sign whose cosines are worked out; ties come on top. Of the four nearest of 100,000
# real questions 99 % are among them: benchmarks/similar.
_CANDIDATES = 96
# Rows by the first half of their signs whose others are compared: about so many, or this share.
_HALFWAY, _HALFWAY_SHARE = 2000, 0.02
# Words of 64 signs in that half: their sum fits in a byte, and is less than what no row holds.
_HALF = 3
_EMPTY = 255
# Rows of which the distribution of distances is guessed.
_SAMPLE = 8192
_FIRST = 8
_LEVELS = 127


class Near(NamedTuple):
    """A row, and how near its vector is: the cosine of the angle between them, -1 … 1."""

    row: int
    cosine: float


class Small(NamedTuple):
    """A unit vector in one byte a dimension; value = level × scale."""

    levels: NDArray[np.int8]
    scale: float


def small(vector: NDArray[np.float32]) -> Small:
    """A unit vector, (dimension,), made small: cosines move by less than 0.005."""
    import numpy as np  # noqa: PLC0415 (heavy)

    scale = float(np.abs(vector).max()) / _LEVELS or 1.0
    return Small(np.rint(vector / scale).astype(np.int8), scale)


class Nearest:
    """Vectors by row numbers that whoever adds them gives; small numbers take less room.

    Not safe among threads: whoever shares it takes turns.
    """

    def __init__(self, dimension: int) -> None:
        import numpy as np  # noqa: PLC0415 (heavy)

        self._dimension = dimension
        self._words = -(-dimension // 64)
        self._levels = np.zeros((0, dimension), np.int8)
        self._scales = np.zeros(0, np.float32)
        # By column: the first 64 signs of all vectors, then the next.
        self._signs = np.zeros((self._words, 0), np.uint64)
        self._empty = np.zeros(0, np.uint8)
        self._end = self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, row: int, vector: Small) -> None:
        """Take a vector under a row number that is free."""
        if row >= len(self._scales):
            self._grow(row)
        self._levels[row], self._scales[row] = vector
        self._signs[:, row] = self._signs_of(vector.levels)
        self._empty[row] = 0
        self._end = max(self._end, row + 1)
        self._count += 1

    def _grow(self, row: int) -> None:
        import numpy as np  # noqa: PLC0415 (heavy)

        old = len(self._scales)
        new = max(row + 1, 2 * old, _FIRST)
        for name, value in (("_levels", 0), ("_scales", 0), ("_empty", _EMPTY)):
            had = getattr(self, name)
            grown = np.full((new, *had.shape[1:]), value, had.dtype)
            grown[:old] = had
            setattr(self, name, grown)
        signs = np.zeros((self._words, new), np.uint64)
        signs[:, :old] = self._signs
        self._signs = signs

    def _signs_of(self, levels: NDArray[np.int8] | NDArray[np.float32]) -> NDArray[np.uint64]:
        import numpy as np  # noqa: PLC0415 (heavy)

        packed = np.zeros(8 * self._words, np.uint8)
        bits = np.packbits(levels > 0)
        packed[: len(bits)] = bits
        return packed.view(np.uint64)

    def remove(self, row: int) -> None:
        """Forget a vector; its bytes are overwritten."""
        self._empty[row] = _EMPTY
        self._levels[row] = 0
        self._signs[:, row] = 0
        self._count -= 1

    def find(self, vector: NDArray[np.float32], most: int) -> list[Near]:
        """The rows nearest to a unit vector, (dimension,), nearest first; at most so many."""
        import numpy as np  # noqa: PLC0415 (heavy)

        if not self._count:
            return []
        rows = self._candidates(vector)
        cosines = self._levels[rows].astype(np.float32) @ vector * self._scales[rows]
        best = np.argsort(-cosines, kind="stable")[:most]
        return [Near(int(rows[n]), float(cosines[n])) for n in best]

    def _candidates(self, vector: NDArray[np.float32]) -> NDArray[np.intp]:
        """Rows whose signs differ least from the vector's."""
        import numpy as np  # noqa: PLC0415 (heavy)

        if self._count <= _CANDIDATES:
            return np.flatnonzero(self._empty[: self._end] == 0)
        signs = self._signs_of(vector)
        first = min(_HALF, -(-self._words // 2))
        differing = self._half(signs[:first])
        most = max(_HALFWAY, int(_HALFWAY_SHARE * self._count))
        # Of a sample: to count them all would take as long as what it spares.
        step = max(1, self._end // _SAMPLE)
        limit = min(_least(differing[::step], most / step), 64 * first)
        rows = np.flatnonzero(differing <= limit)
        in_all = differing[rows].astype(np.uint16)
        for column, word in zip(self._signs[first:], signs[first:], strict=True):
            in_all += np.bitwise_count(column[rows] ^ word)
        return rows[in_all <= _least(in_all, _CANDIDATES)]

    def _half(self, signs: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """In how many of the first signs each row differs; 255 where it holds nothing."""
        import numpy as np  # noqa: PLC0415 (heavy)

        differing = self._empty[: self._end].copy()
        crossed, counts = np.empty(self._end, np.uint64), np.empty(self._end, np.uint8)
        for column, word in zip(self._signs, signs, strict=False):
            np.bitwise_xor(column[: self._end], word, out=crossed)
            np.bitwise_count(crossed, out=counts)
            differing += counts
        differing |= self._empty[: self._end]
        return differing


def _least(distances: NDArray[np.uint8] | NDArray[np.uint16], most: float) -> int:
    """The distance within which that many lie, by counting, which takes a third of any sort."""
    import numpy as np  # noqa: PLC0415 (heavy)

    return int(np.searchsorted(np.cumsum(np.bincount(distances)), most))
