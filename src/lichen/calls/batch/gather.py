"""Gather: embeddings that many callers ask for within a few ms go to the upstream as one call.

    window opens with the first call; closes after `window` s, `most_items` inputs or `most_tokens`
    share of a caller in prompt_tokens N:  largest remainder of N · wᵢ / Σ w,  Σ shares = N

w   the length of a caller's inputs: tokens where they came as tokens, else bytes

Only calls of one credential, model, set of parameters and headers go together, and none that may be
sent again by a key of its own. Each caller gets its
own vectors, counted from 0, and its own usage; each is booked and kept as if it had gone alone. A
4xx of the whole says nothing of the parts, so that they then go one by one; any other failure is
everyone's.

Source: OpenAI API reference, "Create embeddings" (an array of inputs; its longest, and its tokens);
H. Hamilton's method of largest remainders.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.acts import Act
from lichen.calls.batch.late import STRATEGY
from lichen.calls.batch.portions import inputs_of, is_tokens, parted, weight
from lichen.calls.batch.proof import GATHERED
from lichen.calls.key import key_of
from lichen.ledger.errors import NotAsked, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.exchange import Answer, Call, Exchange, Record, Upstream

SHARED = "tokens-shared-by-estimate"
# Characters of English a token, for what a window holds.
# Source: OpenAI, "What are tokens".
_BYTES = 4
_AGAIN = b"idempotency-key"
# Refusals that may be one caller's fault; a wrong key or a limit (401, 403, 429) is everyone's.
_ONE_BY_ONE = frozenset((400, 404, 413, 422))


class Gather:
    """An upstream around another one, that lets embeddings go together."""

    def __init__(self, upstream: Upstream, options: BatchOptions) -> None:
        self._upstream, self._options = upstream, options
        self.name, self.url = upstream.name, upstream.url
        self.zone, self.model = upstream.zone, upstream.model
        self.share = upstream.share
        self._open: dict[bytes, _Group] = {}
        self._flying: set[asyncio.Task[None]] = set()
        self.calls = self.together = 0

    async def send(self, exchange: Exchange) -> Answer:
        """The caller's part of the answer.

        Raises:
            UpstreamError: no answer could be had.
        """
        assert exchange.call is not None
        inputs = inputs_of(exchange.call)
        # A key says that this very call may be sent again: in other company it would be another.
        alone = any(name == _AGAIN for name, _ in exchange.headers)
        key = self._key(exchange, exchange.call) if inputs and not alone else b""
        if not inputs or not key:
            return await self._upstream.send(exchange)
        seat = _Seat(exchange, inputs, asyncio.get_running_loop().create_future())
        self._seated(key, seat)
        # A caller that leaves takes nothing from the others.
        return await asyncio.shield(seat.answer)

    def _seated(self, key: bytes, seat: _Seat) -> None:
        options = self._options
        group = self._open.get(key)
        if group is not None and not group.has_room(seat, options):
            self._close(key, group)
            group = None
        if group is None:
            group = self._open[key] = _Group([])
            loop = asyncio.get_running_loop()
            group.timer = loop.call_later(options.window, self._close, key, group)
        group.seats.append(seat)
        if group.items >= options.most_items:
            self._close(key, group)

    def _close(self, key: bytes, group: _Group) -> None:
        if self._open.get(key) is group:
            del self._open[key]
        if group.timer is not None:
            group.timer.cancel()
            group.timer = None
            task = asyncio.create_task(self._fly(group.seats))
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)

    async def _fly(self, seats: Sequence[_Seat]) -> None:
        self.calls += 1
        self.together += len(seats)
        try:
            await self._together(seats)
        except Exception as error:  # noqa: BLE001 (told to each who waits)
            for seat in seats:
                seat.fail(error)

    async def _together(self, seats: Sequence[_Seat]) -> None:
        if len(seats) == 1:
            seats[0].give(await self._upstream.send(seats[0].exchange))
            return
        joined = _joined(seats)
        answer = await self._upstream.send(joined)
        body = answer.body
        if answer.stream is not None:
            async with aclosing(answer.stream) as chunks:
                body = b"".join([chunk async for chunk in chunks])
        parts = parted(body, [seat.inputs for seat in seats]) if answer.ok else None
        if parts is None and (answer.ok or answer.status in _ONE_BY_ONE):
            await asyncio.gather(*(self._alone(seat) for seat in seats))
            return
        for seat in seats:
            # What was noted on the way, such as how many tries it took, holds for each.
            seat.exchange.raw.update(joined.raw)
        if parts is None:
            for seat in seats:
                seat.give(_given(answer, body))
            return
        for seat, (part, exact) in zip(seats, parts, strict=True):
            seat.told(len(seats), exact=exact)
            seat.give(_given(answer, part))

    async def _alone(self, seat: _Seat) -> None:
        try:
            seat.give(await self._upstream.send(seat.exchange))
        except Exception as error:  # noqa: BLE001 (this caller's alone)
            seat.fail(error)

    def _key(self, exchange: Exchange, call: Call) -> bytes:
        """What calls must have in common to go together."""
        kind = "tokens" if is_tokens(call.fields["input"]) else "text"
        rest = {name: value for name, value in call.fields.items() if name != "input"}
        return key_of(
            replace(call, fields=rest),
            scope=f"{exchange.tenant} {kind}",
            upstream=self.name or self.url,
            target=exchange.target,
            headers=exchange.headers,
        )

    async def close(self) -> None:
        """Let what is under way end; the upstream is its owner's to close."""
        if self._flying:
            await asyncio.wait(list(self._flying))


