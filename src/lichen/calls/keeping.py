"""Keeping: the layer that keeps good answers for the exact cache, as they pass.

It stands inside the flight that identical calls share, so an answer is kept once, and also when the
client that asked first has left. Errors, broken streams and answers to `no-store` are never kept.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from lichen.calls.answers import AnswerStore, Stored
from lichen.calls.booking import origin_of
from lichen.calls.key import is_exact

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lichen.calls.exchange import Answer, Exchange, Onward

_SECOND_US = 1_000_000
# Headers that speak of one exchange and mean nothing when its answer is sent again.
_PASSING = frozenset(
    (b"age", b"date", b"openai-processing-ms", b"server-timing", b"set-cookie", b"x-request-id")
)


class Keeping:
    """The step that keeps what comes back, up to `entry_limit` bytes an answer."""

    def __init__(self, answers: AnswerStore, *, entry_limit: float = 8e6) -> None:
        self._answers = answers
        self._entry_limit = entry_limit

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Pass onward, and keep the answer now or when its stream has ended well."""
        answer = await onward(exchange)
        keepable = (
            exchange.key
            and answer.ok
            and not exchange.directives.no_store
            and not _forbids_keeping(answer)
            and is_exact(exchange.body)
        )
        if keepable and answer.record is not None:
            if answer.stream is None:
                self._keep(exchange, answer, answer.body)
            else:
                answer.stream = self._recorded(exchange, answer, answer.stream)
        return answer

    async def _recorded(
        self, exchange: Exchange, answer: Answer, stream: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        """The stream as it passes; kept once it has ended well."""
        parts: list[bytes] | None = []
        size = 0
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if parts is not None:
                    parts.append(chunk)
                if size > self._entry_limit:
                    parts = None
                yield chunk
        body = b"".join(parts) if parts is not None else b""
        if _ended_well(body):
            self._keep(exchange, answer, body)

    def _keep(self, exchange: Exchange, answer: Answer, body: bytes) -> None:
        record, rule = answer.record, exchange.rule
        origin = origin_of(exchange, record) if record is not None else None
        if origin is None or rule is None or len(body) > self._entry_limit:
            return
        now_us = time.time_ns() // 1000
        self._answers.keep(
            Stored(
                exchange.key,
                answer.status,
                [pair for pair in answer.headers if pair[0] not in _PASSING],
                body,
                now_us,
                now_us + int(rule.ttl * _SECOND_US),
                origin,
            )
        )


def _forbids_keeping(answer: Answer) -> bool:
    return any(
        name == b"cache-control" and b"no-store" in value.lower() for name, value in answer.headers
    )


def _ended_well(body: bytes) -> bool:
    """Whether a stream came to its own end and reports no error on the way.

    Chat and text completions end with [DONE], responses with their completed event.
    """
    end = body[-64:].rstrip()
    finished = end.endswith(b"data: [DONE]") or b"event: response.completed" in body
    return finished and b'data: {"error"' not in body
