"""Every compressor keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.calls.compress.extract import Extract
from lichen.ledger.errors import MissingExtra
from lichen.testing.compressors import CompressorContract
from lichen.text.embeddings import MiniLm

if TYPE_CHECKING:
    from lichen.calls.compress.compressor import Compressor


class TestExtract(CompressorContract):
    @pytest.fixture
    def compressor(self) -> Compressor:
        try:
            return Extract(MiniLm)
        except MissingExtra as error:
            pytest.skip(str(error))
