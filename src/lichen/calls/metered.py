"""Metered: the layer around the upstream that sees what each call used.

Whole answers are read when they have come, streams as they pass: the bytes go on untouched, and
what the end of the stream says of its usage is kept. A stream that breaks off or is left early is
booked with what is known and a gap; a call of a kind that lichen cannot read is a gap.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import orjson

from lichen.calls.body import whole_of
from lichen.calls.exchange import Answer, Exchange, Headers, Record, Share, Stream, Upstream
from lichen.calls.keeping import forbids_keeping
from lichen.calls.providers.plausible import estimated_usage, is_plausible
from lichen.calls.tap import Tap
from lichen.calls.upstreams import serving
from lichen.ledger.errors import NotAsked, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.booking import Booker
    from lichen.calls.exchange import Call, Served
    from lichen.ledger.tokens import Tokens

# Tries before the one that answered, whose use nobody can tell.
ATTEMPTS = "earlier-tries-not-metered"
# The usage of an answer stands at its end, with some providers at its begin too; of a long stream
# only that much is looked at. [byte]
_TAIL = 64 * 1024
# Steps that want a whole answer get a stream's up to this length. [byte]
_HEARD = 8e6
_HEAD = 8 * 1024


class Metered:
    """The innermost layer: sends an exchange to the upstream and books what it used."""

    def __init__(
        self, upstream: Upstream, booker: Booker, on_error: Callable[[object], None]
    ) -> None:
        self._upstream = upstream
        self._booker = booker
        self._on_error = on_error

    async def __call__(self, exchange: Exchange) -> Answer:
        """The upstream's answer, with a record of what it used.

        Raises:
            UpstreamError: no answer could be had; booked as a gap.
        """
        call, upstream = exchange.call, serving(self._upstream, exchange.provider)
        if call is None and (exchange.method != "POST" or not exchange.gap):
            # Lists, look-ups, deletions and uploads ask no model for anything.
            return await upstream.send(exchange)
        started_us = time.time_ns() // 1000
        entry_id = self._booker.new_id(started_us)
        if entry_id is None:
            return await upstream.send(exchange)  # a counted gap; the call goes on as it came
        model = upstream.model or (call.model if call is not None else "")
        record = Record(entry_id, model, started_us, upstream.zone)
        running = _Running(exchange, record, self._booker)
        if upstream.share is not None:
            running.measure(upstream.share, self._on_error)
        try:
            answer = await upstream.send(exchange)
            if call is not None and not answer.ok:
                answer.body = await whole_of(answer)
        except BaseException as error:
            running.failed(error)
            if call is not None and isinstance(error, UpstreamError):
                error.entry_id = "" if isinstance(error, NotAsked) else running.record.entry_id
            raise
        running.learn_who(answer.served)
        if exchange.on_answer is not None and forbids_keeping(exchange, answer):
            exchange.on_answer = None
        _observe(answer, call, running)
        return answer


def _observe(answer: Answer, call: Call | None, running: _Running) -> None:
    """Book the answer now, or when its stream has ended."""
    gap = "" if answer.ok else f"upstream-answered:{answer.status}"
    if call is None:
        gap = gap or running.gap
    else:
        answer.record = running.record
        answer.notes.append((b"x-lichen-id", running.record.entry_id.encode()))
    if answer.stream is not None:
        answer.stream = (
            _Unread(answer.stream, running, gap)
            if gap or call is None
            else _Observed(answer.stream, running, call)
        )
    elif gap or call is None:
        running.lost(gap)
    else:
        answer.notes += running.answered(call, answer.body)


class _Running:
    """One call as it goes on: what is measured of it, and its booking when it ends."""

    __slots__ = ("_begun", "_booker", "_exchange", "_on_error", "_share", "record")

    def __init__(self, exchange: Exchange, record: Record, booker: Booker) -> None:
        self._exchange, self._booker = exchange, booker
        self._share: Share | None = None
        self.record = record
        booker.begun()

    @property
    def gap(self) -> str:
        """What the book says where nothing can be read of it."""
        return self._exchange.gap

    def measure(self, share: Share, on_error: Callable[[object], None]) -> None:
        """Measure it from here on; what cannot be measured is modelled."""
        self._on_error = on_error
        try:
            self._begun = share.begin()
        except Exception as error:  # noqa: BLE001 (a broken meter must not break the call)
            on_error(error)
        else:
            self._share = share

    @property
    def is_heard(self) -> bool:
        """Whether a step wants the whole answer."""
        noted = self._exchange.noted
        return noted is not None and bool(noted.on_done)

    def _ended(self) -> None:
        share, self._share = self._share, None
        if share is None:
            return
        try:
            measured = share.end(self._begun)
        except Exception as error:  # noqa: BLE001 (a broken meter must not break the call)
            self._on_error(error)
            return
        if measured is not None:
            record = self.record
            record.reading, record.cpu_seconds = measured
            record.method, record.factors = share.method, share.factors

    def learn_who(self, served: Served | None) -> None:
        """Who answered, and whether it took more than one try: what those before used is a gap."""
        record, noted = self.record, self._exchange.noted
        if noted is not None and "attempts" in noted.raw:
            record.gaps += (ATTEMPTS,)
        if served is not None:
            record.zone, record.model = served.zone, served.model
            record.gaps += (served.gap,) if served.gap else ()
            self._share = None

    def failed(self, error: BaseException) -> None:
        """There is no answer. Where nothing was sent nothing was used: there is nothing to book."""
        if isinstance(error, NotAsked):
            self._share = None
            self._booker.ended()
        elif isinstance(error, UpstreamError):
            self.lost(f"upstream-failed:{error.code}")
        else:
            self.lost("call-abandoned")

    def lost(self, gap: str) -> None:
        """Nobody can tell what it used."""
        self._ended()
        self.record.sound = False  # nobody is to wait for its tokens
        self._booker.unknown(self._exchange, self.record, gap)
        self._booker.ended()

    def answered(self, call: Call, body: bytes) -> Headers:
        """It came whole."""
        self._ended()
        record = self.record
        record.size, record.digest = len(body), hashlib.sha256(body).hexdigest()[:32]
        tokens = _read(record, call, body)
        if record.sound:
            self._came()
        told = self._book(tokens, call, body)
        if record.sound:
            self._done(body)
        return told

    def streamed(self, call: Call, ends: tuple[bytes, bytes], frames: int, body: bytes) -> None:
        """It came as a stream: how it began and ended, and all of it where somebody wants it."""
        self._ended()
        begin, end = ends
        asked = self._exchange.on_answer is not None or self.is_heard
        sound = asked and call.dialect.ended_well(call.kind, end)
        if sound:
            self._came()
        self._book(call.dialect.stream_usage(call.kind, begin, end), call, end, frames)
        if sound:
            self._done(body)

    def _came(self) -> None:
        """A whole and sound answer has come."""
        if self._exchange.on_answer is not None:
            self._exchange.on_answer(self.record)

    def _done(self, body: bytes) -> None:
        """Tell those who asked that a whole and sound answer has come and is booked."""
        noted = self._exchange.noted
        for hear in noted.on_done if noted is not None else ():
            try:
                hear(self.record, body)
            except Exception as error:  # noqa: BLE001 (the answer is on its way: it goes out)
                self._booker.tell(error)

    def _book(self, tokens: Tokens | None, call: Call, body: bytes, frames: int = 0) -> Headers:
        record, exchange = self.record, self._exchange
        if tokens is not None and not is_plausible(tokens, call, exchange.body, record.size):
            tokens = None
            record.gaps += ("usage-implausible",)
        if tokens is None:
            tokens = estimated_usage(call, exchange.body, body, frames)
            record.gaps += ("tokens-estimated",)
        record.tokens = tokens
        told = self._booker.upstream(exchange, record)
        self._booker.ended()
        return told


def _read(record: Record, call: Call, body: bytes) -> Tokens | None:
    """The tokens of a whole answer, None where it says nothing sensible of them."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if type(answer) is not dict:
        record.sound = False
        record.gaps += ("answer-unreadable",)
        return None
    record.sound = call.dialect.is_sound(call.kind, answer)
    return call.dialect.usage(call.kind, answer)


