"""Gather: embeddings that many callers ask for within a few ms go to the upstream as one call.

    window opens with the first call; closes after `window` s, `most_items` inputs or `most_tokens`
    share of a caller in prompt_tokens N:  largest remainder of N · wᵢ / Σ w,  Σ shares = N

w   the length of a caller's inputs: tokens where they came as tokens, else bytes

Only calls of one credential, model, set of parameters and headers go together. Each caller gets its
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
from lichen.calls.batch.proof import GATHERED
from lichen.calls.exchange import Answer, Exchange
from lichen.calls.key import key_of
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.exchange import Call, Record, Upstream

SHARED = "tokens-shared-by-estimate"
# Characters of English a token, for what a window holds.
# Source: OpenAI, "What are tokens".
_BYTES = 4
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
        key = self._key(exchange, exchange.call) if inputs else b""
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
        answer = await self._upstream.send(_joined(seats))
        if answer.stream is not None:
            async with aclosing(answer.stream) as chunks:
                answer.body = b"".join([chunk async for chunk in chunks])
            answer.stream = None
        parts = parted(answer, [seat.inputs for seat in seats]) if answer.ok else None
        if parts is not None:
            for seat, (body, exact) in zip(seats, parts, strict=True):
                seat.told(len(seats), exact=exact)
                seat.give(Answer(answer.status, list(answer.headers), body))
        elif answer.ok or answer.status in _ONE_BY_ONE:
            await asyncio.gather(*(self._alone(seat) for seat in seats))
        else:
            for seat in seats:
                seat.give(Answer(answer.status, list(answer.headers), answer.body))

    async def _alone(self, seat: _Seat) -> None:
        try:
            seat.give(await self._upstream.send(seat.exchange))
        except Exception as error:  # noqa: BLE001 (this caller's alone)
            seat.fail(error)

    def _key(self, exchange: Exchange, call: Call) -> bytes:
        """What calls must have in common to go together."""
        kind = "tokens" if _is_tokens(call.fields["input"]) else "text"
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
        if self.answer.done():
            return
        if isinstance(error, UpstreamError):
            error = UpstreamError(str(error), status=error.status, code=error.code)
        self.answer.set_exception(error)

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
        tokens = sum(_weight(one.inputs) for one in held) / _BYTES
        items = self.items + len(seat.inputs)
        return items <= options.most_items and tokens <= options.most_tokens


def with_gap(before: Callable[[Record], None] | None, gap: str) -> Callable[[Record], None]:
    """What hears of an answer: it notes a gap in its record, and tells who heard before."""

    def answered(record: Record) -> None:
        record.gaps += (gap,)
        if before is not None:
            before(record)

    return answered


def inputs_of(call: Call) -> list[Any] | None:
    """The inputs of an embeddings call, one by one; None where lichen cannot tell them apart."""
    given = call.fields.get("input")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        return None
    if all(isinstance(each, int) for each in given):
        return [given]
    texts = all(isinstance(each, str) for each in given)
    tokens = all(isinstance(each, list) for each in given)
    return given if texts or tokens else None


def _is_tokens(given: Any) -> bool:
    return isinstance(given, list) and not isinstance(given[0], str)


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


def parted(answer: Answer, inputs: Sequence[Sequence[Any]]) -> list[tuple[bytes, bool]] | None:
    """Each caller's body, and whether its share of the tokens is exact; None: it does not fit."""
    try:
        whole = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    data = whole.get("data") if isinstance(whole, dict) else None
    sizes = [len(each) for each in inputs]
    if not isinstance(data, list) or len(data) != sum(sizes):
        return None
    by_index = {one.get("index"): one for one in data if isinstance(one, dict)}
    if set(by_index) != set(range(len(data))):
        return None
    usages, exact = _usages(whole.get("usage"), inputs)
    made, at = [], 0
    for size, usage in zip(sizes, usages, strict=True):
        mine = [{**by_index[at + place], "index": place} for place in range(size)]
        body = {**whole, "data": mine}
        if usage is not None:
            body["usage"] = usage
        made.append((orjson.dumps(body), exact))
        at += size
    return made


def _usages(
    usage: Any, inputs: Sequence[Sequence[Any]]
) -> tuple[list[dict[str, Any] | None], bool]:
    """Each caller's usage, and whether the shares are exact."""
    weights = [_weight(each) for each in inputs]
    if not isinstance(usage, dict):
        return [None] * len(weights), False
    total = usage.get("prompt_tokens")
    exact = all(_is_tokens(each) for each in inputs) and sum(weights) == total
    made: list[dict[str, Any]] = [dict(usage) for _ in weights]
    for name, value in usage.items():
        if type(value) is int:
            for each, share in zip(made, shares(value, weights), strict=True):
                each[name] = share
    return list(made), exact


def _weight(inputs: Sequence[Any]) -> int:
    """How long inputs are: tokens where they came as tokens, else bytes; at least 1 each."""
    lengths = (
        len(one.encode("utf-8", "replace")) if isinstance(one, str) else len(one) for one in inputs
    )
    return sum(max(1, length) for length in lengths)


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """A whole number in parts by weight, that add up to it exactly (largest remainder)."""
    whole = sum(weights)
    made = [total * weight // whole for weight in weights]
    rest = sorted(range(len(weights)), key=lambda at: -(total * weights[at] % whole))
    for at in rest[: total - sum(made)]:
        made[at] += 1
    return made
