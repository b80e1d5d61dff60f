"""Batching: /v1/batches over files that lichen keeps; OpenAI's clients make, watch and cancel them.

The lines of a batch go into the queue as calls of its caller, charged to the budgets that are for
them. Every batch is its caller's alone.

Source: OpenAI API reference, "Batch".
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from lichen.calls.batch.intake import Refused, deadline_of, kept_headers, new_id
from lichen.calls.batch.item import headers_to_text
from lichen.calls.batch.pages import failure
from lichen.calls.batch.progress import OURS, Arriving, advance_all
from lichen.calls.batch.shelf import Batch
from lichen.calls.batch.wire import batch_shown, metadata_of, said
from lichen.calls.exchange import CREDENTIALS
from lichen.calls.gate.fits import PROJECT
from lichen.calls.providers.doors import door_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.holding import Holding
    from lichen.calls.batch.item import Item
    from lichen.calls.batch.keyring import Keyring
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.batch.sender import Sender
    from lichen.calls.exchange import Answer, Exchange, Headers

SECOND_US = 1_000_000
BATCH = "batch_lichen_"
# Batches whose project is remembered until their lines are read, which takes seconds.
_NAMES = 10_000


class Ways(NamedTuple):
    """How calls go: alone or in a batch, with or without a caller's key, and how they are charged.

    `as_exchange` gives an item as the call it will be.
    """

    chosen: Callable[[Item], Item]
    keyless: Callable[[str], bool]
    holding: Holding
    as_exchange: Callable[[Item], Exchange]


class Batching:
    """Answers for batches, and brings them on."""

    def __init__(
        self, desk: Desk, sender: Sender, keyring: Keyring, options: BatchOptions, ways: Ways
    ) -> None:
        self._desk, self._sender, self._ways = desk, sender, ways
        self._keyring, self._options = keyring, options
        # Whose budget a batch is charged to beside its payer's: a name that is written nowhere.
        self._projects: dict[str, Headers] = {}

    async def begin(self, exchange: Exchange) -> Answer | None:
        """Make a batch; None where its file is the provider's.

        Raises:
            Refused: it asks for what cannot be.
        """
        try:
            asked = orjson.loads(exchange.body)
        except orjson.JSONDecodeError:
            return None
        file_id = asked.get("input_file_id") if isinstance(asked, dict) else None
        if not isinstance(file_id, str) or not file_id.startswith(OURS):
            return None
        file = await self._desk.work(lambda queue: queue.shelf.file(file_id, exchange.tenant))
        if file is None:
            return failure(400, f"there is no file {file_id} of this credential", "file_not_found")
        batch = self._new(exchange, asked, file_id)
        await self._desk.work(lambda queue: queue.shelf.put_batch(batch))
        self._keyring.take(exchange)
        project = [pair for pair in exchange.headers if pair[0] == PROJECT]
        if project and len(self._projects) < _NAMES:
            self._projects[batch.id] = project
        self._sender.soon()
        return said(batch_shown(batch))

    def _new(self, exchange: Exchange, asked: dict[str, Any], file_id: str) -> Batch:
        """The batch that a call asks for.

        Raises:
            Refused: an endpoint, a window or metadata that cannot be.
        """
        endpoint, window = asked.get("endpoint"), asked.get("completion_window")
        if not isinstance(endpoint, str) or not door_of(endpoint.encode()).kind:
            raise Refused(
                f"the endpoint {endpoint!r} is none whose calls lichen reads: use "
                "/v1/chat/completions, /v1/responses, /v1/completions or /v1/embeddings",
                "invalid_endpoint",
            )
        if not isinstance(window, str):
            raise Refused(f'completion_window must be "24h", got {window!r}', "invalid_window")
        now_us = self._sender.now_us()
        has_key = any(name in CREDENTIALS for name, _ in exchange.headers)
        kept = kept_headers(exchange, self._options)
        return Batch(
            id=new_id(BATCH),
            tenant=exchange.tenant,
            endpoint=endpoint,
            input_file=file_id,
            window=window,
            created_us=now_us,
            deadline_us=deadline_of(
                window.encode(), now_us, self._options.longest, "completion_window"
            ),
            headers=headers_to_text([pair for pair in kept if pair[0] != b"content-type"]),
            needs_key=has_key and not self._ways.keyless(endpoint),
            metadata=metadata_of(asked.get("metadata")),
            files_kept_us=int(self._options.files_kept * SECOND_US),
        )

    async def shown(self, batch_id: str, tenant: str) -> Answer | None:
        """A batch as it stands; None where the caller has none of that id."""
        batch = await self._desk.work(lambda queue: queue.shelf.batch(batch_id, tenant))
        return said(batch_shown(batch)) if batch else None

    async def cancel(self, batch_id: str, tenant: str) -> Answer | None:
        """Cancel what has not been sent of a batch."""
        batch = await self._desk.work(lambda queue: queue.shelf.batch(batch_id, tenant))
        if batch is None:
            return None
        if batch.status not in ("validating", "in_progress", "cancelling"):
            told = f"{batch_id} is {batch.status} and can no longer be cancelled"
            return failure(409, told, "cannot_cancel")
        if batch.status != "cancelling":
            times = {**batch.times, "cancelling_at": self._sender.now_us()}
            asked = replace(batch, status="cancelling", times=times)
            if await self._desk.work(lambda queue: queue.shelf.advance(asked)):
                batch = asked
            await self._desk.work(lambda queue: queue.shelf.cancel_items(batch_id))
            self._sender.soon()
        return said(batch_shown(batch))

    async def listed(self, tenant: str, place: tuple[str, str], most: int) -> list[dict[str, Any]]:
        """A caller's batches, the newest first, after one of them."""
        _, after = place
        batches = await self._desk.work(lambda queue: queue.shelf.batches(tenant, after, most))
        return [batch_shown(batch) for batch in batches]

    async def work(self) -> None:
        """Bring batches on: each from its lines to its answers."""
        loop, ways = asyncio.get_running_loop(), self._ways

        def charged(batch: Batch, items: list[Item]) -> list[Item] | None:
            # The queue's thread waits: budgets are charged where calls are.
            waits = self._charged(batch.id, items)
            return asyncio.run_coroutine_threadsafe(waits, loop).result()

        arriving = Arriving(ways.chosen, self._sender.fullness, charged, ways.holding.give_back)
        if await self._desk.work(lambda queue: advance_all(queue, self._options, arriving)):
            self._sender.wake()

    async def _charged(self, batch_id: str, items: list[Item]) -> list[Item] | None:
        project = self._projects.get(batch_id, [])

        def as_exchange(item: Item) -> Exchange:
            exchange = self._ways.as_exchange(item)
            exchange.headers += project
            return exchange

        charged = await self._ways.holding.charged(batch_id, items, as_exchange)
        if charged is not None:
            self._projects.pop(batch_id, None)
        return charged
