"""Connection: one client's turn-taking, over asyncio.

Requests sent ahead of their answers are answered in order; a client that does not read stops being
read; what cannot be read as a request is refused in the provider's shape, after the answers that
are still owed.

Source: RFC 9112 §9 (connection management).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from lichen.serve.inbound import Inbound

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from lichen.serve.http import Request
    from lichen.serve.server import Server

# Requests of one connection that may wait for their turn.
_PIPELINED = 8
# How long a refused client may go on sending, so that it comes to read why. [s]
_LINGER_S = 2.0
# A connection whose last answer is younger than this is not idle. [s]
_JUST_NOW_S = 1.0


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = server.loop
        self._idle_s, self._pace = server.limits.idle_s, server.limits.pace
        self.now = server.loop.time
        self._inbound = Inbound(self, server.limits)
        self._waiting: deque[Request] = deque()
        self._current: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._paused: asyncio.Future[None] | None = None
        self._last_word: bytes | None = None
        self._closing = False
        self._reading = True
        # Whether nothing more is taken from this client, and whether it may stay after an answer.
        self.is_over = False
        self.stays = True
        # Bytes written so far, and since when how many of them were read while others lay unread.
        self._written = 0
        self._slow_since: tuple[float, int] | None = None
        # Bytes of this client's requests that are held.
        self._held = 0
        self._idle_until = self.now() + self._idle_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transport is one in all but its class.
        self._transport = cast("asyncio.Transport", transport)
        if self._server.is_full:
            self._server.turned_away += 1
            why = (
                "too many connections are open: come again in a moment, or raise limits.connections"
            )
            transport.write(self._server.refusal(503, why, None))  # type: ignore[attr-defined]
            self.close()
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's own name)
        """The client left: whatever works for it is cancelled."""
        self._closing = self.is_over = True
        self._server.connections.discard(self)
        self.hold(-self._held)
        if self._paused is not None and not self._paused.done():
            self._paused.cancel()
        if self._task is not None:
            self._task.cancel()
        self._waiting.clear()
        self._server.wake()
        self._current = self._task = None
        self._inbound.end()

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        if not self.is_over:
            self._inbound.feed(data)

    # What the reader of requests asks and tells.

    def go_on(self) -> None:
        """Tell a client that waits before it sends its body to send it."""
        if self._current is None and not self.is_over:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def take(self, request: Request) -> None:
        """A whole request: answer it, or let it wait for those before it."""
        if self._current is None and not self._waiting and self._paused is None:
            self._begin(request)
            return
        self._waiting.append(request)
        if len(self._waiting) >= _PIPELINED:
            self._read_on(on=False)

    def hold(self, size: int) -> None:
        """Hold so many bytes more of this client's requests; fewer, where it is negative."""
        self._held += size
        server = self._server
        server.held += size
        if size > 0 and server.held > server.limits.held and not self.is_over:
            self.refuse(
                503,
                f"requests of {server.held / 1e6:,.0f} MB are under way: send this one again in a "
                "moment, or raise limits.held",
            )

    def refuse(self, status: int, why: str) -> None:
        """What came cannot be taken."""
        if not self.is_over:
            self.say_last(self._server.refusal(status, why, self._inbound.request))

    def say_last(self, word: bytes) -> None:
        """Take no more requests; say this after the answers that are owed, and leave."""
        self.is_over = True
        if self._current is None and not self._waiting:
            self._leave(word)
        else:
            self._last_word = word

    # Running.

    def _begin(self, request: Request) -> None:
        self._current = request
        try:
            answering = self._server.handle(request)
        except Exception as error:  # noqa: BLE001 (a fault of ours must not end the service)
            self._server.failed(request, error)
            return
        if answering is not None:
            self._task = self._loop.create_task(self._run(request, answering))

    async def _run(self, request: Request, answering: Coroutine[None, None, None]) -> None:
        try:
            await answering
        except Exception as error:  # noqa: BLE001 (a fault of ours must not end the service)
            self._server.failed(request, error)

    def finished(self, request: Request) -> None:
        """An answer has been given: the next one, or the end."""
        self._current = None
        self._task = None
        if self._held:  # nothing is once the client has left
            self.hold(-len(request.body))
        if not request.keep_alive:
            self.close()
            return
        self._idle_until = self.now() + self._idle_s
        if self._paused is not None:
            # The client does not read what it asked for: take nothing more from it.
            self._read_on(on=False)
        elif self._waiting or self._last_word is not None:
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        if self._current is not None or self._paused is not None or self._closing:
            return
        if self._waiting:
            self._begin(self._waiting.popleft())
        elif self._last_word is not None:
            self._leave(self._last_word)
        self._take_more()

    def _take_more(self) -> None:
        if self._paused is None and len(self._waiting) < _PIPELINED:
            self._read_on(on=True)

    def _read_on(self, *, on: bool) -> None:
        if on is not self._reading and not self._transport.is_closing():
            self._reading = on
            (self._transport.resume_reading if on else self._transport.pause_reading)()

    # The end.

    def _leave(self, word: bytes) -> None:
        """Say a last word and close once the client has: closing at once could lose the word."""
        self.write(word)
        self._closing = self.is_over = True
        if self._transport.is_closing():
            return
        self._read_on(on=True)
        self._transport.write_eof()
        self._loop.call_later(_LINGER_S, self._transport.abort)

    def drain(self) -> None:
        """Close once what was asked is answered: at once where nothing was."""
        self.stays = False
        if self._inbound.under_way and not self.is_over:
            last: Request | None = self._inbound.request
        else:
            last = self._waiting[-1] if self._waiting else self._current
        if last is not None:
            last.keep_alive = False
        elif not self._closing:
            self.close()

    def sweep(self, now: float) -> None:
        """End what takes too long: a silence, a request that does not come, an unread answer."""
        left = self._transport.get_write_buffer_size()
        if left:
            self._sweep_slow(now, self._written - left)
        else:
            self._slow_since = None
            if self._current is None and not self.is_over:
                self._sweep_idle(now)

    def _sweep_slow(self, now: float, read: int) -> None:
        """Leave a client that reads what lies there more slowly than any line is."""
        if self._slow_since is None:
            self._slow_since = now, read
            return
        since, before = self._slow_since
        if now - since < self._idle_s:
            return
        if read - before < self._pace * (now - since):
            self._server.put_off += 1
            self.abort()
        self._slow_since = now, read

    def is_idle(self, now: float) -> bool:
        """Whether nothing is asked or owed, and was not for a moment."""
        quiet = self._current is None and not self._waiting and not self._inbound.under_way
        return quiet and now > self._idle_until - self._idle_s + _JUST_NOW_S and not self.is_over

    def _sweep_idle(self, now: float) -> None:
        if not self._inbound.under_way:
            if now > self._idle_until:
                self.close()
        elif now > self._inbound.deadline:
            self.refuse(408, "the request did not come in time: send it again, without pauses")

    def close(self) -> None:
        """Send what was written, then close."""
        self._closing = self.is_over = True
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._closing = self.is_over = True
        self._transport.abort()

    # Writing.

    def write(self, data: bytes) -> None:
        """Write, unless the client has left."""
        if not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    async def writable(self) -> None:
        """Wait while the client does not read."""
        if self._paused is not None:
            await self._paused

    def pause_writing(self) -> None:
        """The client's buffer is full."""
        self._paused = self._loop.create_future()

    def resume_writing(self) -> None:
        """The client reads again."""
        paused, self._paused = self._paused, None
        if paused is not None and not paused.done():
            paused.set_result(None)
        self._loop.call_soon(self._next)
