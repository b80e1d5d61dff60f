"""HTTP/1.1 over httptools (llhttp) and asyncio: what stands between the socket and the gateway.

A handler is a plain function of a request. It answers at once and returns None, or returns a
coroutine, which runs as a task and is cancelled when the client leaves. Requests sent ahead of
their answers are answered in order; a client that does not read stops being read; bodies are
bounded; a stop lets running answers end.

Why our own thin layer over a well-kept parser: docs/decisions/0003-server-and-client.md.

Source: RFC 9112 (HTTP/1.1).
"""

from __future__ import annotations

import asyncio
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Handler = Callable[["Request"], Coroutine[None, None, None] | None]

_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
# Requests of one connection that may wait for their turn.
_PIPELINED = 8


class Request:
    """One request, and the way to answer it. Header names are lower-case."""

    __slots__ = (
        "_chunked",
        "_connection",
        "body",
        "done",
        "headers",
        "host",
        "keep_alive",
        "method",
        "started",
        "target",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._chunked = True
        self.method = b""
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.host = b""
        self.body = b""
        self.keep_alive = True
        self.started = False
        self.done = False

    def respond(self, status: int, head: bytes, body: bytes) -> None:
        """Answer whole. `head` is a header block, each line ended by CRLF."""
        self.started = self.done = True
        self._connection.write(
            b"%b%bcontent-length: %d\r\n%b\r\n%b"
            % (
                _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status,
                head,
                len(body),
                b"" if self.keep_alive else b"connection: close\r\n",
                b"" if self.method == b"HEAD" else body,
            )
        )
        self._connection.finished(self)

    def start(self, status: int, head: bytes) -> None:
        """Begin a streamed answer."""
        self.started = True
        self._chunked = self._connection.speaks_chunked()
        if not self._chunked:
            self.keep_alive = False
        self._connection.write(
            b"%b%b%b%b\r\n"
            % (
                _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status,
                head,
                b"transfer-encoding: chunked\r\n" if self._chunked else b"",
                b"" if self.keep_alive else b"connection: close\r\n",
            )
        )

    async def send(self, chunk: bytes) -> None:
        """Send a chunk; waits while the client does not read."""
        # An empty chunk would end the message.
        if chunk and self.method != b"HEAD":
            framed = b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunked else chunk
            self._connection.write(framed)
            await self._connection.writable()

    def end(self) -> None:
        """End a streamed answer well."""
        if self._chunked and self.method != b"HEAD":
            self._connection.write(b"0\r\n\r\n")
        self.done = True
        self._connection.finished(self)

    def break_off(self) -> None:
        """Close without the last chunk, so that the client sees an incomplete answer."""
        self.done = True
        self._connection.close()


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = server.loop
        self._waiting: deque[Request] = deque()
        self._request = Request(self)
        self._parts: list[bytes] = []
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self._paused: asyncio.Future[None] | None = None
        self._closing = False
        self._reading = True
        self.current: Request | None = None
        self.deadline = self._loop.time() + server.idle_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transport is one in all but its class.
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's own name)
        """The client left: whatever works for it is cancelled."""
        self._closing = True
        self._server.connections.discard(self)
        if self._paused is not None and not self._paused.done():
            self._paused.cancel()
        if self._task is not None:
            self._task.cancel()
        self._waiting.clear()
        self._server.wake()

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        if self._closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "this service speaks plain HTTP/1.1: it does not upgrade connections")
        except httptools.HttpParserError as error:
            self._refuse(400, f"this is no well-formed HTTP/1.1 request: {error}")

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        """A new request begins."""
        self._request = Request(self)
        self._parts = []
        self._size = 0
        self.deadline = self._loop.time() + self._server.idle_s

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._request.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """All headers: the size of the body is checked before it comes."""
        request = self._request
        request.method = self._parser.get_method()
        request.keep_alive = self._parser.should_keep_alive() and not self._server.draining
        for name, value in request.headers:
            if name == b"content-length" and int(value) > self._server.limit:
                self._too_large()
            elif name == b"host":
                request.host = value
            elif name == b"expect" and value.lower() == b"100-continue" and self.current is None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._size += len(body)
        self.deadline = self._loop.time() + self._server.idle_s
        if self._closing:
            return
        if self._size > self._server.limit:
            self._too_large()
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """The request is whole: answer it, or let it wait for those before it."""
        if self._closing:
            return
        request, parts = self._request, self._parts
        if parts:
            request.body = parts[0] if len(parts) == 1 else b"".join(parts)
        if self.current is None and not self._waiting and self._paused is None:
            self._begin(request)
            return
        self._waiting.append(request)
        if len(self._waiting) >= _PIPELINED:
            self._read_on(on=False)

    # Running.

    def _begin(self, request: Request) -> None:
        self.current = request
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
        self.current = None
        self._task = None
        if not request.keep_alive or self._server.draining:
            self.close()
            return
        self.deadline = self._loop.time() + self._server.idle_s
        if self._paused is not None:
            # The client does not read what it asked for: take nothing more from it.
            self._read_on(on=False)
        elif self._waiting:
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        if self.current is None and self._waiting and self._paused is None:
            self._begin(self._waiting.popleft())
        if self._paused is None and len(self._waiting) < _PIPELINED:
            self._read_on(on=True)

    def _read_on(self, *, on: bool) -> None:
        if on is not self._reading and not self._closing:
            self._reading = on
            (self._transport.resume_reading if on else self._transport.pause_reading)()

    def _too_large(self) -> None:
        limit = self._server.limit
        self._refuse(
            413,
            f"the request body is over the limit of {limit:,.0f} bytes: send less or raise "
            "LICHEN_BODY_LIMIT",
        )

    def _refuse(self, status: int, why: str) -> None:
        if self._closing:
            return
        if self.current is None:
            self._transport.write(self._server.refusal(status, why))
        self.close()

    def close(self) -> None:
        """Send what was written, then close."""
        self._closing = True
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def write(self, data: bytes) -> None:
        """Write, unless the client has left."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def speaks_chunked(self) -> bool:
        """Whether the client understands chunked answers: HTTP/1.1 does, 1.0 does not."""
        return bool(self._parser.get_http_version() != "1.0")

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


class Server:
    """Listens, and stops gracefully. `limit` bounds a body [bytes], `idle_s` a silence [s]."""

    def __init__(
        self,
        handle: Handler,
        *,
        failed: Callable[[Request, Exception], None],
        refusal: Callable[[int, str], bytes],
        limit: float,
        idle_s: float = 75.0,
    ) -> None:
        self.handle = handle
        self.failed = failed
        self.refusal = refusal
        self.limit = limit
        self.idle_s = idle_s
        self.connections: set[Connection] = set()
        self.draining = False
        self._empty: asyncio.Event = asyncio.Event()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that was taken, which matters when 0 was asked for."""
        self.loop = asyncio.get_running_loop()
        self._listener = await self.loop.create_server(
            lambda: Connection(self), host, port, backlog=1024
        )
        self._sweeper = self.loop.call_later(self.idle_s / 4, self._sweep)
        bound: int = self._listener.sockets[0].getsockname()[1]
        return bound

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in list(self.connections):
            if connection.current is None and connection.deadline < now:
                connection.close()
        self._sweeper = self.loop.call_later(self.idle_s / 4, self._sweep)

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
            if connection.current is None:
                connection.close()
            else:
                connection.current.keep_alive = False
        if self.connections:
            self._empty.clear()
            try:
                await asyncio.wait_for(self._empty.wait(), grace_s)
            except TimeoutError:
                for connection in list(self.connections):
                    connection.abort()
