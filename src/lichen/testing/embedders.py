"""EmbedderContract: what every embedder keeps.

    class TestMyEmbedder(EmbedderContract):
        @pytest.fixture
        def embedder(self) -> Embedder:
            return MyEmbedder()

A plug-in that passes can be configured in place of the built-in one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from lichen.ledger.ports import Embedder

# Runs of other shapes round differently; a cosine moves by less than that.
_ROUNDING = 1e-4
_TEXTS = (
    "How do I learn to swim?",
    "What is the best way to learn swimming?",
    "Which gas do plants take from the air?",
    "",
    "   ",
    "Wie lerne ich schwimmen? 游泳 🏊",
    "one " * 2000,
)


class EmbedderContract:
    """The laws of `Embedder`; inherit it and give `embedder`."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        """The embedder under test."""
        raise NotImplementedError("give the embedder under test")

    def test_vectors_are_of_length_one_whatever_the_text(self, embedder: Embedder) -> None:
        """Empty, blank, foreign and over-long texts included."""
        vectors = embedder.embed(_TEXTS)

        assert vectors.shape == (len(_TEXTS), embedder.dimension)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=_ROUNDING)

    def test_no_texts_give_no_vectors(self, embedder: Embedder) -> None:
        """The shape holds all the same."""
        vectors = embedder.embed([])

        assert vectors.shape == (0, embedder.dimension)

    def test_a_text_has_one_vector_whatever_comes_with_it(self, embedder: Embedder) -> None:
        """Alone, in a batch and in another order: what is stored is compared with what comes."""
        alone = np.vstack([embedder.embed([text]) for text in _TEXTS])

        together = embedder.embed(_TEXTS)
        reversed_ = embedder.embed(_TEXTS[::-1])[::-1]

        assert np.abs(together - alone).max() < _ROUNDING
        assert np.abs(reversed_ - alone).max() < _ROUNDING

    def test_like_texts_are_nearer_than_unlike_ones(self, embedder: Embedder) -> None:
        """What vectors are for."""
        one, like, unlike = embedder.embed(_TEXTS[:3])

        assert one @ like > one @ unlike

    def test_threads_share_it(self, embedder: Embedder) -> None:
        """Eight at once get what one gets."""
        expected = embedder.embed(_TEXTS)

        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda _: embedder.embed(_TEXTS), range(8)))

        assert all(np.abs(vectors - expected).max() < _ROUNDING for vectors in got)

    def test_it_says_whether_it_reads_a_text_whole(self, embedder: Embedder) -> None:
        """A text that was cut is like others by its beginning alone."""
        assert embedder.is_whole(_TEXTS[0])

    def test_it_has_a_name_that_its_vectors_go_by(self, embedder: Embedder) -> None:
        """Vectors of another embedder are told from these."""
        assert embedder.name
