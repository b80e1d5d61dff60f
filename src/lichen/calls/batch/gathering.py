"""Gathering: embeddings gathered for each upstream apart, so that no two providers' calls mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.batch.gather import Gather
from lichen.calls.upstreams import serving

if TYPE_CHECKING:
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.exchange import Answer, Exchange, Share, Upstream

# Whose calls the first upstream answers.
_FIRST = "openai"


class Gathering:
    """Keeps the `Upstream` port for several providers, and gathers for each apart.

    Its name, zone and model are those of the upstream it stands before; who asks for a provider's
    own asks `of`.
    """

    def __init__(self, upstream: Upstream, options: BatchOptions) -> None:
        self._upstream, self._options = upstream, options
        self._open: dict[str, Gather] = {}
        self.name, self.url = upstream.name, upstream.url
        self.zone, self.model = upstream.zone, upstream.model
        self.share: Share | None = upstream.share

    def of(self, provider: str) -> Gather:
        """Where a provider's calls gather.

        Raises:
            UpstreamError: its upstream cannot be opened as it is set up.
        """
        found = self._open.get(provider)
        if found is None:
            upstream = serving(self._upstream, provider)
            found = self._open[provider] = Gather(upstream, self._options)
        return found

    @property
    def calls(self) -> int:
        """Calls to upstreams so far."""
        return sum(each.calls for each in self._open.values())

    @property
    def together(self) -> int:
        """Callers' calls that went in them."""
        return sum(each.together for each in self._open.values())

    async def send(self, exchange: Exchange) -> Answer:
        """The caller's part of the answer.

        Raises:
            UpstreamError: no answer could be had.
        """
        return await self.of(exchange.provider or _FIRST).send(exchange)

    async def close(self) -> None:
        """Let what is under way end; the upstreams are their owner's to close."""
        for each in self._open.values():
            await each.close()
