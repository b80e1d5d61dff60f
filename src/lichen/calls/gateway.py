"""Gateway: HTTP on one side, the pipeline on the other.

A hit is answered within the call that brought its last byte: no task, no await, one write. All else
becomes a coroutine that is cancelled when the client leaves. Errors go back in the provider's own
shape, so that its clients raise their own exceptions.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from lichen.calls import directives
from lichen.calls.booking import block
from lichen.calls.coding.choosing import Coding
from lichen.calls.coding.codecs import BodyTooLargeError
from lichen.calls.coding.options import CodingOptions
from lichen.calls.exchange import CREDENTIALS, Answer, Exchange
from lichen.calls.providers.doors import DOORS, Door, enter
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.resilience.admission import Admission
from lichen.calls.resilience.waits import told
from lichen.calls.tenant import tenant_of
from lichen.ledger.errors import InputError, NotAsked, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from lichen.calls.exchange import Headers
    from lichen.calls.providers.dialect import Dialect
    from lichen.calls.steps import Layers

_JSON = (b"content-type", b"application/json")
_ANY = Door(OPENAI, "openai")
_CODING = Coding(CodingOptions(), 64e6)
# Headers that say something here; most do not, and are passed over at once.
_TELLING = CREDENTIALS | {b"cache-control", b"content-encoding"}
# Tenants remembered by credential; beyond it they are hashed again.
_TENANTS = 4096
# A longer body is sent in pieces of this, as it is read: a slow client holds no copy of it. [byte]
_PIECE = 64 * 1024


class HttpRequest(Protocol):
    """An HTTP request, and the way to answer it: see `lichen.serve.http`."""

    method: bytes
    target: bytes
    headers: Headers
    body: bytes
    started: bool

    def respond(self, status: int, head: bytes, body: bytes) -> None:
        """Answer whole."""
        ...

    def start(self, status: int, head: bytes, length: int | None = None) -> None:
        """Begin a streamed answer, of a length where it is known. [byte]"""
        ...

    async def send(self, chunk: bytes) -> None:
        """Send a chunk, waiting while the client does not read."""
        ...

    def end(self) -> None:
        """End a streamed answer well."""
        ...

    def break_off(self) -> None:
        """End a streamed answer so that the client sees it is incomplete."""
        ...


class Gateway:
    """Answers API requests: from the store at once, else through the pipeline.

    `admission` bounds what is under way in the pipeline; `coding` reads and writes what is
    compressed on the wire.
    """

    def __init__(
        self, layers: Layers, admission: Admission | None = None, coding: Coding = _CODING
    ) -> None:
        self.layers = layers
        self._admission = admission or Admission()
        self._coding = coding
        self._onward = layers.onward
        self._who: dict[tuple[bytes, str], tuple[str, str]] = {}

    def handle(
        self, request: HttpRequest, door: Door | None = None
    ) -> Coroutine[None, None, None] | None:
        """Answer now, or return what will answer; the door is found where it is not given."""
        if door is None:
            door = DOORS.get(request.target) or enter(request) or _ANY
        try:
            exchange = self._exchange(request, door)
        except BodyTooLargeError as error:
            refuse(request, 413, str(error), "body_too_large", door.dialect)
            return None
        except InputError as error:
            refuse(request, 400, str(error), "invalid_body", door.dialect)
            return None
        hit = self.layers.at_once(exchange) if exchange.call is not None else None
        if hit is not None:
            status, head, body = hit
            if len(body) >= self._coding.least:
                head, body = self._coding.answer(request.headers, head, body)
            if len(body) > _PIECE:
                return _in_pieces(request, status, head, body)
            request.respond(status, head, body)
            return None
        return self._forward(request, exchange, door.dialect)

    def _exchange(self, request: HttpRequest, door: Door) -> Exchange:
        credential = wished = b""
        plain = True
        for name, value in request.headers:
            if name not in _TELLING:
                continue
            if name in CREDENTIALS:
                credential = b"%b\0%b=%b" % (credential, name, value)
            elif name == b"cache-control":
                wished = b"%b,%b" % (wished, value) if wished else value
            else:
                plain = value.strip().lower() in (b"", b"identity")
        metered = bool(door.kind) and request.method == b"POST"
        if metered and not plain and (read := self._coding.read(request.headers, request.body)):
            request.headers, request.body = read
            plain = True
        target = request.target
        who = self._who.get((credential, door.provider))
        tenant, payer = who or self._learn(credential, door.provider)
        exchange = Exchange(
            request.method.decode("latin-1"),
            target.decode("latin-1"),
            request.headers,
            request.body,
            tenant,
            time.time_ns() // 1000,
            directives.parse(wished) if wished else directives.NO_WISHES,
            provider=door.provider,
            gap=door.gap,
            payer=payer,
        )
        # A body in a coding that nobody here can read is the upstream's; it passes, unmetered.
        if metered and plain:
            exchange.call = door.dialect.read_call(door.kind, target, request.body)
            self.layers.admit(exchange)
        return exchange

    def _learn(self, credential: bytes, provider: str) -> tuple[str, str]:
        """The tenant and the payer of a credential."""
        if len(self._who) >= _TENANTS:
            self._who.clear()
        who = tenant_of(credential), self.layers.payer(credential, provider)
        self._who[credential, provider] = who
        return who

    async def _forward(self, request: HttpRequest, exchange: Exchange, dialect: Dialect) -> None:
        admission, tenant = self._admission, exchange.payer
        try:
            admission.enter(tenant)
        except NotAsked as error:
            refuse_failed(request, error, dialect)
            return
        try:
            await self._answer(request, exchange, dialect)
        finally:
            admission.leave(tenant)

    async def _answer(self, request: HttpRequest, exchange: Exchange, dialect: Dialect) -> None:
        try:
            answer = await self._onward(exchange)
        except UpstreamError as error:
            refuse_failed(request, error, dialect)
            return
        notes = answer.notes
        if exchange.call is not None:
            notes = [(b"x-lichen-cache", _cache_note(exchange, answer)), *notes]
        head = block([*answer.headers, *notes])
        if answer.stream is None:
            body = answer.body
            if exchange.call is not None and len(body) >= self._coding.least:
                head, body = self._coding.answer(request.headers, head, body)
            if len(body) <= _PIECE:
                request.respond(answer.status, head, body)
            else:
                await self._give(request, answer.status, head, body)
        else:
            await self._pass(request, exchange, answer, head)

    async def _pass(
        self, request: HttpRequest, exchange: Exchange, answer: Answer, head: bytes
    ) -> None:
        """Pass a stream on as it comes."""
        assert answer.stream is not None
        call = exchange.call
        try:
            async with aclosing(answer.stream) as chunks:
                request.start(answer.status, head, answer.length)
                async for chunk in chunks:
                    await request.send(chunk)
        except UpstreamError as error:
            # The head is out: say what happened in the stream's own terms, then show the break.
            if call is not None and call.stream and not call.as_array:
                await request.send(call.dialect.error_frame(error.status, str(error), error.code))
            request.break_off()
            return
        request.end()

    async def _give(self, request: HttpRequest, status: int, head: bytes, body: bytes) -> None:
        """Give a long answer as the client reads it, and count it while it waits."""
        self._admission.hold(len(body))
        try:
            await _in_pieces(request, status, head, body)
        finally:
            self._admission.hold(-len(body))


def refuse(
    request: HttpRequest, status: int, message: str, code: str, dialect: Dialect = OPENAI
) -> None:
    """Answer with an error in the provider's shape."""
    request.respond(status, block([_JSON]), dialect.error_body(status, message, code))


def refuse_failed(request: HttpRequest, error: UpstreamError, dialect: Dialect) -> None:
    """Answer with what went wrong, and when to come again where that is known."""
    head = [_JSON]
    if error.wait_s is not None:
        head.append((b"retry-after", told(error.wait_s)))
    if error.entry_id:
        head.append((b"x-lichen-id", error.entry_id.encode()))
    body = dialect.error_body(error.status, str(error), error.code)
    request.respond(error.status, block(head), body)


async def _in_pieces(request: HttpRequest, status: int, head: bytes, body: bytes) -> None:
    """Answer whole, no faster than the client reads."""
    request.start(status, head, len(body))
    for at in range(0, len(body), _PIECE):
        await request.send(body[at : at + _PIECE])
    request.end()


def _cache_note(exchange: Exchange, answer: Answer) -> bytes:
    if answer.source != "upstream":
        return answer.source.encode()
    # A miss is kept; what its client wants neither answered from the store nor kept is none.
    return b"miss" if exchange.key and not exchange.directives.no_store else b"bypass"
