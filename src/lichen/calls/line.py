"""Line: one connection to an upstream; it asks one thing at a time and reads the answer.

The parser is httptools (llhttp). What comes is taken as it comes: whole into one body, or as a
stream whose reader holds up the upstream when it is slow. A line whose answer came to its proper
end goes back to its pool; any other is closed.

Source: RFC 9112 §6.3 (message body length), §9 (connection management).
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, cast

import httptools

from lichen.calls.alive import notice_loss
from lichen.calls.body import Body
from lichen.calls.exchange import Answer
from lichen.calls.hops import FRAMED, hop_by_hop, length_of

if TYPE_CHECKING:
    from lichen.calls.exchange import Headers

# An answer's head: bytes beyond which it is no head. [byte]
_LONGEST_HEAD = 256 * 1024
# Below it a whole answer is held whatever else is: streams hold more than that. [byte]
_SMALL = 64 * 1024
# A request up to this is written in one piece. [byte]
_ONE_PIECE = 32 * 1024
# Answers below it are interim ones: others follow.
_INTERIM = 200


class LineLost(Exception):  # noqa: N818 (named for what happened)
    """No whole answer came over this line.

    `heard` says whether any byte of one did, `begun` whether its head was there, `late` whether the
    upstream took too long.
    """

    def __init__(self, why: str, *, heard: bool, begun: bool = False, late: bool = False) -> None:
        """Say `why`."""
        super().__init__(why)
        self.heard, self.begun, self.late = heard, begun, late


class Owner(Protocol):
    """Whoever keeps the lines: see `lichen.calls.pool`.

    `held` counts the bytes of whole answers that are coming in over all lines. [byte]
    """

    held: int

    def is_full(self, size: int) -> bool:
        """Whether an answer that has come to `size` may not be held any longer. [byte]"""
        ...

    def free(self, line: Line) -> None:
        """The line has done its work and can do more."""
        ...

    def gone(self, line: Line) -> None:
        """The line is closed."""
        ...


class Line(asyncio.Protocol):
    """One connection, opened by its owner with `asyncio`.

    `active` is when it last heard from the upstream, or was last used. [s, loop's clock]
    """

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner, self._loop = owner, loop
        self._parser: Any = httptools.HttpResponseParser(self)
        self._asked: asyncio.Future[Answer] | None = None
        self._body: Body | None = None
        self._parts: list[bytes] = []
        self._headers: Headers = []
        self._whole = self._mute = False
        self._headed = self._framed = self._ended = self._stray = False
        self._size = self._unsent = self._held = 0
        self._is_made = False
        self.active = loop.time()
        self.used = 0
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transport is one in all but its class.
        self._transport = cast("asyncio.Transport", transport)
        self._is_made = True
        if self.is_closed:
            self._transport.abort()
        else:
            notice_loss(self._transport)

    def ask(
        self, head: bytes, body: bytes, *, whole: bool, mute: bool = False
    ) -> asyncio.Future[Answer]:
        """Send a request; the answer whole, or as soon as its head is there.

        `mute` says that the answer has no body whatever its head says: HEAD was asked.
        The future fails with `LineLost`.
        """
        self._whole, self._mute = whole, mute
        self._headers, self._parts, self._size = [], [], 0
        self._headed = self._ended = False
        self.used += 1
        self.active = self._loop.time()
        self._asked = self._loop.create_future()
        if len(body) <= _ONE_PIECE:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        return self._asked

    def abandon(self, asked: asyncio.Future[Answer]) -> None:
        """Whoever asked this has left; where the line serves another by now, it goes on."""
        if self._asked is asked:
            self.fail("the caller has left")

    def is_usable(self, now: float, idle_s: float) -> bool:
        """Whether it may be asked: open, and not idle for so long that it may be closing. [s]"""
        return not self.is_closed and now - self.active <= idle_s

    @property
    def is_busy(self) -> bool:
        """Whether an answer is owed over it."""
        return self._asked is not None

    def is_late(self, now: float, timeout: float) -> bool:
        """Whether the upstream owes an answer, or more of it, and has been silent too long. [s]"""
        if not self.is_busy or (self._body is not None and self._body.is_full):
            return False
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self.active = unsent, now
        return now - self.active > timeout

    # What comes in.

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        if self._asked is None:
            self.close()  # nothing was asked: whatever this is, it is no answer
            return
        self.active = self._loop.time()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail("it changed to another protocol")
        except httptools.HttpParserError as error:
            self.fail(f"it spoke no HTTP: {error}")
        if self._stray:
            self.close()
        elif not self._headed and self._asked is not None:
            self._size += len(data)
            if self._size > _LONGEST_HEAD:
                self.fail(f"its answer has more than {_LONGEST_HEAD:,} bytes of headers")

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody asked for must never be taken for the next call's."""
        self._stray = self._asked is None

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; what follows the body is none of the answer's."""
        if not (self._headed or self._stray):
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        if self._stray:
            return
        status = self._parser.get_status_code()
        if status == HTTPStatus.SWITCHING_PROTOCOLS:
            self.fail("it changed to another protocol")
            return
        if status < _INTERIM:
            self._headers = []
            return
        self._headed = True
        headers = self._headers
        self._framed = self._mute or any(name in FRAMED for name, _ in headers)
        hops = hop_by_hop(headers)
        # What another lichen behind this one says of its use would stand there twice.
        kept = [
            pair for pair in headers if pair[0] not in hops and not pair[0].startswith(b"x-lichen-")
        ]
        self._answer = Answer(status, kept)
        if not self._whole:
            self._answer.length = length_of(headers)
            self._body = self._answer.stream = Body(self, self._loop)
            self._give()
        if self._mute:
            self._done(stays=False)

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        if self._stray:
            return
        if self._body is not None:
            self._body.add(piece)
        else:
            self._parts.append(piece)
            self._size += len(piece)
            self._hold(len(piece))

    def _hold(self, more: int) -> None:
        """Hold a piece of a whole answer; one too long to be held goes on as a stream."""
        self._held += more
        self._owner.held += more
        if self._size > _SMALL and self._owner.is_full(self._size):
            self._answer.length = length_of(self._headers)
            body = self._body = self._answer.stream = Body(self, self._loop)
            for part in self._parts:
                body.add(part)
            self._let_go()
            self._give()

    def _let_go(self) -> None:
        self._owner.held -= self._held
        self._held = 0
        self._parts = []

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._headed and not self._ended:
            self._done(stays=self._parser.should_keep_alive())

    def _give(self) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(self._answer)

    def _done(self, *, stays: bool) -> None:
        self._ended = True
        body, self._body = self._body, None
        if body is not None:
            body.end()
        else:
            parts = self._parts
            self._answer.body = parts[0] if len(parts) == 1 else b"".join(parts)
            self._let_go()
            self._give()
        self._asked = None
        if (
            stays
            and not self._transport.is_closing()
            and not self._transport.get_write_buffer_size()
        ):
            self._owner.free(self)
        else:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The upstream closed, or we did."""
        self.is_closed = True
        if exc is None and self._headed and not self._framed and not self._ended:
            self._done(stays=False)  # the end of the connection is the end of this answer
        else:
            self.fail("it closed the connection" if exc is None else str(exc) or repr(exc))
        self._owner.gone(self)
        # It holds this line, and would until the collector comes.
        self._parser = None

    # The end.

    def fail(self, why: str, *, late: bool = False) -> None:
        """No answer, or no more of it, comes over this line."""
        asked, self._asked = self._asked, None
        body, self._body = self._body, None
        self._ended = True
        if asked is not None and not asked.done():
            heard = self._headed or self._size > 0
            asked.set_exception(LineLost(why, heard=heard, begun=self._headed, late=late))
        if body is not None:
            body.break_off(why)
        self._let_go()
        self.close()

    def close(self) -> None:
        """Close at once."""
        if not self.is_closed:
            self.is_closed = True
            if self._is_made:
                self._transport.abort()

    def hold(self, *, on: bool) -> None:
        """Hold the upstream up, or let it go on."""
        if not self.is_closed:
            (self._transport.pause_reading if on else self._transport.resume_reading)()
