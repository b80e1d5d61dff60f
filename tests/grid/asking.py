"""A live source and the server it asks, for one test."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from lichen.grid.live import LiveSource
from lichen.grid.web import Web
from lichen.testing.grid_api import Answer, GridApi, Question
from lichen.testing.live_grids import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2026, 11, 20, 12, 7, tzinfo=UTC)
Source = TypeVar("Source", bound=LiveSource)


class Asked(NamedTuple, Generic[Source]):
    """All that a test of a source needs."""

    source: Source
    api: GridApi
    clock: Clock


@contextmanager
def asking(
    kind: type[Source],
    speak: Callable[[Clock], Callable[[Question], Answer]],
    *credentials: str,
) -> Iterator[Asked[Source]]:
    """A source of this kind, asking a server that speaks so."""
    clock = Clock(NOW)
    with GridApi(speak(clock)) as api:
        source = kind(Web(kind.name, api.url, clock=clock), *credentials)
        yield Asked(source, api, clock)
