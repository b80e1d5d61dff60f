"""Origins: whichever service a call was meant for, as one upstream.

A gateway has one address behind it; a pipeline in a process passes on to wherever its clients
point. Where that is stands in a header of the exchange, which counts in the key and goes no
further: two services never share an answer.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.asked import ORIGIN
from lichen.calls.upstream import HttpUpstream, Wire
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from lichen.calls.exchange import Answer, Exchange, Share

# Services kept connected; beyond it the one that was used longest ago is let go.
_MOST = 32


class Origins:
    """The services of a process, each connected when it is first asked. Times in seconds.

    `wire` is how all of them are spoken to.
    """

    def __init__(
        self, *, zone: str, timeout: float, connect_timeout: float, wire: Wire | None = None
    ) -> None:
        self.name, self.url, self.model = "origins", "", ""
        self.zone = zone
        self.share: Share | None = None
        self._timeout, self._connect_timeout = timeout, connect_timeout
        self._wire = wire or Wire()
        self._known: OrderedDict[str, HttpUpstream] = OrderedDict()

    async def send(self, exchange: Exchange) -> Answer:
        """The answer of the service that the exchange names.

        Raises:
            UpstreamError: it names none, or none came.
        """
        told = [value for name, value in exchange.headers if name == ORIGIN]
        if len(told) != 1:
            raise UpstreamError("this call does not say which service it is meant for", status=400)
        headers = [pair for pair in exchange.headers if pair[0] != ORIGIN]
        upstream = await self._at(told[0].decode())
        return await upstream.send(replace(exchange, headers=headers))

    async def _at(self, origin: str) -> HttpUpstream:
        known = self._known
        if origin not in known:
            known[origin] = HttpUpstream(
                origin,
                zone=self.zone,
                timeout=self._timeout,
                connect_timeout=self._connect_timeout,
                wire=self._wire,
            )
        known.move_to_end(origin)
        if len(known) > _MOST:
            _, oldest = known.popitem(last=False)
            await oldest.close()
        return known[origin]

    async def close(self) -> None:
        """Close all connections."""
        for upstream in self._known.values():
            await upstream.close()
        self._known.clear()
