"""Desks with the step, made and closed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from lichen.testing.desks import Desk, expert

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from lichen.testing.callers import House


@pytest.fixture
async def open_desk(
    build: Callable[..., House],
) -> AsyncIterator[Callable[..., Awaitable[Desk]]]:
    """Opens desks: on, with a generous bound, hardly any call explored and none held out."""
    # The lot is drawn for one in a thousand at least: which, is to be the same in every run.
    random.seed(4)
    opened: list[Desk] = []

    async def open_(
        *script: Any, rule: dict[str, Any] | None = None, explore: float = 0.001, **more: Any
    ) -> Desk:
        route = {"similar": "on", "error": 0.3, "scope": "tenant", **(rule or {})}
        similar = {"explore": explore, **more.pop("section", {})}
        given = {"route": (route,), "similar": similar, "holdout": {"share": 0.0}, **more}
        house = build(*(script or (expert,)), **given)
        desk = Desk(house, error=route["error"])
        await desk.open()
        opened.append(desk)
        return desk

    yield open_
    for each in opened:
        await each.close()
