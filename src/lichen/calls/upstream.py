"""HttpUpstream: whoever speaks a provider's API over HTTP.

Bodies pass byte for byte both ways; headers too, but for those that belong to one connection. The
HTTP client is lichen's own thin one over httptools (docs/decisions/0006-a-client-of-our-own.md).
Credentials go to the upstream and nowhere else: they are never stored, logged or put into an error.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from lichen.calls.coding.codecs import encoded
from lichen.calls.exchange import CREDENTIALS
from lichen.calls.hops import hop_by_hop
from lichen.calls.line import LineLost
from lichen.calls.pool import WHOLE, ConnectFailed, Pool, PoolBusy
from lichen.calls.proxy import Route
from lichen.ledger.errors import InputError, NotAsked, UpstreamError

if TYPE_CHECKING:
    from lichen.calls.exchange import Answer, Exchange, Share

# Methods that may be sent again where a kept connection was closed under them.
# Source: RFC 9110 §9.2.2 (idempotent methods).
_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))
# Methods of which a body is expected, so that none is said to be of no bytes.
_BODIED = frozenset(("POST", "PUT", "PATCH"))
# A metered answer must be readable, so none is asked for in a compressed form.
_READABLE = frozenset((b"accept-encoding",))
_PLAIN = b"accept-encoding: identity\r\n"


class Key(NamedTuple):
    """A key of lichen's own: in which header a provider wants it, and who is told of trouble.

    `setting` is the setting that says where the provider is.
    """

    text: str
    header: str = "authorization"
    setting: str = "LICHEN_UPSTREAM"


@dataclass(frozen=True, slots=True)
class Wire:
    """How answers come in, how requests go out, and who vouches for the other side.

    Attributes:
        coding: how a request that lichen can read is compressed, where it has at least
            `coded_from` bytes; "identity" for not at all.
        answer: a whole answer; a longer one passes as a stream and is never held. [byte]
        authorities: a PEM file with the authorities to trust; the system's where it is empty.
        resends: whether a call to a model, too, is sent again where a kept connection was closed
            before a byte of its answer came: it may then be computed twice.
    """

    answer: float = WHOLE
    authorities: str = ""
    coding: str = "identity"
    coded_from: float = 4096.0
    resends: bool = False


_USUAL = Wire()


class HttpUpstream:
    """A service at a base URL, with or without its "/v1".

    `key` replaces the client's credential where it is given; `zone` is the grid zone of the
    service's data centre, "WORLD" where nobody knows.

    Raises:
        InputError: the URL is not http or https, no header can carry the key, or the authorities
            cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        zone: str = "WORLD",
        key: str | Key = "",
        timeout: float = 600.0,
        connect_timeout: float = 10.0,
        wire: Wire = _USUAL,
    ) -> None:
        self.name = self.model = ""
        self.zone = zone
        self._wire = wire
        self.share: Share | None = None
        self._timeout, self._connect_timeout = timeout, connect_timeout
        self._shows = key if isinstance(key, Key) else Key(key)
        self._key = _credential(self._shows)
        self._head_for(url)

    def _head_for(self, url: str) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self._route = route = Route(self.url, authorities=self._wire.authorities)
        self._pool = Pool(
            route,
            timeout=self._timeout,
            connect_timeout=self._connect_timeout,
            whole=self._wire.answer,
        )
        self._credential = self._key or _basic(route.basic)
        self._fixed = b"host: %b\r\n%b" % (route.authority.encode("latin-1"), route.for_proxy)

    @property
    def holds_key(self) -> bool:
        """Whether calls go with a credential of lichen's own, whatever their callers show."""
        return bool(self._credential)

    def go_to(self, url: str) -> None:
        """From now on the service is at another URL.

        Raises:
            InputError: the URL is not http or https.
        """
        before = self._pool
        self._head_for(url)
        before.close()

    async def send(self, exchange: Exchange) -> Answer:
        """The upstream's answer, whatever its status.

        Raises:
            UpstreamError: it could not be reached, timed out, or spoke no HTTP.
        """
        call = exchange.call
        body, coded = exchange.body, b""
        wire = self._wire
        if wire.coding != "identity" and call is not None and len(body) >= wire.coded_from:
            body, coded = encoded(wire.coding, body), wire.coding.encode()
        head = self._head(exchange, len(body), coded)
        # A whole answer comes as one body, all else as a stream of chunks.
        whole = call is not None and not call.stream
        try:
            return await self._asked(exchange, head, body, whole=whole)
        except (LineLost, ConnectFailed, PoolBusy) as error:
            raise self._failed(error) from error

    async def _asked(self, exchange: Exchange, head: bytes, body: bytes, *, whole: bool) -> Answer:
        pool, mute = self._pool, exchange.method == "HEAD"
        line = pool.at_hand() or await pool.new()
        while True:
            asked = line.ask(head, body, whole=whole, mute=mute)
            try:
                return await asked
            except LineLost as lost:
                # A kept line may be closed just as it is used: what changes nothing is sent again.
                again = self._wire.resends or exchange.method in _IDEMPOTENT
                if lost.heard or lost.late or line.used == 1 or not again:
                    raise
            except asyncio.CancelledError:
                line.abandon(asked)
                raise
            line = await pool.new()

    def _head(self, exchange: Exchange, size: int, coded: bytes) -> bytes:
        """The request's line and headers, for a body of this size, in this coding if any."""
        route, metered = self._route, exchange.call is not None
        target = exchange.target.encode("latin-1")
        kept_back = hop_by_hop(exchange.headers)
        if metered:
            kept_back = kept_back | _READABLE
        credential = self._credential
        parts = [
            b"%b %b%b HTTP/1.1\r\n%b"
            % (exchange.method.encode("latin-1"), route.prefix, target, self._fixed)
        ]
        parts += [
            b"%b: %b\r\n" % (name, value)
            for name, value in exchange.headers
            if name not in kept_back
            and not name.startswith(b"x-lichen-")
            and not (credential and name in CREDENTIALS)
        ]
        if metered:
            parts.append(_PLAIN)
        if credential:
            parts.append(credential)
        if coded:
            parts.append(b"content-encoding: %b\r\n" % coded)
        if size or exchange.method in _BODIED:
            parts.append(b"content-length: %d\r\n" % size)
        parts.append(b"\r\n")
        return b"".join(parts)

    def _failed(self, error: LineLost | ConnectFailed | PoolBusy) -> UpstreamError:
        host = self._route.authority
        if isinstance(error, PoolBusy):
            return NotAsked(
                "too many calls are under way to the upstream; send the call again in a moment",
                status=503,
                code="upstream_busy",
                wait_s=1.0,
            )
        if isinstance(error, LineLost) and error.late:
            return UpstreamError(
                f"the upstream at {host} did not answer within {self._timeout:g} s; raise "
                "LICHEN_TIMEOUT or try again",
                status=504,
                code="upstream_timeout",
            )
        if isinstance(error, LineLost) and error.begun:
            return UpstreamError(
                f"the upstream at {host} broke off in the middle of its answer ({error}); send the "
                "call again",
                code="upstream_broke_off",
            )
        return UpstreamError(
            f"the upstream at {host} cannot be reached or speaks no HTTP ({error}); check "
            f"{self._shows.setting} and the network",
            status=504 if isinstance(error, ConnectFailed) and error.late else 502,
            code="upstream_unreachable",
            sent=isinstance(error, LineLost),
        )

    async def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        # The connections close in the loop's next turn.
        await asyncio.sleep(0)


def _basic(granted: bytes) -> bytes:
    return b"authorization: %b\r\n" % granted if granted else b""


def _credential(key: Key) -> bytes:
    """The key as a header line; keys that were read from files end in a line break."""
    plain = key.text.strip()
    if not (plain.isascii() and plain.isprintable()) or " " in plain:
        raise InputError(
            f"the key of {key.setting} has a character that no header can carry: a key is of "
            "letters, digits and marks, without spaces or line breaks within"
        )
    if not plain:
        return b""
    value = f"Bearer {plain}" if key.header == "authorization" else plain
    return f"{key.header}: {value}\r\n".encode()
