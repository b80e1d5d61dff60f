"""NearestContract: what every index of vectors keeps.

class TestMyIndex(NearestContract):
    @pytest.fixture
    def index(self) -> Nearest:
        return MyIndex(DIMENSION)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lichen.text.nearest import small

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lichen.text.nearest import Nearest

DIMENSION = 384
# Vectors are kept in a byte a dimension.
_ROUNDING = 0.005


def some(count: int, seed: int = 7) -> NDArray[np.float32]:
    """Unit vectors in clusters, as those of texts are: (count, 384)."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(max(1, count // 8), DIMENSION))
    made = centres[np.arange(count) % len(centres)] + 0.5 * draw.normal(size=(count, DIMENSION))
    return _long_one(made)


def _long_one(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


class NearestContract:
    """The laws of an index; inherit it and give `index`, an empty one of 384 dimensions."""

    @pytest.fixture
    def index(self) -> Nearest:
        """The index under test."""
        raise NotImplementedError("give the index under test")

    def test_it_finds_nothing_in_nothing(self, index: Nearest) -> None:
        """Before the first vector, and after the last was removed."""
        (vector,) = some(1)
        index.add(0, small(vector))
        index.remove(0)

        assert index.find(vector, 4) == []
        assert len(index) == 0

    @pytest.mark.parametrize("count", [1, 20, 2000])
    def test_a_vector_is_nearest_to_itself(self, index: Nearest, count: int) -> None:
        """Whatever the number of others, with its cosine."""
        vectors = some(count)
        for row, vector in enumerate(vectors):
            index.add(row, small(vector))

        found = [index.find(vector, 1)[0] for vector in vectors[:200]]

        assert [near.row for near in found] == list(range(min(count, 200)))
        assert all(abs(near.cosine - 1) < _ROUNDING for near in found)

    def test_it_finds_what_a_look_at_all_of_them_finds(self, index: Nearest) -> None:
        """Nearly always: at least 95 of 100 of the nearest, with their cosines, nearest first."""
        vectors = some(3000)
        asked = _long_one(0.8 * vectors[:50].astype(np.float64) + 0.6 * some(50, seed=8))
        for row, vector in enumerate(vectors):
            index.add(row, small(vector))

        found = [index.find(vector, 4) for vector in asked]

        truth = np.argsort(-(asked @ vectors.T), axis=1)[:, 0]
        right = [near[0].row == row for near, row in zip(found, truth, strict=True)]
        assert sum(right) >= 0.95 * len(right)
        for vector, near in zip(asked, found, strict=True):
            cosines = [each.cosine for each in near]
            assert cosines == sorted(cosines, reverse=True)
            assert all(abs(each.cosine - vectors[each.row] @ vector) < _ROUNDING for each in near)

    def test_what_was_removed_is_never_found_and_its_row_serves_again(self, index: Nearest) -> None:
        """Beyond a look at the few as well as within it."""
        vectors = some(500)
        for row, vector in enumerate(vectors):
            index.add(row, small(vector))
        for row in range(0, 500, 2):
            index.remove(row)

        found = {near.row for vector in vectors for near in index.find(vector, 300)}
        index.add(4, small(vectors[7]))

        assert found == set(range(1, 500, 2))
        assert {near.row for near in index.find(vectors[7], 2)} == {4, 7}
        assert len(index) == 251  # noqa: PLR2004

    def test_it_gives_no_more_than_was_asked_for(self, index: Nearest) -> None:
        """And all there are where there are fewer."""
        for row, vector in enumerate(some(10)):
            index.add(row, small(vector))

        assert len(index.find(some(1)[0], 3)) == 3  # noqa: PLR2004
        assert len(index.find(some(1)[0], 30)) == 10  # noqa: PLR2004
