"""Server: listens, ends what takes too long, and stops gracefully.

A handler is a plain function of a request. It answers at once and returns None, or returns a
coroutine, which runs as a task and is cancelled when the client leaves.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lichen.serve.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lichen.serve.http import Request

    Handler = Callable[[Request], Coroutine[None, None, None] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may take.

    Attributes:
        body: a request's body. [byte]
        head: a request's line and headers. [byte]
        idle_s: a silence, and how long an answer may lie unread. [s]
        request_s: a request, from its first byte to its last, and more by its size. [s]
        pace: the bytes of a body that give it another second. [byte/s]
    """

    body: float = 64e6
    # Source: Node.js documentation, `http.maxHeaderSize` (16 KiB); credentials can be long.
    head: float = 64 * 1024
    # Source: nginx documentation, `keepalive_timeout` (75 s).
    idle_s: float = 75.0
    # Source: Apache HTTP Server documentation, `RequestReadTimeout` (20 to 40 s, 500 bytes/s).
    request_s: float = 30.0
    pace: float = 500.0


class Server:
    """Answers connections with `handle`, and with `failed` where that raises."""

    def __init__(
        self,
        handle: Handler,
        *,
        failed: Callable[[Request, Exception], None],
        refusal: Callable[[int, str], bytes],
        limits: Limits,
    ) -> None:
        self.handle = handle
        self.failed = failed
        self.refusal = refusal
        self.limits = limits
        self.connections: set[Connection] = set()
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
