"""Callers: HTTP requests as a gateway sees them, without a socket.

    heard = await house.ask({"model": "m", "messages": [...]})
    heard.status, heard.answer_headers["x-lichen-cache"], heard.answer

A `House` is a gateway with all behind it, put together by whoever tests it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from lichen.calls.answers import AnswerStore
    from lichen.calls.exchange import Headers, Upstream
    from lichen.calls.gateway import Gateway
    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry

CHAT = b"/v1/chat/completions"


class HeardRequest:
    """Keeps the `HttpRequest` port and remembers what was answered.

    `gate`, where one is set, holds every sent chunk back until it is open: a client that does not
    read.
    """

    def __init__(
        self, body: bytes, *, target: bytes = CHAT, method: bytes = b"POST", headers: Headers
    ) -> None:
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.started = False
        self.gate: asyncio.Event | None = None
        self.status = 0
        self.length: int | None = None
        self.head = b""
        self.chunks: list[bytes] = []
        self.ended = False
        self.broken_off = False

    def respond(self, status: int, head: bytes, body: bytes) -> None:
        """Take a whole answer."""
        assert not self.started, "answered twice"
        self.started = self.ended = True
        self.status, self.head, self.chunks = status, head, [body]

    def start(self, status: int, head: bytes, length: int | None = None) -> None:
        """Take the head of a stream."""
        assert not self.started, "answered twice"
        self.started = True
        self.status, self.head, self.length = status, head, length

    async def send(self, chunk: bytes) -> None:
        """Take a chunk, when the gate is open."""
        if self.gate is not None:
            await self.gate.wait()
        self.chunks.append(chunk)
        # A real transport lets others run, too.
        await asyncio.sleep(0)

    def end(self) -> None:
        """Take the end of a stream."""
        self.ended = True

    def break_off(self) -> None:
        """Take the break of a stream."""
        self.broken_off = True

    @property
    def answer(self) -> bytes:
        """The body that came, whole or in chunks."""
        return b"".join(self.chunks)

    @property
    def answer_headers(self) -> dict[str, str]:
        """The headers of the answer; one given twice is an error."""
        lines = self.head.decode("latin-1").split("\r\n")
        assert lines.pop() == "", "the head does not end with CRLF"
        pairs = [line.split(": ", 1) for line in lines]
        made = dict(pair for pair in pairs if len(pair) == 2)  # noqa: PLR2004 (name and value)
        assert len(made) == len(pairs), f"headers given twice, or malformed: {pairs}"
        return made

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.answer)


def request(
    body: dict[str, Any] | bytes,
    *,
    target: bytes = CHAT,
    method: bytes = b"POST",
    key: str = "sk-one",
    **headers: str,
) -> HeardRequest:
    """A request with a credential; `cache_control="no-store"` adds that header."""
    given = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {key}".encode())]
    given += [(n.replace("_", "-").encode(), v.encode("latin-1")) for n, v in headers.items()]
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return HeardRequest(raw, target=target, method=method, headers=given)


@dataclass
class House:
    """A gateway, its book and its answers; `troubles` are the errors it told of."""

    gateway: Gateway
    book: Book
    answers: AnswerStore
    upstream: Upstream
    troubles: list[object] = field(default_factory=list)

    async def ask(self, body: dict[str, Any] | bytes, **how: Any) -> HeardRequest:
        """Send a request (see `request`) and wait for its answer."""
        return await answered(self.gateway, request(body, **how))

    @property
    def entries(self) -> list[Entry]:
        """The entries of the book, oldest first."""
        return list(self.book.store.entries())

    @property
    def last(self) -> Entry:
        """The newest entry."""
        return self.entries[-1]


async def answered(gateway: Gateway, made: HeardRequest) -> HeardRequest:
    """The request, when it has been answered."""
    answering = gateway.handle(made)
    if answering is not None:
        await answering
    return made
