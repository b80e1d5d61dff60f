"""FetchedStep: sees results of the provider's own batches where nothing else of `[batch]` is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.batch.desk import Desk
from lichen.calls.batch.fetched.readdress import Readdressing
from lichen.calls.batch.fetched.watch import Watch

if TYPE_CHECKING:
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.exchange import Answer, Exchange, Onward
    from lichen.calls.steps import StepParts


class FetchedStep:
    """Passes everything on."""

    def __init__(self, parts: StepParts, options: BatchOptions) -> None:
        self._desk = Desk(parts.place.database)
        self._watch = Watch(parts, self._desk, options)
        self._readdressed = Readdressing(options.results_url, parts.options("port"))

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """The answer, as it came but for where results are."""
        answer = await onward(exchange)
        if exchange.call is not None:
            return answer
        return await self._readdressed(exchange, self._watch.see(exchange, answer))

    async def start(self) -> None:
        """Count what an earlier process left."""
        self._watch.start()

    async def close(self) -> None:
        """Let what is being booked end."""
        await self._watch.close()
        await self._desk.close()
