"""Every built-in executor that can run here keeps ExecutorContract."""

from __future__ import annotations

import pytest

from lichen.testing.executors import ExecutorContract
from lichen.train.green.local import Local


class TestLocal(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Local:
        return Local()
