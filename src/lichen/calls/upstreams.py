"""Upstreams: whose upstream answers which call, one for each provider.

Each is opened when its first call comes, so that nobody need set up what they do not use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lichen.calls.option import zone
from lichen.calls.resilience.resilient import GAUGES
from lichen.ledger.errors import InputError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.exchange import Answer, Exchange, Share, Upstream

_ZONE = zone()
# Whose calls the first one answers.
FIRST = "openai"


@dataclass(frozen=True, slots=True)
class UpstreamOptions:
    """Where a provider's calls go, with which key instead of the clients' own, on which grid.

    Without an `upstream` they go to the provider itself. `fallback` is asked while that one fails;
    it has a key, a zone and a map of models of its own, as in `[resilience]`.
    """

    upstream: str = ""
    key: str = field(default="", repr=False)
    zone: str = field(default="", metadata=_ZONE)
    fallback: str = ""
    fallback_key: str = field(default="", repr=False)
    fallback_zone: str = field(default="", metadata=_ZONE)
    fallback_models: str = ""


class Upstreams:
    """Keeps the `Upstream` port for several providers.

    `first` answers what no other is there for, and its name, zone and model stand for the whole;
    `others` open the upstreams of other providers, by provider. A step that must know who answers a
    call asks `of`.
    """

    def __init__(self, first: Upstream, others: Mapping[str, Callable[[], Upstream]]) -> None:
        self.first = first
        self._others = dict(others)
        self._open: dict[str, Upstream] = {}

    def of(self, provider: str) -> Upstream:
        """The upstream of a provider.

        Raises:
            UpstreamError: it cannot be opened as it is set up.
        """
        if provider not in self._others:
            return self.first
        found = self._open.get(provider)
        if found is None:
            try:
                found = self._open[provider] = self._others[provider]()
            except InputError as error:
                raise UpstreamError(str(error), status=502, code="upstream_unusable") from error
        return found

    @property
    def name(self) -> str:
        """The first one's."""
        return self.first.name

    @property
    def url(self) -> str:
        """The first one's."""
        return self.first.url

    @property
    def zone(self) -> str:
        """The first one's."""
        return self.first.zone

    @property
    def model(self) -> str:
        """The first one's."""
        return self.first.model

    @property
    def holds_key(self) -> bool:
        """Whether the first one has a key of its own."""
        return bool(getattr(self.first, "holds_key", False))

    @property
    def share(self) -> Share | None:
        """The first one's."""
        return self.first.share

    async def send(self, exchange: Exchange) -> Answer:
        """The answer of the call's own upstream.

        Raises:
            UpstreamError: it could not be had.
        """
        return await self.of(exchange.provider).send(exchange)

    def gauges(self) -> Mapping[str, float]:
        """What was done about those that failed, by provider; 0 for one not yet asked."""
        told = {FIRST: self.first} | {name: self._open.get(name) for name in self._others}
        return {
            f'{name}{{provider="{provider}"}}': amount
            for provider, upstream in told.items()
            for name, amount in _told(upstream).items()
        }

    async def close(self) -> None:
        """Release all that were opened."""
        for upstream in (*self._open.values(), self.first):
            await upstream.close()


def _told(upstream: Upstream | None) -> Mapping[str, float]:
    """The gauges of an upstream; those of none are 0, and one without has none."""
    if upstream is None:
        return dict.fromkeys(GAUGES, 0.0)
    gauges: Callable[[], Mapping[str, float]] | None = getattr(upstream, "gauges", None)
    return gauges() if gauges is not None else {}


def serving(upstream: Upstream, provider: str) -> Upstream:
    """Who answers a provider's calls behind an upstream, which may be several."""
    of = getattr(upstream, "of", None)
    found: Upstream = upstream if of is None else of(provider)
    return found


def is_keyless(upstream: Upstream, provider: str) -> bool:
    """Whether a provider's calls go with lichen's own credential or with none.

    Then nobody checks what their callers show.

    Raises:
        UpstreamError: who answers them cannot be opened as it is set up.
    """
    return bool(getattr(serving(upstream, provider), "holds_key", False))
