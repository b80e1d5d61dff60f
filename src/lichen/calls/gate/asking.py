"""Asking: a call sent to a smaller model, and what it used, to be booked one way or the other.

    accepted    the call's own entry, by the smaller model; beside it the line of an act: the same
                tokens by the large model would have used more                    "calls.gate"
    not         what the smaller model used, for no work: a loss                  "calls.gate"

Where it is served elsewhere, the client's credentials stay here: only the cascade's own key goes.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.exchange import CREDENTIALS, Exchange, Noted, Record
from lichen.calls.gate.change import rewrite
from lichen.calls.gate.entries import GATE
from lichen.calls.gate.trust import Said, mean_logprob
from lichen.calls.providers.plausible import estimated_usage, is_plausible
from lichen.ledger.entry import Entry, Figures
from lichen.ledger.errors import UpstreamError
from lichen.ledger.footprint import Footprint
from lichen.ledger.ids import new_id
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Answer, Call, Upstream
    from lichen.calls.gate.small import Cascade
    from lichen.calls.steps import StepParts
    from lichen.ledger.tokens import Tokens

_NO_REQUEST = Work(0, "request")
# Headers that say who the client is to its provider.
_OF_CLIENT = CREDENTIALS | {b"cookie", b"openai-organization", b"openai-project"}
# The temperature of a second sample of a call that asks for none. [1]
_WARM = 0.7
_ENDS = 64 * 1024


@dataclass(slots=True)
class Small:
    """A smaller model's answer, and the exchange it answered."""

    exchange: Exchange
    answer: Answer
    record: Record
    said: Said


class Asker:
    """Asks the smaller model of one cascade; `elsewhere` is its own upstream, where it has one."""

    def __init__(
        self,
        parts: StepParts,
        table: Cascade,
        elsewhere: Upstream | None,
        alike: Callable[[str, str], bool],
    ) -> None:
        self._parts, self._table, self._alike = parts, table, alike
        self._elsewhere = elsewhere
        self._upstream = elsewhere or parts.upstream

    async def ask(self, exchange: Exchange, call: Call, question: str) -> Small | None:
        """The smaller model's answer; None where it gave none in time. A failure is a gap."""
        first = again = None
        try:
            async with asyncio.timeout(self._table.timeout):
                first = await self._once(exchange, call, call.fields)
                if first is None or self._table.samples == 1:
                    return first and self._told(first, question, None)
                again = await self._once(exchange, call, _warmed(call))
        except (UpstreamError, TimeoutError):
            self._parts.book.note_gap("a smaller model was asked and did not answer")
        if first is None:
            return None
        if again is None:
            self.lost(exchange, first)
            return None
        self.lost(exchange, again)
        return self._told(first, question, self._alike(first.said.text, again.said.text))

    async def _once(self, exchange: Exchange, call: Call, fields: dict[str, Any]) -> Small | None:
        clone = self._clone(exchange, call, fields)
        assert clone.call is not None
        started_us = time.time_ns() // 1000
        answer = await self._upstream.send(clone)
        body = answer.body = await _whole(answer, self._parts.entry_limit)
        record = Record(new_id(started_us), clone.call.model, started_us, self._upstream.zone)
        record.size, record.digest = len(body), hashlib.sha256(body).hexdigest()[:32]
        if not answer.ok:
            self._parts.book.note_gap("a smaller model was asked and did not answer")
            return None
        record.tokens, sound = self._tokens(clone, clone.call, body, record)
        text = clone.call.dialect.answer_text(call.kind, body) if sound else ""
        return Small(clone, answer, record, Said(text, ""))

    def _tokens(
        self, exchange: Exchange, call: Call, body: bytes, record: Record
    ) -> tuple[Tokens, bool]:
        dialect, tokens = call.dialect, None
        if call.stream:
            sound = dialect.ended_well(call.kind, body)
            tokens = dialect.stream_usage(call.kind, body[:_ENDS], body[-_ENDS:])
        else:
            whole = _object(body)
            sound = whole is not None and dialect.is_sound(call.kind, whole)
            tokens = dialect.usage(call.kind, whole) if whole is not None else None
        if tokens is None or not is_plausible(tokens, call, exchange.body, record.size):
            record.gaps += ("tokens-estimated",)
            tokens = estimated_usage(call, exchange.body, body, body.count(b"data:"))
        return tokens, sound

    def _told(self, small: Small, question: str, agrees: bool | None) -> Small:  # noqa: FBT001 (what was seen)
        whole = (
            None
            if small.exchange.call and small.exchange.call.stream
            else _object(small.answer.body)
        )
        small.said = Said(
            small.said.text, question, agrees, mean_logprob(whole) if whole is not None else None
        )
        return small

    def _clone(self, exchange: Exchange, call: Call, fields: dict[str, Any]) -> Exchange:
        """The same call to the smaller model; nothing of it reaches the original."""
        small = self._table.small
        target = exchange.target
        if "model" in fields:
            fields = {**fields, "model": small}
        else:
            target = target.replace(f"/models/{call.model}:", f"/models/{small}:")
        headers = exchange.headers
        if self._elsewhere is not None:
            headers = [pair for pair in headers if pair[0] not in _OF_CLIENT]
        noted = Noted(acts=list(exchange.noted.acts)) if exchange.noted is not None else None
        asked = replace(call, fields=fields, model=small)
        clone = replace(
            exchange,
            target=target,
            headers=headers,
            call=asked,
            key=b"",
            noted=noted,
            on_answer=None,
        )
        rewrite(clone, asked, fields)
        return clone

    def lost(self, asked: Exchange, small: Small) -> None:
        """Book a smaller model's answer that was not given: used, for no work.

        The trial that the asked call is part of counts it: without the cascade it had not been.
        """
        record, booker = small.record, self._parts.booker
        assert record.tokens is not None
        pricer = self._parts.book.pricer
        try:
            reading = pricer.calls.read(record.model, record.tokens)
            made, gaps = pricer.footprint(reading, record.zone, record.started_us)
        except Exception as error:  # noqa: BLE001 (the call goes on)
            booker.tell(error)
            made, gaps = Footprint.zero(), ("not-priced",)
        asked.took_beside(made.energy.value.in_joules)
        figures = Figures(
            name="cascade",
            strategy=GATE,
            work=_NO_REQUEST,
            footprint=made,
            method=pricer.calls.method,
            factors=pricer.calls.factors,
            zone=record.zone,
            model=record.model,
            tokens=record.tokens,
            raw={"cascade": self._table.name},
            gaps=record.gaps + gaps,
        )
        now_us = time.time_ns() // 1000
        try:
            tenant = small.exchange.tenant
            self._parts.book.add(Entry(record.entry_id, record.started_us, now_us, tenant, figures))
        except Exception as error:  # noqa: BLE001 (a broken ledger must not break the call)
            booker.tell(error)


def _warmed(call: Call) -> dict[str, Any]:
    """The fields of a second sample, which must be free to differ."""
    fields = {name: value for name, value in call.fields.items() if name != "seed"}
    if not fields.get("temperature"):
        fields["temperature"] = _WARM
    return fields


async def _whole(answer: Answer, limit: float) -> bytes:
    """All of an answer.

    Raises:
        UpstreamError: it is longer than is kept of any answer. [byte]
    """
    stream, answer.stream = answer.stream, None
    if stream is None:
        return answer.body
    body = bytearray()
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                raise UpstreamError("the smaller model's answer is too long", code="too_long")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return whole if type(whole) is dict else None
