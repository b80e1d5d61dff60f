"""Nearest: the nearest of many unit vectors, by their signs first and by their values then.

    h(a, b) = bits in which sign(a) and sign(b) differ        all n, a few bytes each
    cos(a, b) ≈ s · Σ_i a_i b_i,  a_i in -127 … 127           the candidates with the smallest h

n  vectors                          [1]
s  scale that a vector was kept by  [1]

A search reads 48 bytes of each vector of 384 dimensions: at 100,000 of them it takes 0.6 ms of one
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
_CANDIDATES = 64
# Added to the distance of a row that holds nothing: more than any two vectors differ by.
_EMPTY = 30_000
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
        self._empty = np.zeros(0, np.uint16)
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

        empty = self._empty[: self._end]
        if self._count <= _CANDIDATES:
            return np.flatnonzero(empty == 0)
        differing = empty.copy()
        crossed = np.empty(self._end, np.uint64)
        for column, signs in zip(self._signs, self._signs_of(vector), strict=True):
            np.bitwise_xor(column[: self._end], signs, out=crossed)
            differing += np.bitwise_count(crossed)
        # By counting, which takes a third of the time of any sort.
        counts = np.bincount(np.minimum(differing, self._dimension + 1))
        limit = int(np.searchsorted(np.cumsum(counts), _CANDIDATES))
        return np.flatnonzero(differing <= min(limit, self._dimension))