class _Unread(Tap):
    """The stream of an answer that lichen cannot read, such as an image's or a voice's."""

    def __init__(self, stream: Stream, running: _Running, gap: str) -> None:
        super().__init__(stream)
        self._running = running
        self._gap = gap

    def finished(self) -> None:
        self._running.lost(self._gap)

    def cut(self) -> None:
        self._running.lost(self._gap)


class _Observed(Tap):
    """The stream of an answer as it comes; booked when it ends, however it ends."""

    def __init__(self, stream: Stream, running: _Running, call: Call) -> None:
        super().__init__(stream)
        self._running = running
        self._call = call
        self._begin = b""
        self._tail = bytearray()
        self._frames = 0
        self._hash = hashlib.sha256()
        # All of it, while somebody wants it and it is short.
        self._parts: list[bytes] | None = [] if running.is_heard else None

    def saw(self, chunk: bytes) -> None:
        if self._parts is not None:
            self._parts.append(chunk)
            if self._running.record.size > _HEARD:
                self._parts = None
        if len(self._begin) < _HEAD:
            self._begin += chunk[:_HEAD]
        tail = self._tail
        tail += chunk
        if len(tail) > 2 * _TAIL:
            del tail[:-_TAIL]
        self._frames += chunk.count(b"data:")
        self._running.record.size += len(chunk)
        self._hash.update(chunk)

    def finished(self) -> None:
        self._running.record.digest = self._hash.hexdigest()[:32]
        ends = self._begin, bytes(self._tail)
        self._running.streamed(self._call, ends, self._frames, b"".join(self._parts or ()))

    def cut(self) -> None:
        # After its last frame nothing is missing, even if whoever read it did not wait for the end.
        call = self._call
        if not call.dialect.ended_well(call.kind, bytes(self._tail)):
            self._running.record.gaps += ("stream-broken-off",)
        self.finished()
