"""A pipeline in this process, and a real provider on loopback for its clients to point at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

import lichen
from lichen.testing.provider import ScriptedProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.calls.pipeline import Pipeline


class Open(Protocol):
    """Opens pipelines, on one ledger unless told otherwise."""

    def __call__(self, **settings: Any) -> Pipeline: ...


@pytest.fixture
def upstream() -> Iterator[ScriptedProvider]:
    """A provider."""
    with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
def open_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens pipelines and closes them."""
    monkeypatch.chdir(tmp_path)
    opened: list[Pipeline] = []

    def open_pipeline(**settings: Any) -> Pipeline:
        given: dict[str, Any] = {"ledger": tmp_path / "lichen.db", "zone": "SE-SE3", **settings}
        opened.append(lichen.pipeline(given.pop("ledger"), zone=given.pop("zone"), **given))
        return opened[-1]

    yield open_pipeline
    for pipeline in opened:
        pipeline.close()
