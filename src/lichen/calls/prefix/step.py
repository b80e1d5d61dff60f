"""PrefixStep: marks the prefix of a call so that its provider keeps it, where that pays.

Only where a rule says `prompt_cache = "auto"`, the dialect has marks, the client placed none, the
model's price is known, and the prefix is longer than the model keeps. Nothing is moved: a mark is
added to a block, and a text becomes a block to carry it. Providers without marks keep prefixes by
themselves: what keeps them working there is that lichen changes nothing in front.

What it spared is a line of the book: the same call with every token read afresh. The first call
that writes a prefix is a loss, and shown as one.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from lichen.calls.acts import Act, Use
from lichen.calls.key import is_exact
from lichen.calls.prefix.memory import Memory
from lichen.calls.prefix.worth import BYTES_PER_TOKEN, Known, choose
from lichen.calls.providers.prices import price_of
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.exchange import Answer, Call, Exchange, Onward, Record
    from lichen.calls.holdout import Holdout
    from lichen.calls.providers.marks import Marks
    from lichen.calls.providers.prices import Price
    from lichen.calls.rules import Rules
    from lichen.calls.steps import StepParts

STRATEGY = "calls.prefix"
MARKED = "marked-prefix/1"
# In the raw quantities of a call: how many edges were marked, how long the longest prefix is.
MARKS, MARKED_BYTES = "prefix_marks", "prefix_bytes"


def open_step(parts: StepParts) -> PrefixStep | None:
    """The step; None where no rule asks for it."""
    if not parts.rules.any("prompt_cache", "off"):
        return None
    calls = parts.book.pricer.calls
    return PrefixStep(
        parts.rules,
        parts.holdout,
        lambda model, tokens: calls.read(model, tokens).energy.value.in_wh,
    )


class PrefixStep:
    """The step; `energy` prices a call of a model. [Wh]"""

    def __init__(
        self,
        rules: Rules,
        holdout: Holdout,
        energy: Callable[[str, Tokens], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules, self._holdout, self._energy, self._clock = rules, holdout, energy, clock
        self._memories: dict[float, Memory] = {}
        # The shortest prefix that was seen to be kept, by model, where it is more than its price
        # list says. [token]
        self._least: dict[str, int] = {}
        self.marked = self.written = self.read = 0

    def gauges(self) -> Mapping[str, float]:
        """What was done so far, for the metrics."""
        return {
            "lichen_prefix_marked_calls_total": self.marked,
            "lichen_prefix_written_tokens_total": self.written,
            "lichen_prefix_read_tokens_total": self.read,
            "lichen_prefix_remembered": sum(map(len, self._memories.values())),
        }

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Pass onward, the prefix marked where that pays."""
        call = exchange.call
        marks = call.dialect.marks if call is not None else None
        if call is None or marks is None:
            return await onward(exchange)
        rule = exchange.rule or self._rules.find(call.kind, call.model)
        if rule.prompt_cache != "auto" or marks.are_placed(call.fields):
            return await onward(exchange)
        return await onward(self._marked(exchange, call, marks) or exchange)

    def _marked(self, exchange: Exchange, call: Call, marks: Marks) -> Exchange | None:
        """The exchange with its prefix marked; None where it is to go as it came."""
        price = price_of(exchange.provider, call.model, len(exchange.body) // BYTES_PER_TOKEN)
        if price is None:
            return None
        memory = self._memories.setdefault(marks.life_s, Memory(marks.life_s, self._clock))
        known = self._known(exchange, call, (marks, memory, price))
        chosen = choose(known, price, lambda tokens: self._energy(call.model, tokens), marks.most)
        if not chosen or not is_exact(exchange.body) or self._holdout.keeps(STRATEGY, exchange):
            return None
        fields = marks.put(call.fields, [one.edge for one in chosen])
        for one in chosen:
            memory.hold(one.seen)
        self._note(exchange, call, chosen)
        return replace(exchange, body=orjson.dumps(fields), call=replace(call, fields=fields))

    def _known(
        self, exchange: Exchange, call: Call, by: tuple[Marks, Memory, Price]
    ) -> list[Known]:
        """The edges long enough to be kept, and what is known of each."""
        marks, memory, price = by
        least = max(price.minimum, self._least.get(call.model, 0))
        known = []
        for edge in marks.edges(call.fields):
            tokens = edge.size // BYTES_PER_TOKEN
            if tokens >= least:
                seen = memory.saw(exchange.tenant, edge.kind, edge.digest)
                again = memory.again(exchange.tenant, edge.kind, seen)
                known.append(Known(edge, seen, tokens, again, memory.is_held(seen)))
        return known

    def comes_again(self, exchange: Exchange) -> float:
        """How many more calls are expected with the prefix of one that is not sent yet.

        Nothing is learnt of it by asking; 0 for a prefix that was not seen, or is not marked here.
        """
        call = exchange.call
        marks = call.dialect.marks if call is not None else None
        memory = self._memories.get(marks.life_s) if marks is not None else None
        if call is None or marks is None or memory is None:
            return 0.0
        tenant = exchange.tenant
        return max(
            (
                memory.again(tenant, edge.kind, seen)
                for edge in marks.edges(call.fields)
                if (seen := memory.known(tenant, edge.digest)) is not None
            ),
            default=0.0,
        )

    def _note(self, exchange: Exchange, call: Call, chosen: list[Known]) -> None:
        """What is booked of it, and what its answer teaches."""
        longest = chosen[-1]
        raw: dict[str, float | str] = {MARKS: len(chosen), MARKED_BYTES: longest.edge.size}
        exchange.raw.update(raw)
        exchange.acts.append(Act(STRATEGY, MARKED, unmarked, raw))
        self.marked += 1

        def answered(record: Record, _body: bytes) -> None:
            tokens = record.tokens
            if tokens is None or "tokens-estimated" in record.gaps:
                return
            self.written += tokens.cache_write
            self.read += tokens.cache_read
            if not tokens.cache_write and not tokens.cache_read:
                # The provider kept nothing: this model's minimum is higher than is known here.
                self._least[call.model] = longest.tokens + 1

        exchange.on_done.append(answered)


def unmarked(use: Use) -> Use:
    """What a call takes of which no prefix is kept: every token read afresh."""
    had = use.tokens
    return use._replace(tokens=Tokens(had.input, 0, 0, had.decode, had.reasoning))
