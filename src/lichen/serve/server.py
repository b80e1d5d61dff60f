"""Server: listens, ends what takes too long, and stops gracefully.

A handler is a plain function of a request. It answers at once and returns None, or returns a
coroutine, which runs as a task and is cancelled when the client leaves.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from lichen.serve.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lichen.serve.http import Request

    Handler = Callable[[Request], Coroutine[None, None, None] | None]

# Connections looked at for an idle one when there is no room for another.
_LOOKED_AT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may take.

    Attributes:
        body: a request's body. [byte]
        head: a request's line and headers. [byte]
        idle_s: a silence, and how long an answer may lie unread. [s]
        request_s: a request, from its first byte to its last, and more by its size. [s]
        pace: the bytes of a body that give it another second, and those of an answer that must be
            read in one. [byte/s]
        held: the bodies of all requests that have come and are not answered. [byte]
        connections: clients' connections.
    """

    body: float = 64e6
    # Source: Node.js documentation, `http.maxHeaderSize` (16 KiB); credentials can be long.
    head: float = 64 * 1024
    # Source: nginx documentation, `keepalive_timeout` (75 s).
    idle_s: float = 75.0
    # Source: Apache HTTP Server documentation, `RequestReadTimeout` (20 to 40 s, 500 bytes/s).
    request_s: float = 30.0
    pace: float = 500.0
    held: float = 512e6
    connections: int = 10_000


class Server:
    """Answers connections with `handle`, and with `failed` where that raises."""

    def __init__(
        self,
        handle: Handler,
        *,
        failed: Callable[[Request, Exception], None],
        refusal: Callable[[int, str, Request | None], bytes],
        limits: Limits,
    ) -> None:
        self.handle = handle
        self.failed = failed
        self.refusal = refusal
        self.limits = limits
        self.connections: set[Connection] = set()
        # Bytes of requests' bodies that are held; clients that were turned away or put off.
        self.held = self.turned_away = self.put_off = 0
        self.draining = False
        self._empty = asyncio.Event()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that was taken, which matters when 0 was asked for.

        Raises:
            OSError: the address cannot be had.
        """
        self.loop = asyncio.get_running_loop()
        self._listener = await self.loop.create_server(
            lambda: Connection(self), host, port, backlog=1024
        )
        self._every = min(self.limits.idle_s, self.limits.request_s) / 6
        self._sweeper = self.loop.call_later(self._every, self._sweep)
        bound: int = self._listener.sockets[0].getsockname()[1]
        return bound

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in list(self.connections):
            connection.sweep(now)
        self._sweeper = self.loop.call_later(self._every, self._sweep)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another connection; the longest idle ones make room."""
        if len(self.connections) < self.limits.connections:
            return False
        now = self.loop.time()
        # A few looked at are enough: where most are idle one of them is, else there is no room.
        for connection in list(islice(self.connections, _LOOKED_AT)):
            if connection.is_idle(now):
                connection.close()
                return False
        return True

    def gauges(self) -> dict[str, float]:
        """What is now, for the metrics."""
        return {
            "lichen_client_connections": len(self.connections),
            "lichen_client_connections_refused_total": self.turned_away,
            "lichen_client_slow_readers_total": self.put_off,
            "lichen_requests_held_bytes": self.held,
        }

    def wake(self) -> None:
        """A connection has gone."""
        if not self.connections:
            self._empty.set()

    async def stop(self, grace_s: float) -> None:
        """Take no more, let running answers end for up to `grace_s` [s], then close the rest."""
        self.draining = True
        self._listener.close()
        self._sweeper.cancel()
        for connection in list(self.connections):
            connection.drain()
        if self.connections:
            self._empty.clear()
            try:
                await asyncio.wait_for(self._empty.wait(), grace_s)
            except TimeoutError:
                self.abort()

    def abort(self) -> None:
        """Close every connection at once."""
        for connection in list(self.connections):
            connection.abort()