@dataclass(slots=True)
class _Seat:
    """One caller's place in a group."""

    exchange: Exchange
    inputs: list[Any]
    answer: asyncio.Future[Answer]

    def give(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(_own(error))

    def told(self, many: int, *, exact: bool) -> None:
        """Note how the call went, for its entry and for its line."""
        exchange = self.exchange
        gaps = () if exact else (SHARED,)
        exchange.raw["gathered"] = many
        exchange.acts.append(Act(STRATEGY, GATHERED, lambda use: use, {"gathered": many}, gaps))
        if not exact:
            exchange.on_answer = with_gap(exchange.on_answer, SHARED)


@dataclass(slots=True)
class _Group:
    """Calls that go together."""

    seats: list[_Seat]
    timer: asyncio.TimerHandle | None = None

    @property
    def items(self) -> int:
        return sum(len(seat.inputs) for seat in self.seats)

    def has_room(self, seat: _Seat, options: BatchOptions) -> bool:
        held = [*self.seats, seat]
        tokens = sum(weight(one.inputs) for one in held) / _BYTES
        items = self.items + len(seat.inputs)
        return items <= options.most_items and tokens <= options.most_tokens


def with_gap(before: Callable[[Record], None] | None, gap: str) -> Callable[[Record], None]:
    """What hears of an answer: it notes a gap in its record, and tells who heard before."""

    def answered(record: Record) -> None:
        record.gaps += (gap,)
        if before is not None:
            before(record)

    return answered


def _joined(seats: Sequence[_Seat]) -> Exchange:
    """One call with the inputs of all."""
    first = seats[0].exchange
    assert first.call is not None
    fields = {**first.call.fields, "input": [one for seat in seats for one in seat.inputs]}
    return replace(
        first,
        body=orjson.dumps(fields),
        call=replace(first.call, fields=fields),
        key=b"",
        on_answer=None,
        noted=None,
    )


def _given(answer: Answer, body: bytes) -> Answer:
    """One caller's answer: all that the whole one says of itself, with a body of its own."""
    return replace(
        answer,
        headers=list(answer.headers),
        body=body,
        stream=None,
        length=None,
        record=None,
        notes=list(answer.notes),
    )


def _own(error: Exception) -> Exception:
    """One caller's failure, of the same kind: one exception raised twice would mix its traces."""
    text = str(error)
    if isinstance(error, NotAsked):
        wait = error.wait_s or 0.0
        return NotAsked(text, status=error.status, code=error.code, wait_s=wait)
    if isinstance(error, UpstreamError):
        return UpstreamError(
            text, status=error.status, code=error.code, sent=error.sent, wait_s=error.wait_s
        )
    return error
