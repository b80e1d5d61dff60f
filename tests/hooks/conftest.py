"""A book in memory for the hooks of other people's frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import lichen

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def book() -> Iterator[lichen.Book]:
    with lichen.open("memory:", zone="SE-SE3") as book:
        yield book


class Broken:
    """Looks like a book and measures nothing."""

    def measure(self, *_: object, **__: object) -> object:
        """Fail."""
        raise OSError("the ledger's disk is gone")


@pytest.fixture
def broken() -> Broken:
    return Broken()
