"""Metered: the layer around the upstream that sees what each call used.

Whole answers are read when they have come, streams as they pass: the bytes go on untouched, and
what the end of the stream says of its usage is kept. A stream that breaks off or is left early is
booked with what is known and a gap.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from lichen.calls.exchange import Answer, Exchange, Headers, Record, Share, Upstream
from lichen.calls.openai import estimated_usage, usage_at_end, usage_of
from lichen.ledger.errors import LichenError, UpstreamError
from lichen.ledger.ids import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from lichen.calls.booking import Booker
    from lichen.ledger.tokens import Tokens

# The usage of an answer stands at its end; of a long stream only that much is looked at.
_TAIL = 64 * 1024


class Metered:
    """The innermost layer: sends an exchange to the upstream and books what it used."""

    def __init__(
        self, upstream: Upstream, booker: Booker, on_error: Callable[[LichenError], None]
    ) -> None:
        self._upstream = upstream
        self._booker = booker
        self._on_error = on_error

    async def __call__(self, exchange: Exchange) -> Answer:
        """The upstream's answer, with a record of what it used.

        Raises:
            UpstreamError: no answer could be had; booked as a gap.
        """
        call = exchange.call
        if call is None:
            return await self._upstream.send(exchange)
        started_us = time.time_ns() // 1000
        record = Record(new_id(started_us), call.model, started_us, self._upstream.zone)
        running = _Running(self._upstream.share)
        try:
            answer = await self._upstream.send(exchange)
        except UpstreamError as error:
            running.end(record)
            self._lost(exchange, record, f"upstream-failed:{error.code}")
            raise
        except BaseException:
            running.end(record)
            self._lost(exchange, record, "call-abandoned")
            raise
        answer.record = record
        answer.notes.append((b"x-lichen-id", record.entry_id.encode()))
        if not answer.ok:
            answer.body = await _whole(answer)
            running.end(record)
            self._lost(exchange, record, f"upstream-answered:{answer.status}")
        elif answer.stream is None:
            running.end(record)
            self._finish(exchange, record, answer)
        else:
            answer.stream = self._observed(exchange, record, answer.stream, running)
        return answer

    async def _observed(
        self,
        exchange: Exchange,
        record: Record,
        stream: AsyncGenerator[bytes, None],
        running: _Running,
    ) -> AsyncGenerator[bytes, None]:
        """The stream as it comes; booked when it ends, however it ends."""
        tail, frames, whole = bytearray(), 0, False
        digest = hashlib.sha256()
        try:
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    tail += chunk
                    if len(tail) > 2 * _TAIL:
                        del tail[:-_TAIL]
                    frames += chunk.count(b"data:")
                    record.size += len(chunk)
                    digest.update(chunk)
                    yield chunk
            whole = True
        finally:
            running.end(record)
            record.digest = digest.hexdigest()[:32]
            if not whole:
                record.gaps += ("stream-broken-off",)
            end = bytes(tail)
            self._settle(exchange, record, usage_at_end(end), (end, frames))

    def _finish(self, exchange: Exchange, record: Record, answer: Answer) -> None:
        record.size = len(answer.body)
        record.digest = hashlib.sha256(answer.body).hexdigest()[:32]
        usage = usage_of(answer.body)
        answer.notes += self._settle(exchange, record, usage, (answer.body, 0))

    def _settle(
        self, exchange: Exchange, record: Record, usage: Tokens | None, seen: tuple[bytes, int]
    ) -> Headers:
        """Book a finished call. Whatever goes wrong here stays here: the call was answered."""
        try:
            record.tokens = usage
            if usage is None:
                record.tokens = estimated_usage(exchange.body, *seen)
                record.gaps += ("tokens-estimated",)
            self._booker.price(record)
            return self._booker.upstream(exchange, record)
        except LichenError as error:
            self._on_error(error)
            return []

    def _lost(self, exchange: Exchange, record: Record, gap: str) -> None:
        self._booker.unknown(exchange, record, gap)


class _Running:
    """The measured share of one call, where the upstream can be measured; ends once."""

    __slots__ = ("_begun", "_share")

    def __init__(self, share: Share | None) -> None:
        self._share = share
        self._begun = share.begin() if share is not None else None

    def end(self, record: Record) -> None:
        share, self._share = self._share, None
        measured = share.end(self._begun) if share is not None else None
        if share is not None and measured is not None:
            record.reading, record.cpu_seconds = measured
            record.method, record.factors = share.method, share.factors


async def _whole(answer: Answer) -> bytes:
    """An error's body, whole: errors are short, and none is ever streamed on."""
    if answer.stream is None:
        return answer.body
    parts = [part async for part in answer.stream]
    answer.stream = None
    return b"".join(parts)
