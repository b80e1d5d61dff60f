"""Offering: what may wait a day goes to the provider's own batches, where it has them.

The provider chooses the time and asks half the price. When it ran is not told, so no carbon is
claimed for the delay; each answer is booked and kept as if its call had gone alone, and its entry
says which batch it came in. A provider without batches is found out once, and its calls go alone.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls import directives
from lichen.calls.batch.choosing import Choosing
from lichen.calls.batch.gather import with_gap
from lichen.calls.batch.item import OFFERED, Item, Outcome, State
from lichen.calls.batch.offers import MAKING
from lichen.calls.batch.openai_batches import NoBatches
from lichen.calls.exchange import Answer, Exchange, pipeline
from lichen.calls.keeping import Keeping
from lichen.calls.metered import Metered
from lichen.calls.providers.doors import door_of
from lichen.calls.providers.prices import price_of
from lichen.calls.upstreams import serving
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.keyring import Keyring
    from lichen.calls.batch.late import Late
    from lichen.calls.batch.offers import Holder, Offer
    from lichen.calls.batch.openai_batches import Ask, ProviderBatches, Result
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.exchange import Headers, Onward
    from lichen.calls.steps import StepParts

SECOND_US = 1_000_000
# How often a batch is looked at: it takes minutes to hours. [s]
_LOOK_S = 60.0
# How long a provider without batches is not asked again. [s]
_REFUSED_S = 3600.0
_MOST = 10_000
# How long work on one offer may take in one go. [s]
_OFFER_S = 600.0
# Denials in a row of a batch that the provider took, after pauses of 1, 2, 4 … looks: about 2 h.
_DENIALS = 8
# A provider's batch ran some time within its hours: its grid is taken at the time it was fetched.
TIME_UNKNOWN = "time-of-run-unknown"
_AGAIN = frozenset((408, 409, 425, 429))
_SERVER = 500


class Offering:
    """Gives items to the provider's batches and books what comes back."""

    def __init__(
        self,
        parts: StepParts,
        desk: Desk,
        keyring: Keyring,
        late: Late,
        options: BatchOptions,
        holder: Holder,
    ) -> None:
        self._parts, self._desk, self._keyring = parts, desk, keyring
        self._late, self._options, self._holder = late, options, holder
        self.choosing = Choosing(parts.book.pricer, parts.rules, parts.warn)
        self._booked: dict[str, tuple[_Ready, Onward]] = {}
        self._refused: dict[str, float] = {}
        self._known: dict[str, ProviderBatches] = {}
        self.look_s = min(_LOOK_S, options.lease)

    def chosen(self, item: Item) -> Item:
        """The item as it goes: in the provider's batch, or alone, as it came.

        "auto" offers what may wait long enough, where a batch is the better of the two in money and
        energy.
        """
        batches = self._batches(item.target)
        if batches is None or not self._parts.upstream.url:
            return item
        provider = door_of(item.target.encode("latin-1")).provider
        if time.monotonic() < self._refused.get(provider, 0.0):
            return item
        if self._options.provider == "always":
            return replace(item, way=OFFERED)
        if item.deadline_us - item.arrived_us < batches.shortest_s * SECOND_US:
            return item
        return self.choosing.chosen(item)

    def _batches(self, target: str) -> ProviderBatches | None:
        name = door_of(target.encode("latin-1")).provider
        if name not in self._known:
            for point in entry_points(group="lichen.batches", name=name):
                self._known[name] = point.load()()
        return self._known.get(name)

    async def work(self) -> None:
        """Make offers of what waits for one; look at those that run."""
        tenants = self._keyring.tenants()
        margin_us = int((self._options.margin + 3600) * SECOND_US)
        if self._options.provider == "auto":
            now_us = await self._desk.work(lambda queue: queue.now_us())
            await self._desk.work(lambda queue: queue.offers.alone(now_us + margin_us))
        holder, every_us = self._holder, int(self.look_s * SECOND_US)
        offer = await self._desk.work(lambda queue: queue.offers.make(holder, tenants, _MOST))
        due = await self._desk.work(lambda queue: queue.offers.due(holder, tenants, every_us))
        # At once: one that a provider lets wait holds up no other tenant's.
        many = [self._look(one) for one in [*due, *([offer] if offer is not None else [])]]
        await asyncio.gather(*many)

    async def _look(self, offer: Offer) -> None:
        """Bring an offer on; what fails is looked at again, after a pause that grows."""
        failed = False
        try:
            async with asyncio.timeout(_OFFER_S):
                await self._bring_on(offer)
        except (UpstreamError, TimeoutError) as error:
            self._parts.warn(error if str(error) else f"{offer.target}: a batch took too long")
            failed = True
        owner = self._holder.owner
        await self._desk.work(lambda queue: queue.offers.rest(offer, owner, failed=failed))

    async def _bring_on(self, offer: Offer) -> None:
        batches = self._batches(offer.target)
        items = await self._desk.work(lambda queue: queue.offers.items(offer))
        ask = self._asker(items[0]) if items else None
        if batches is None or ask is None:
            await self._desk.work(lambda queue: queue.offers.end(offer, []))
            return
        if offer.state == MAKING:
            running = await self._made(offer, items, batches, ask)
            if running is None:
                return
            offer = running
        try:
            results = await batches.results(offer.remote, ask)
        except NoBatches as error:
            await self._denied(offer, error)
            return
        if results is not None:
            outcomes = [
                await self._outcome(item, results[item.id], offer, batches.share)
                for item in items
                if item.id in results and _stands(results[item.id])
            ]
            await self._desk.work(lambda queue: queue.offers.end(offer, outcomes))

    async def _denied(self, offer: Offer, error: NoBatches) -> None:
        """The provider took the batch and now denies it; after some time its items go alone.

        Raises:
            UpstreamError: to be tried again: a credential or a route may be wrong for a while.
        """
        if offer.failures + 1 < _DENIALS:
            raise UpstreamError(f"the batch {offer.remote} cannot be looked at: {error}") from error
        self._parts.warn(f"the batch {offer.remote} is given up: {error}; its calls go one by one")
        await self._desk.work(lambda queue: queue.offers.mark(offer))
        await self._desk.work(lambda queue: queue.offers.end(offer, []))

    async def _made(
        self, offer: Offer, items: list[Item], batches: ProviderBatches, ask: Ask
    ) -> Offer | None:
        """The offer with the provider's id; None where it has none, or another process took it.

        One that was made before a kill is found again; where that cannot be, it is marked.
        """
        try:
            remote = await self._found(offer, batches, ask) if offer.again else ""
            remote = remote or await batches.make(offer.id, items, ask)
        except NoBatches as error:
            self._parts.warn(f"the provider takes no batch: {error}; its calls go one by one")
            provider = door_of(offer.target.encode("latin-1")).provider
            self._refused[provider] = time.monotonic() + _REFUSED_S
            await self._desk.work(lambda queue: queue.offers.end(offer, []))
            return None
        owner = self._holder.owner
        return await self._desk.work(lambda queue: queue.offers.runs(offer, owner, remote))

    async def _found(self, offer: Offer, batches: ProviderBatches, ask: Ask) -> str:
        """The id of a batch that may have been made before; empty where there is none to be found.

        Its first maker may be slow and not dead, so that what is not there may still come.
        """
        remote, looked = "", False
        try:
            if batches.finds:
                remote = await batches.find(offer.id, ask)
                looked = True
        finally:
            if not remote and (offer.taken or not looked):
                await self._desk.work(lambda queue: queue.offers.mark(offer))
        return remote

    def _asker(self, item: Item) -> Ask:
        """Asks the upstream with the item's credential and headers."""
        shared = [
            pair for pair in item.headers if pair[0] not in (b"content-type", b"accept-encoding")
        ]
        shared += self._keyring.of(item.tenant)

        async def ask(method: str, target: str, headers: Headers, body: bytes) -> tuple[int, bytes]:
            exchange = Exchange(
                method,
                target,
                [*headers, *shared, (b"accept-encoding", b"identity")],
                body,
                item.tenant,
                time.time_ns() // 1000,
                directives.NO_WISHES,
                provider=door_of(item.target.encode("latin-1")).provider,
            )
            answer = await self._parts.upstream.send(exchange)
            if answer.stream is None:
                return answer.status, answer.body
            async with aclosing(answer.stream) as chunks:
                return answer.status, b"".join([chunk async for chunk in chunks])

        return ask

    async def _outcome(self, item: Item, result: Result, offer: Offer, share: float) -> Outcome:
        """What came back for an item, booked and kept."""
        exchange = self._late.exchange(item)
        del exchange.raw["deferred_arrived_us"]
        exchange.raw["provider_batch"] = offer.remote
        _priced(exchange, result, share)
        if self._late.layers is not None:
            self._late.layers.admit(exchange)
        exchange.on_answer = with_gap(exchange.on_answer, TIME_UNKNOWN)
        ready, booked = self._booking(exchange.provider)
        ready.give(exchange, result)
        answer = await booked(exchange)
        state = State.ANSWERED if answer.ok else State.FAILED
        headers = [*answer.headers, *answer.notes]
        return Outcome(
            id=item.id, state=state, status=answer.status, headers=headers, body=answer.body
        )

    def _booking(self, provider: str) -> tuple[_Ready, Onward]:
        """The layers that book and keep, around answers that are at hand."""
        if provider not in self._booked:
            parts = self._parts
            ready = _Ready(serving(parts.upstream, provider))
            keeping = Keeping(parts.answers, entry_limit=parts.entry_limit)
            booked = pipeline([keeping], Metered(ready, parts.booker, parts.warn))
            self._booked[provider] = ready, booked
        return self._booked[provider]


