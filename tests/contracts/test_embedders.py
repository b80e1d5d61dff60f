"""Every built-in embedder keeps EmbedderContract."""

from __future__ import annotations

import pytest

from lichen.testing.embedders import EmbedderContract
from lichen.text.embeddings import MiniLm


class TestMiniLm(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> MiniLm:
        return MiniLm()
