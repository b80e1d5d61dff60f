"""A gateway with a gate: rules, budgets, and no holdout unless a test asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.testing.callers import House
    from lichen.testing.upstreams import Act


class Gated(Protocol):
    """Builds a house whose gate has these tables."""

    def __call__(self, *script: Act, gate: dict[str, Any], **settings: Any) -> House: ...


@pytest.fixture
def gated(build: Callable[..., House]) -> Gated:
    def made(*script: Act, gate: dict[str, Any], **settings: Any) -> House:
        settings.setdefault("holdout", {"share": 0})
        return build(*script, gate=gate, **settings)

    return made
