"""The built-in index keeps NearestContract."""

from __future__ import annotations

import pytest

from lichen.testing.nearest import DIMENSION, NearestContract
from lichen.text.nearest import Nearest


class TestNearest(NearestContract):
    @pytest.fixture
    def index(self) -> Nearest:
        return Nearest(DIMENSION)
