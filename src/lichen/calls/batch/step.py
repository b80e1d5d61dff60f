"""BatchStep: calls that can wait, as a step of the pipeline.

    a call with x-lichen-defer        kept on disk, then 202; sent when the grid is clean
    embeddings, where a rule says so  together with those of others
    /v1/lichen/deferred               what callers left
    /v1/files, /v1/batches            the Batch API, where `[batch] enabled = "on"`

Everything else passes; results of the provider's own batches are metered as they pass.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.batch.api import BatchApi
from lichen.calls.batch.batching import Ways
from lichen.calls.batch.database import open_database
from lichen.calls.batch.desk import Desk, trouble
from lichen.calls.batch.fetched.readdress import Readdressing
from lichen.calls.batch.fetched.step import FetchedStep
from lichen.calls.batch.fetched.watch import Watch
from lichen.calls.batch.forgetting import forget_waiting
from lichen.calls.batch.fullness import share_of
from lichen.calls.batch.gathering import Gathering
from lichen.calls.batch.greenest import Zones
from lichen.calls.batch.holding import Holding
from lichen.calls.batch.intake import Refused, item_of, wish
from lichen.calls.batch.keyring import Keyring
from lichen.calls.batch.late import Late, note_delay
from lichen.calls.batch.offering import Offering
from lichen.calls.batch.offers import Holder
from lichen.calls.batch.pages import ROOT, Pages, failure
from lichen.calls.batch.sender import Sender
from lichen.calls.batch.show import gauges, panels
from lichen.calls.keeping import Keeping
from lichen.calls.metered import Metered
from lichen.calls.providers.doors import door_of
from lichen.calls.upstreams import is_keyless, serving
from lichen.calls.wrapping import pipeline
from lichen.ledger.errors import InputError, StoreUnavailable, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.calls.batch.item import Item
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.exchange import Answer, Exchange, Onward, Upstream
    from lichen.calls.forget import Forget
    from lichen.calls.steps import Layers, StepParts
    from lichen.ledger.panel import Panel

_EMBEDDINGS = "embeddings"


def open_step(parts: StepParts) -> BatchStep | FetchedStep | None:
    """The step; None where nothing may wait, nothing is gathered and nothing watched."""
    options: BatchOptions = parts.options("batch")
    together = parts.rules.any("batch", "off")
    if options.enabled == options.defer == "off" and not together:
        return FetchedStep(parts, options) if options.fetched == "on" else None
    return BatchStep(parts, options, together=together)


class BatchStep:
    """The step; its own work begins at `start`."""

    def __init__(self, parts: StepParts, options: BatchOptions, *, together: bool) -> None:
        self._parts, self._options = parts, options
        self._keyring = Keyring()
        self._late = Late(self._keyring)
        self.desk = Desk(parts.place.database)
        self._holding = Holding(self.desk)
        self.sender = Sender(
            self.desk,
            self._late,
            keyring=self._keyring,
            greenest=Zones(parts.forecast, self._zone),
            options=options,
            warn=parts.warn,
        )
        self._offering = (
            Offering(parts, self.desk, self._keyring, self._late, options, self._holder())
            if options.provider != "never"
            else None
        )
        self.sender.noted = self._holding.noted
        if self._offering is not None:
            self._offering.noted = self._holding.noted
        self._watch = Watch(parts, self.desk, options) if options.fetched == "on" else None
        self._readdressed = Readdressing(options.results_url, parts.options("port"))
        self._pages = Pages(self.desk, self.sender, self._keyring)
        ways = Ways(self._chosen, self._keyless, self._holding, self._late.exchange)
        self._api = (
            BatchApi(self.desk, self.sender, self._keyring, options, ways)
            if options.enabled == "on"
            else None
        )
        self._gather = Gathering(parts.upstream, options) if together else None
        self._together = self._own_way(self._gather) if self._gather is not None else None
        self._plans: list[tuple[str, int, int, int, int]] = []
        self._running = False

    def _holder(self) -> Holder:
        """Who this process is to others that work on the same offers."""
        return Holder(self.sender.owner, int(self._options.lease * 1_000_000))

    def _own_way(self, gather: Gathering) -> Onward:
        """The layers below this one, around an upstream that gathers."""
        parts = self._parts
        keeping = Keeping(parts.answers, entry_limit=parts.entry_limit)
        return pipeline([keeping], Metered(gather, parts.booker, parts.warn))

    def joined(self, layers: Layers) -> None:
        """Calls from the queue go through these."""
        self._late.layers = layers
        self._holding.joined(layers)
        if self._offering is not None:
            self._offering.choosing.layers = layers

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Let it wait, answer for what waits, or pass it on."""
        if self._keyring.see(exchange):
            self.sender.wake()
        if exchange.call is None:
            return await self._beside(exchange, onward)
        if wish(exchange.headers) is not None:
            return await self._defer(exchange)
        if exchange.noted is not None:
            note_delay(exchange)
        if (
            self._together is not None
            and exchange.call.kind == _EMBEDDINGS
            and self._is_asked(exchange)
        ):
            return await self._together(exchange)
        return await onward(exchange)

    def _is_asked(self, exchange: Exchange) -> bool:
        call = exchange.call
        assert call is not None
        rule = exchange.rule or self._parts.rules.find(call.kind, call.model)
        return rule.batch == _EMBEDDINGS

    async def _beside(self, exchange: Exchange, onward: Onward) -> Answer:
        """What is no call to a model."""
        if exchange.target.startswith(ROOT):
            return await self._pages(exchange)
        if self._api is not None and self._api.serves(exchange):
            answer = await self._api(exchange, onward)
        elif wish(exchange.headers) is not None:
            return await self._defer(exchange)
        else:
            answer = await onward(exchange)
        if self._watch is None:
            return answer
        return await self._readdressed(exchange, self._watch.see(exchange, answer))

    async def _defer(self, exchange: Exchange) -> Answer:
        dialect = door_of(exchange.target.encode("latin-1")).dialect
        try:
            return self._pages.waiting(await self._kept(exchange))
        except Refused as refused:
            return failure(refused.status, str(refused), refused.code, dialect)
        except (StoreUnavailable, InputError) as error:
            return failure(*trouble(error), dialect)

    async def _kept(self, exchange: Exchange) -> Item:
        """The call, once it is on disk.

        Raises:
            Refused: it cannot wait.
            StoreUnavailable: it could not be written.
            InputError: the ledger is in memory.
        """
        if self._options.defer == "off":
            told = "calls do not wait here: leave out x-lichen-defer, or set LICHEN_BATCH_DEFER=on"
            raise Refused(told, "cannot_wait")
        keyless = self._keyless(exchange.target)
        item = item_of(exchange, self.sender.now_us(), self._options, keyless=keyless)
        self.sender.fullness.check(share_of(item))
        if not self.desk.durable:
            open_database(self._parts.place.database)
        item = self._chosen(item)
        self._keyring.take(exchange)
        charge = exchange.charge
        held = charge.written if charge is not None else ""
        kept = await self.desk.add(replace(item, held=held))
        self.sender.wake()
        if kept.id == item.id:
            if charge is not None:
                charge.keep()
            self.sender.fullness.came(share_of(item))
            return item
        if not kept.same:
            raise Refused(
                f"the Idempotency-Key {item.key!r} came before with another call, {kept.id}: give "
                "each call a key of its own",
                "idempotency_key_reused",
                422,
            )
        # It is that call, wherever it stands.
        older = await self.desk.work(lambda queue: queue.get(kept.id, item.tenant))
        return older or replace(item, id=kept.id)

    def _serving(self, target: str) -> Upstream | None:
        """Who answers the calls of a target; None where that cannot be had just now."""
        try:
            return serving(self._parts.upstream, door_of(target.encode("latin-1")).provider)
        except UpstreamError:
            return None

    def _keyless(self, target: str) -> bool:
        """Whether calls to a target go with lichen's own credential, or with none."""
        try:
            return is_keyless(self._parts.upstream, door_of(target.encode("latin-1")).provider)
        except UpstreamError:
            return False

    def _zone(self, target: str) -> str:
        """The grid that calls to a target run on."""
        upstream = self._serving(target) or self._parts.upstream
        return upstream.zone

    def _chosen(self, item: Item) -> Item:
        """The item as it goes: alone, or in a batch of the provider's."""
        return self._offering.chosen(item) if self._offering is not None else item

    async def start(self) -> None:
        """Send what waits, also what an earlier process left."""
        if self.desk.durable:
            self._running = True
            if self._api is not None:
                self.sender.chores.append(self._api.work)
            if self._offering is not None:
                self.sender.chores.append(self._offering.work)
            self.sender.chores.append(self._see)
            self.sender.chores.append(self._holding.settle)
            self.sender.start()
        if self._watch is not None:
            self._watch.start()

    async def _see(self) -> None:
        """Keep at hand what panels show: they are drawn in another thread."""
        self._plans = await self.desk.work(lambda queue: queue.outlook.plans(20))

    async def close(self) -> None:
        """Let what is under way end."""
        if self._gather is not None:
            await self._gather.close()
        if self._watch is not None:
            await self._watch.close()
        if self._running:
            await self.sender.close()
        await self.desk.close()

    def gauges(self) -> Mapping[str, float]:
        """What waits, for Prometheus."""
        if not self._running and self._gather is None:
            return {}
        return gauges(self.sender.counts, time.time_ns() // 1000, self._gather)

    def panels(self) -> Sequence[Panel]:
        """What waits, when it runs, and why."""
        counts = self.sender.counts
        shown = counts.waiting or counts.sending or counts.ended
        return panels(counts, self._plans) if shown else []

    def wrong(self) -> list[str]:
        """Whether the queue cannot be worked on."""
        return [f"calls that wait: {self.sender.trouble}"] if self.sender.trouble else []

    async def forget(self, which: Forget) -> int:
        """Erase what is meant, in a thread and by a connection of its own: calls go on."""
        if not self.desk.durable:
            return 0
        return await asyncio.to_thread(forget_waiting, self._parts.place, which)
