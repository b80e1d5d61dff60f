"""Conversation: the texts of one call, and how those of its earlier calls were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.compress.memory import AS_IT_CAME, HELD, SHORTENED
from lichen.calls.compress.prompt import places

if TYPE_CHECKING:
    from lichen.calls.compress.memory import Memory
    from lichen.calls.exchange import Call


class Conversation:
    """A call's texts. `who` tells the conversations of two tenants or routes apart."""

    def __init__(self, memory: Memory, call: Call, who: str) -> None:
        self._memory = memory
        view = call.dialect.view(call)
        self.places = list(places(view, f"{who}\0{call.model}".encode()))
        ways = [memory.how(place.chain) for place in self.places]
        self.is_held = HELD in ways
        self.is_shortened = SHORTENED in ways
        pinned = [number for number, place in enumerate(self.places, 1) if place.pinned]
        self.limit = view.limit
        # So many texts, from the first, went out before.
        self.known = max((number for number, how in enumerate(ways, 1) if how), default=0)
        self.is_pinned = bool(pinned)
        as_it_came = [number for number, how in enumerate(ways, 1) if how == AS_IT_CAME]
        # So many texts, from the first, go on as they are: they were sent so.
        self.sent_before = max((*pinned, *as_it_came), default=0)
        if pinned:
            memory.sent(self.places[pinned[-1] - 1].chain, AS_IT_CAME)

    @property
    def chain(self) -> bytes:
        """The hash of all texts; empty where there are none."""
        return self.places[-1].chain if self.places else b""

    def goes(self, how: str) -> None:
        """All texts go out so, from here on in every later call that begins with them."""
        if self.places:
            self._memory.sent(self.chain, how)
