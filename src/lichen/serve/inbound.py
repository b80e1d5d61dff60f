"""Inbound: one client's bytes read as HTTP/1.1 requests, over httptools (llhttp).

Heads and bodies are bounded in bytes, and in time: a request must come within `request_s` and
another second for each `pace` bytes of its body, so that a trickle holds no connection for ever.

Why our own thin layer over a well-kept parser: docs/decisions/0003-server-and-client.md.

Source: RFC 9112 (HTTP/1.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools

from lichen.serve.http import Request

if TYPE_CHECKING:
    from lichen.serve.connection import Connection
    from lichen.serve.server import Limits

# Bytes on the wire for each byte of a body: a chunk of one byte takes six.
_FRAMING = 7
# Where the reader stands: between requests, in a request's head, in its body.
_BETWEEN, _HEAD, _BODY = range(3)


class Inbound:
    """Reads requests for a connection: gives it each whole one, or the reason why it cannot."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._now = connection.now
        self._parser: Any = httptools.HttpRequestParser(self)
        self._stage = _BETWEEN
        self._parts: list[bytes] = []
        self._began = 0.0
        # Of the request that is coming in: bytes of its body, and bytes in all.
        self._size = self._wire = 0
        self.deadline = 0.0
        self.request = Request(connection)

    @property
    def under_way(self) -> bool:
        """Whether a request has begun and is not whole yet; it must be by `deadline`."""
        return self._stage != _BETWEEN

    def feed(self, data: bytes) -> None:
        """Bytes came in."""
        request = self.request if self._stage else None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request is answered as plain HTTP/1.1; what follows it would be no HTTP.
            self._connection.say_last(b"")
        except httptools.HttpParserError as error:
            self._connection.refuse(400, f"this is no well-formed HTTP/1.1 request: {error}")
        if request is self.request and self._stage:
            self._wire += len(data)
            if self._wire > self._limits.head + _FRAMING * self._size:
                self._connection.refuse(
                    431, f"this request has more than {self._limits.head:,.0f} bytes of headers"
                )

    def end(self) -> None:
        """The client has gone: let go of what would hold its connection until a collector comes."""
        self._parser = None
        self._parts = []
        del self.request, self._connection

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        """A new request begins."""
        self.request = Request(self._connection)
        self._size = self._wire = 0
        self._stage = _HEAD
        self._began = self._now()
        self.deadline = self._began + self._limits.request_s

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self.request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; what follows a body in chunks is none of the request's (RFC 9110 §6.5.1)."""
        if self._stage == _HEAD:
            self.request.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """All headers: the size of the body is checked before it comes."""
        self._stage = _BODY
        request, connection = self.request, self._connection
        request.method = self._parser.get_method()
        request.speaks_chunked = self._parser.get_http_version() == "1.1"
        request.keep_alive = (
            request.speaks_chunked and self._parser.should_keep_alive() and connection.stays
        )
        hosts = 0
        expecting = False
        for name, value in request.headers:
            if name == b"content-length" and int(value) > self._limits.body:
                self._too_large()
            elif name == b"host":
                request.host = value
                hosts += 1
            elif name == b"origin":
                request.origin = value
            elif name == b"expect":
                expecting = value.lower() == b"100-continue" and request.speaks_chunked
        if hosts != 1 and (hosts or request.speaks_chunked):
            connection.refuse(400, f"an HTTP/1.1 request has one Host header, this one has {hosts}")
        if expecting:
            connection.go_on()

    def on_body(self, body: bytes) -> None:
        """A piece of the body, which must come at a pace."""
        if self._connection.is_over:
            return
        self._size += len(body)
        limits = self._limits
        if self._size > limits.body:
            self._too_large()
            return
        self._parts.append(body)
        self._connection.hold(len(body))
        paced = self._began + limits.request_s + self._size / limits.pace
        self.deadline = min(paced, self._now() + limits.idle_s)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._stage = _BETWEEN
        parts = self._parts
        if parts:
            self.request.body = parts[0] if len(parts) == 1 else b"".join(parts)
            self._parts = []
        if not self._connection.is_over:
            self._connection.take(self.request)

    def _too_large(self) -> None:
        self._connection.refuse(
            413,
            f"the request body is over the limit of {self._limits.body:,.0f} bytes: send less or "
            "raise LICHEN_BODY_LIMIT",
        )