def _priced(exchange: Exchange, result: Result, share: float) -> None:
    """Note what a call cost in a batch, and what it would have cost alone. [USD]

    Where its model has no known price, the share alone.
    """
    exchange.raw["price_share"] = share
    call = exchange.call
    try:
        answer = orjson.loads(result.body)
    except orjson.JSONDecodeError:
        return
    if call is None or not isinstance(answer, dict):
        return
    tokens = call.dialect.usage(call.kind, answer)
    price = price_of(exchange.provider, call.model, tokens.input) if tokens is not None else None
    if tokens is not None and price is not None:
        exchange.raw["price_share"] = price.batch
        exchange.raw["cost_usd"] = price.cost(tokens, batched=True).amount
        exchange.raw["cost_alone_usd"] = price.cost(tokens).amount


def _stands(result: Result) -> bool:
    """Whether an answer is one, and not a failure that another attempt may better."""
    return result.status not in _AGAIN and result.status < _SERVER


class _Ready:
    """An upstream whose answers are at hand: they came in a batch."""

    def __init__(self, upstream: Any) -> None:
        self.name, self.url, self.zone = upstream.name, upstream.url, upstream.zone
        self.model = upstream.model
        self.share = None
        self._results: dict[int, Result] = {}

    def give(self, exchange: Exchange, result: Result) -> None:
        """Have a result at hand for a call."""
        self._results[id(exchange)] = result

    async def send(self, exchange: Exchange) -> Answer:
        """The result at hand."""
        result = self._results.pop(id(exchange))
        return Answer(result.status, [(b"content-type", b"application/json")], result.body)

    async def close(self) -> None:
        """Nothing to release."""
