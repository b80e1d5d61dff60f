"""Request: one HTTP/1.1 request, and the way to answer it, whole or as a stream.

Answers are framed by their length where it is known, in chunks where it is not, and by the end of
the connection for clients of HTTP/1.0, which know no chunks.

Source: RFC 9112 §6 (message body length), RFC 9110 §15 (status codes).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.serve.connection import Connection

_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
# Answers that have no body, whatever is said of its length.
# Source: RFC 9110 §6.4.1.
_BODILESS = frozenset((HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED))


class Request:
    """One request, and the way to answer it. Header names are lower-case."""

    __slots__ = (
        "_bodiless",
        "_connection",
        "_framed",
        "body",
        "done",
        "headers",
        "host",
        "keep_alive",
        "method",
        "origin",
        "speaks_chunked",
        "started",
        "target",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._framed = self._bodiless = False
        self.method = b""
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.host = b""
        self.origin = b""
        self.body = b""
        self.keep_alive = self.speaks_chunked = True
        self.started = False
        self.done = False

    def respond(self, status: int, head: bytes, body: bytes) -> None:
        """Answer whole. `head` is a header block, each line ended by CRLF."""
        self.started = self.done = True
        if status in _BODILESS:
            self._connection.write(b"%b%b%b\r\n" % (_line(status), head, self._farewell()))
        else:
            self._connection.write(
                b"%b%bcontent-length: %d\r\n%b\r\n%b"
                % (
                    _STATUS_LINES.get(status) or _line(status),
                    head,
                    len(body),
                    b"" if self.keep_alive else b"connection: close\r\n",
                    b"" if self.method == b"HEAD" else body,
                )
            )
        self._connection.finished(self)

    def start(self, status: int, head: bytes, length: int | None = None) -> None:
        """Begin a streamed answer, of a length where it is known. [byte]"""
        self.started = True
        self._bodiless = self.method == b"HEAD" or status in _BODILESS
        measured = self._bodiless or length is not None
        self._framed = not measured and self.speaks_chunked
        if not (measured or self._framed):
            # Its end can be told by the end of the connection alone.
            self.keep_alive = False
        framing = b"transfer-encoding: chunked\r\n" if self._framed else b""
        if length is not None and status not in _BODILESS:
            framing = b"content-length: %d\r\n" % length
        self._connection.write(
            b"%b%b%b%b\r\n" % (_line(status), head, framing, self._farewell()),
        )

    async def send(self, chunk: bytes) -> None:
        """Send a chunk; waits while the client does not read."""
        # An empty chunk would end the message.
        if chunk and not self._bodiless:
            self._connection.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._framed else chunk)
            await self._connection.writable()

    def end(self) -> None:
        """End a streamed answer well."""
        if self._framed:
            self._connection.write(b"0\r\n\r\n")
        self.done = True
        self._connection.finished(self)

    def break_off(self) -> None:
        """Close without the last chunk, so that the client sees an incomplete answer."""
        self.done = True
        if self.speaks_chunked:
            self._connection.close()
        else:
            # An orderly end of the connection would look like the end of the answer.
            self._connection.abort()

    def _farewell(self) -> bytes:
        return b"" if self.keep_alive else b"connection: close\r\n"


def _line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
