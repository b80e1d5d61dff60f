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
from math import inf
from typing import TYPE_CHECKING

from lichen.calls import directives
from lichen.calls.batch.batches import NoBatches
from lichen.calls.batch.choosing import Choosing
from lichen.calls.batch.fetched.paths import key_of, which_of
from lichen.calls.batch.item import OFFERED, Item
from lichen.calls.batch.offers import MAKING
from lichen.calls.batch.results import Results
from lichen.calls.exchange import Exchange
from lichen.calls.providers.doors import door_of
from lichen.calls.upstreams import serving
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.batch.batches import Ask, ProviderBatches
    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.item import Outcome
    from lichen.calls.batch.keyring import Keyring
    from lichen.calls.batch.late import Late
    from lichen.calls.batch.offers import Holder, Offer
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.exchange import Answer, Headers
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
        self._options, self._holder = options, holder
        self.choosing = Choosing(parts.book.pricer, parts.rules, parts.warn)
        self._results = Results(parts, late)
        self._refused: dict[str, float] = {}
        self._known: dict[str, ProviderBatches] = {}
        self.look_s = min(_LOOK_S, options.lease)
        # Adds to an outcome what it took of budgets.
        self.noted: Callable[[Item, Outcome], Outcome] = lambda _item, outcome: outcome

    def chosen(self, item: Item) -> Item:
        """The item as it goes: in the provider's batch, or alone, as it came.

        "auto" offers what may wait long enough, where a batch is the better of the two in money and
        energy.
        """
        batches = self._batches(item.target)
        provider = door_of(item.target.encode("latin-1")).provider
        if batches is None or not self._url(provider):
            return item
        if time.monotonic() < self._refused.get(provider, 0.0):
            return item
        if self._options.provider == "always":
            return replace(item, way=OFFERED)
        if item.deadline_us - item.arrived_us < batches.shortest_s * SECOND_US:
            return item
        return self.choosing.chosen(item)

    def _url(self, provider: str) -> str:
        """Where a provider's calls go; empty where that is no service."""
        try:
            return serving(self._parts.upstream, provider).url
        except UpstreamError:
            return ""

    def _batches(self, target: str) -> ProviderBatches | None:
        """The batches that calls to a target may go in."""
        name = door_of(target.encode("latin-1")).provider
        if name not in self._known:
            for point in entry_points(group="lichen.batches", name=name):
                self._known[name] = point.load()()
        known = self._known.get(name)
        return known if known is not None and known.takes(target) else None

    async def work(self) -> None:
        """Make offers of what waits for one; look at those that run."""
        tenants = self._keyring.tenants()
        margin_us = int((self._options.margin + 3600) * SECOND_US)
        if self._options.provider == "auto":
            now_us = await self._desk.work(lambda queue: queue.now_us())
            await self._desk.work(lambda queue: queue.offers.alone(now_us + margin_us))
        holder, every_us = self._holder, int(self.look_s * SECOND_US)
        offer = await self._desk.work(
            lambda queue: queue.offers.make(holder, tenants, _MOST, self._largest)
        )
        due = await self._desk.work(lambda queue: queue.offers.due(holder, tenants, every_us))
        # At once: one that a provider lets wait holds up no other tenant's.
        many = [self._look(one) for one in [*due, *([offer] if offer is not None else [])]]
        await asyncio.gather(*many)

    def _largest(self, target: str) -> float:
        """How much the bodies of one batch may have together. [byte]"""
        batches = self._batches(target)
        return batches.largest if batches is not None else inf

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
            results = await batches.results(offer.remote, items, ask)
        except NoBatches as error:
            await self._denied(offer, error)
            return
        if results is not None:
            running = offer
            begun_us = await self._desk.work(lambda queue: queue.offers.books(running))
            outcomes = await self._results.outcomes(
                offer, items, results, share=batches.share, begun_us=begun_us
            )
            by_id = {item.id: item for item in items}
            ended = [self.noted(by_id[one.id], one) for one in outcomes]
            await self._desk.work(lambda queue: queue.offers.end(running, ended))

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

    async def _note_own(self, exchange: Exchange, answer: Answer) -> None:
        """Remember results that are booked here, so that nobody books them who fetches them too."""
        which = which_of(exchange.method, exchange.target, exchange.provider)
        if which is not None and answer.ok:
            url = serving(self._parts.upstream, exchange.provider).url
            key = key_of(which, exchange, url)
            await self._desk.work(lambda queue: queue.claims.done(key))

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
            await self._note_own(exchange, answer)
            if answer.stream is None:
                return answer.status, answer.body
            async with aclosing(answer.stream) as chunks:
                return answer.status, b"".join([chunk async for chunk in chunks])

        return ask
