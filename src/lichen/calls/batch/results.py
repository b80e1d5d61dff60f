"""Results: what a provider's batch brought, each answer booked and kept once.

Before the first is booked the offer says so on disk. If the process ends before all are written
down, the next one looks in the ledger which of them it had booked: those are not booked again.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.batch.gather import with_gap
from lichen.calls.batch.item import Outcome, State
from lichen.calls.batch.late import ARRIVED, WHICH
from lichen.calls.batch.stored import answered_headers
from lichen.calls.exchange import Answer, Record
from lichen.calls.keeping import Keeping
from lichen.calls.metered import Metered
from lichen.calls.providers.prices import price_of
from lichen.calls.upstreams import serving
from lichen.calls.wrapping import pipeline
from lichen.ledger.window import from_microseconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.calls.batch.batches import Result
    from lichen.calls.batch.item import Item
    from lichen.calls.batch.late import Late
    from lichen.calls.batch.offers import Offer
    from lichen.calls.exchange import Exchange, Onward
    from lichen.calls.steps import StepParts

# A provider's batch ran some time within its hours: its grid is taken at the time it was fetched.
TIME_UNKNOWN = "time-of-run-unknown"
IN_BATCH = "provider_batch"
_AGAIN = frozenset((408, 409, 425, 429))
_SERVER = 500
_JSON = (b"content-type", b"application/json")
# The clocks of the database and of who books may differ by so much.
_CLOCKS = timedelta(minutes=5)


class Results:
    """Turns what came back into outcomes of items; each is booked as if its call had gone alone."""

    def __init__(self, parts: StepParts, late: Late) -> None:
        self._parts, self._late = parts, late
        self._layers: dict[str, tuple[_Ready, Onward]] = {}

    async def outcomes(
        self,
        offer: Offer,
        items: Sequence[Item],
        results: Mapping[str, Result],
        *,
        share: float,
        begun_us: int,
    ) -> list[Outcome]:
        """The outcomes of the items that were answered.

        `share` is what a call in a batch costs, as a part of one alone; `begun_us` when an earlier
        attempt began to book them, 0 where there was none. [µs since 1970]
        """
        booked = await asyncio.to_thread(self._booked, offer, begun_us) if begun_us else frozenset()
        made = []
        for item in items:
            result = results.get(item.id)
            if result is None or not _stands(result):
                continue
            exchange = self._exchange(item, result, offer, share)
            again = item.id in booked
            answer = (
                self._again(exchange, result) if again else await self._booked_now(exchange, result)
            )
            paid = float(exchange.raw["price_share"])
            made.append(_outcome(item, answer, paid))
        return made

    def _booked(self, offer: Offer, begun_us: int) -> frozenset[str]:
        """The items of an offer that the ledger has."""
        book = self._parts.book
        book.flush()
        since = from_microseconds(begun_us) - _CLOCKS
        return frozenset(
            str(entry.figures.raw.get(WHICH))
            for entry in book.store.entries(since=since)
            if entry.figures.raw.get(IN_BATCH) == offer.remote
        )

    def _exchange(self, item: Item, result: Result, offer: Offer, share: float) -> Exchange:
        """An item as an exchange of that batch, with what it cost."""
        exchange = self._late.exchange(item)
        del exchange.raw[ARRIVED]
        exchange.raw[IN_BATCH] = offer.remote
        _priced(exchange, result, share)
        return exchange

    def _again(self, exchange: Exchange, result: Result) -> Answer:
        """What came back and is in the ledger, with what budgets need to know of it."""
        answer, call = _answer(result), exchange.call
        told = _object(result.body)
        if call is not None and told is not None and answer.ok:
            zone = serving(self._parts.upstream, exchange.provider).zone
            tokens = call.dialect.usage(call.kind, told)
            answer.record = Record("", call.model, exchange.started_us, zone, tokens=tokens)
        return answer

    async def _booked_now(self, exchange: Exchange, result: Result) -> Answer:
        """What came back, booked and kept."""
        if self._late.layers is not None:
            self._late.layers.admit(exchange)
        exchange.on_answer = with_gap(exchange.on_answer, TIME_UNKNOWN)
        ready, onward = self._around(exchange.provider)
        ready.give(exchange, result)
        return await onward(exchange)

    def _around(self, provider: str) -> tuple[_Ready, Onward]:
        """The layers that book and keep, around answers that are at hand."""
        if provider not in self._layers:
            parts = self._parts
            ready = _Ready(serving(parts.upstream, provider))
            keeping = Keeping(parts.answers, entry_limit=parts.entry_limit)
            onward = pipeline([keeping], Metered(ready, parts.booker, parts.warn))
            self._layers[provider] = ready, onward
        return self._layers[provider]


def _outcome(item: Item, answer: Answer, share: float) -> Outcome:
    return Outcome(
        id=item.id,
        state=State.ANSWERED if answer.ok else State.FAILED,
        status=answer.status,
        headers=answered_headers([*answer.headers, *answer.notes]),
        body=answer.body,
        record=answer.record if answer.ok else None,
        share=share,
    )


def _answer(result: Result) -> Answer:
    return Answer(result.status, [_JSON], result.body)


def _priced(exchange: Exchange, result: Result, share: float) -> None:
    """Note what a call cost in a batch, and what it would have cost alone. [USD]

    Where its model has no known price, the share alone.
    """
    exchange.raw["price_share"] = share
    call, answer = exchange.call, _object(result.body)
    if call is None or answer is None:
        return
    tokens = call.dialect.usage(call.kind, answer)
    price = price_of(exchange.provider, call.model, tokens.input) if tokens is not None else None
    if tokens is not None and price is not None:
        exchange.raw["price_share"] = price.batch
        exchange.raw["cost_usd"] = price.cost(tokens, batched=True).amount
        exchange.raw["cost_alone_usd"] = price.cost(tokens).amount


def _object(body: bytes) -> dict[str, Any] | None:
    """The JSON object of a body; None where it is none."""
    try:
        made = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return made if isinstance(made, dict) else None


def _stands(result: Result) -> bool:
    """Whether an answer is one, and not a failure that another attempt may better."""
    return result.status not in _AGAIN and result.status < _SERVER


class _Ready:
    """An upstream whose answers are at hand: they came in a batch."""

    def __init__(self, upstream: Any) -> None:
        self.name, self.url, self.zone = upstream.name, upstream.url, upstream.zone
        self.model = upstream.model
        self.share = None
        self._results: dict[int, Result] = {}

    def give(self, exchange: Exchange, result: Result) -> None:
        """Have a result at hand for a call."""
        self._results[id(exchange)] = result

    async def send(self, exchange: Exchange) -> Answer:
        """The result at hand."""
        return _answer(self._results.pop(id(exchange)))

    async def close(self) -> None:
        """Nothing to release."""
