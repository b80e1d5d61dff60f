"""Wrapping: steps around the innermost layer of a call, as layers of an onion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.exchange import Onward, Step


def pipeline(steps: Sequence[Step], innermost: Onward) -> Onward:
    """The steps wrapped around the innermost layer, the first step outermost."""
    onward = innermost
    for step in reversed(steps):
        onward = _layer(step, onward)
    return onward


def _layer(step: Step, onward: Onward) -> Onward:
    # A closure and no partial: that would build a dictionary at every layer of every call.
    passes = getattr(step, "passes", None)
    if passes is None:
        return lambda exchange: step(exchange, onward)
    return lambda exchange: onward(exchange) if passes(exchange) else step(exchange, onward)
