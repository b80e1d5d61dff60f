"""Late: an item as an exchange again, sent through the whole pipeline.

It goes in from outside, so that a stored answer serves it, the gate may answer it, and what the
steps spare is theirs. What it carries beside its call: the same Idempotency-Key at every attempt,
and, in its entry, which item it was, when it arrived and whether it may have been sent twice.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lichen.calls import directives
from lichen.calls.acts import Act
from lichen.calls.exchange import Answer, Exchange
from lichen.calls.gate.toll import paid
from lichen.calls.providers.doors import door_of
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from lichen.calls.acts import Use
    from lichen.calls.batch.item import Item
    from lichen.calls.batch.keyring import Keyring
    from lichen.calls.steps import Layers

STRATEGY = "calls.batch"
DEFERRED = "deferred/1"
# What an entry says of an item.
WHICH, ARRIVED, TWICE = "deferred", "deferred_arrived_us", "maybe_sent_twice"
_KEY = b"idempotency-key"


class Late:
    """Sends items through the layers, once these stand."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.layers: Layers | None = None

    async def __call__(self, item: Item) -> Answer:
        """The answer to an item.

        Raises:
            UpstreamError: none could be had.
        """
        assert self.layers is not None
        door = door_of(item.target.encode("latin-1"))
        try:
            exchange = self.exchange(item)
            self.layers.admit(exchange)
        except InputError as error:
            body = door.dialect.error_body(400, str(error), "invalid_body")
            return Answer(400, [(b"content-type", b"application/json")], body)
        if (ready := self.layers.at_once(exchange)) is not None:
            return Answer(ready[0], _pairs(ready[1]), ready[2], source="hit")
        return await self.layers.onward(exchange)

    def exchange(self, item: Item) -> Exchange:
        """An item as it came, with its caller's credential.

        Raises:
            InputError: its body is no JSON object.
        """
        target = item.target.encode("latin-1")
        door = door_of(target)
        headers = [
            *item.headers,
            *self._keyring.of(item.tenant),
            (_KEY, item.key.encode("latin-1")),
        ]
        wished = b",".join(value for name, value in item.headers if name == b"cache-control")
        exchange = Exchange(
            "POST",
            item.target,
            headers,
            item.body,
            item.tenant,
            time.time_ns() // 1000,
            directives.parse(wished) if wished else directives.NO_WISHES,
            provider=door.provider,
            payer=self._payer(item, door.provider),
        )
        exchange.call = door.dialect.read_call(door.kind, target, item.body)
        if item.held:
            exchange.toll = paid
        exchange.raw[WHICH] = item.id
        exchange.raw[ARRIVED] = item.arrived_us
        if item.twice:
            exchange.raw[TWICE] = 1
        return exchange

    def _payer(self, item: Item, provider: str) -> str:
        """Who pays for an item, as for a call that does not wait."""
        shown = b"".join(b"\0%b=%b" % pair for pair in self._keyring.of(item.tenant))
        if self.layers is None or (item.needs_key and not shown):
            return item.tenant
        return self.layers.payer(shown, provider)


def note_delay(exchange: Exchange) -> None:
    """Note that a call runs later than it arrived, if it is one from the queue."""
    noted = exchange.noted
    if noted is None or ARRIVED not in noted.raw:
        return
    arrived_us = int(noted.raw[ARRIVED])

    def undo(use: Use) -> Use:
        return use._replace(at_us=arrived_us)

    raw = {WHICH: noted.raw[WHICH], ARRIVED: arrived_us}
    exchange.acts.append(Act(STRATEGY, DEFERRED, undo, raw))


def _pairs(head: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of a block."""
    lines = (line.partition(b": ") for line in head.split(b"\r\n") if line)
    return [(name, value) for name, _, value in lines]
