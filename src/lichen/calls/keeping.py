"""Keeping: the layer that keeps good answers for the exact cache, as they pass.

It stands inside the flight that identical calls share, so an answer is kept once, and also when the
client that asked first has left. Errors, rubbish, broken streams and answers to `no-store` are
never kept; answers that ask for a tool are where a rule says so.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.booking import origin_of
from lichen.calls.resilience.standby import key_apart
from lichen.calls.stored import Stored
from lichen.calls.tap import Tap

if TYPE_CHECKING:
    from lichen.calls.answers import AnswerStore
    from lichen.calls.exchange import Answer, Exchange, Headers, Onward, Stream
    from lichen.calls.steps import StepParts

_SECOND_US = 1_000_000
# Headers that speak of one exchange or one client and mean nothing when its answer is sent again.
_PASSING = frozenset(
    (
        b"age",
        b"anthropic-organization-id",
        b"apim-request-id",
        b"cf-ray",
        b"date",
        b"openai-organization",
        b"openai-processing-ms",
        b"openai-project",
        b"request-id",
        b"retry-after",
        b"server-timing",
        b"set-cookie",
        b"x-client-request-id",
        b"x-ms-client-request-id",
        b"x-request-id",
    )
)
_LIMITS = (b"x-ratelimit-", b"anthropic-ratelimit-")


def open_step(parts: StepParts) -> Keeping:
    """The step, from what all steps are made from."""
    return Keeping(parts.answers, entry_limit=parts.entry_limit)


def lasting(headers: Headers) -> Headers:
    """The headers of an answer that another call may be given too."""
    return [pair for pair in headers if pair[0] not in _PASSING and not pair[0].startswith(_LIMITS)]


class Keeping:
    """The step that keeps what comes back, up to `entry_limit` bytes an answer."""

    def __init__(self, answers: AnswerStore, *, entry_limit: float = 8e6) -> None:
        self._answers = answers
        self._entry_limit = entry_limit

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Pass onward, and keep the answer now or when its stream has ended well."""
        answer = await onward(exchange)
        if (
            exchange.key
            and answer.ok
            and answer.record is not None
            and not exchange.directives.no_store
            and not forbids_keeping(exchange, answer)
        ):
            if answer.stream is not None:
                # Without its stream, which would hold it in a circle that only the collector ends.
                plain = replace(answer, stream=None)
                answer.stream = _Recorded(answer.stream, self, exchange, plain)
            elif answer.record.sound:
                self.keep(exchange, answer, answer.body)
        return answer

    def keep(self, exchange: Exchange, answer: Answer, body: bytes) -> None:
        """Keep an answer that has come to its end, if what it used is known."""
        record, rule = answer.record, exchange.rule
        origin = origin_of(exchange, record) if record is not None else None
        if origin is None or rule is None or len(body) > self._entry_limit:
            return
        if rule.tool_calls == "drop" and _calls_tools(exchange, body):
            return
        now_us = time.time_ns() // 1000
        served, key = answer.served, exchange.key
        self._answers.keep(
            Stored(
                key if served is None else key_apart(key, served.name),
                answer.status,
                lasting(answer.headers),
                body,
                now_us,
                now_us + int(rule.ttl * _SECOND_US),
                origin,
                exchange.tenant,
            )
        )

    def too_long(self, size: int) -> bool:
        """Whether an answer of that size is not kept. [byte]"""
        return size > self._entry_limit


class _Recorded(Tap):
    """A stream as it passes, kept once it has ended well."""

    def __init__(
        self, stream: Stream, keeping: Keeping, exchange: Exchange, answer: Answer
    ) -> None:
        super().__init__(stream)
        self._keeping, self._exchange, self._answer = keeping, exchange, answer
        self._parts: list[bytes] | None = []
        self._size = 0

    def saw(self, chunk: bytes) -> None:
        if self._parts is not None:
            self._parts.append(chunk)
            self._size += len(chunk)
            if self._keeping.too_long(self._size):
                self._parts = None

    def finished(self) -> None:
        call = self._exchange.call
        if self._parts is None or call is None:
            return
        body = b"".join(self._parts)
        if call.dialect.ended_well(call.kind, body):
            self._keeping.keep(self._exchange, self._answer, body)

    def cut(self) -> None:
        # A client that has read the last frame leaves, perhaps before the connection tells its end.
        self.finished()


def _calls_tools(exchange: Exchange, body: bytes) -> bool:
    call = exchange.call
    return call is not None and call.dialect.calls_tools(call.kind, body)


def forbids_keeping(exchange: Exchange, answer: Answer) -> bool:
    """Whether the upstream says that its answer is not to be given again, or to nobody else."""
    shared = exchange.rule is not None and exchange.rule.scope == "shared"
    return any(
        b"no-store" in value.lower() or (shared and b"private" in value.lower())
        for name, value in answer.headers
        if name == b"cache-control"
    )
