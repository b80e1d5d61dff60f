"""Toll: a budget's charge, taken once it is known that a call is made for itself.

Identical calls under way share one (lichen.calls.coalesce), and only the one that is made costs
anything. So the gate charges none of them when they come: the exchange carries the toll, and
whoever lets calls share pays it for the one that goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lichen.calls.exchange import Answer, Exchange, Onward


@runtime_checkable
class Sharing(Protocol):
    """A step that lets identical calls share one, and pays the toll of those that go."""

    def may_share(self, exchange: Exchange) -> bool:
        """Whether an exchange may share a call with others at all."""
        ...


async def paid(exchange: Exchange, onward: Onward) -> Answer:
    """The toll of a call that was charged before, when it was left to wait."""
    return await onward(exchange)


class Toll:
    """Charges and goes onward, and only goes onward once that is done."""

    def __init__(self, charge: Callable[[Exchange, Onward], Awaitable[Answer]]) -> None:
        self._charge = charge
        self.paid = False

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Go onward, charged; or the refusal of a budget."""
        if self.paid:
            return await onward(exchange)
        self.paid = True
        return await self._charge(exchange, onward)
