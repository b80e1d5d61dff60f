"""Choosing: does a call that may wait go in the provider's own batch, or alone?

    asked of   the joint decision (lichen.calls.joint): money and Wh, each as a share of going alone

A batch costs half, and finds fewer of the prefixes that the provider holds. How often a prefix
comes again is learnt from the calls that waited before, and from the step `prefix` where that is
configured: they are sent together, so a prefix that comes n times is held for n − 1 of them. Where
nobody knows a model's price, energy alone decides; of two ways that take the same Wh, the batch is
taken, whose discount its provider promises.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING

import orjson

from lichen.calls import directives
from lichen.calls.batch.item import OFFERED
from lichen.calls.exchange import Exchange
from lichen.calls.joint import decide, situation_of
from lichen.calls.prefix.memory import Memory
from lichen.calls.providers.doors import door_of
from lichen.calls.providers.prices import Prices, price_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.batch.item import Item
    from lichen.calls.exchange import Call
    from lichen.calls.joint import Decision
    from lichen.calls.rules import Rules
    from lichen.calls.steps import Layers
    from lichen.ledger.pricing import Pricer
    from lichen.ledger.tokens import Tokens

# Calls that come within this go out together, or nearly. [s]
_LIFE_S = 3600.0
_SAME = 1e-9


class Choosing:
    """Weighs calls that wait; safe among threads."""

    def __init__(
        self,
        pricer: Pricer,
        rules: Rules,
        warn: Callable[[object], None],
        prices: Prices = price_of,
    ) -> None:
        self._pricer, self._rules, self._warn = pricer, rules, warn
        self._prices = prices
        self._memory = Memory(_LIFE_S)
        self._lock = Lock()
        self.layers: Layers | None = None

    def chosen(self, item: Item) -> Item:
        """The item, to go in the provider's batch where that is better, and why.

        What cannot be weighed goes in the batch, as the settings ask for.
        """
        try:
            return self._chosen(item)
        except Exception as error:  # noqa: BLE001 (a call that waits is never lost for its price)
            self._warn(error)
            return replace(item, way=OFFERED)

    def _chosen(self, item: Item) -> Item:
        target = item.target.encode("latin-1")
        door = door_of(target)
        call = door.dialect.read_call(door.kind, target, item.body)
        price = self._prices(door.provider, call.model, len(item.body) // 4)
        calls = self._pricer.calls

        def energy(tokens: Tokens) -> float:
            return calls.read(call.model, tokens).energy.value.in_wh

        held = self._held(item, call, door.provider)
        decision = decide(situation_of(call, held=held, can_wait=True), price, energy)
        goes = decision.best.batch if price is not None else _takes_no_more(decision)
        why = f"the provider's batch: {decision.told}" if goes else item.why
        return replace(item, way=OFFERED, why=why) if goes else item

    def _held(self, item: Item, call: Call, provider: str) -> float:
        """How likely the provider holds the call's prefix when it is sent. [1]"""
        marks = call.dialect.marks
        rule = self._rules.find(call.kind, call.model)
        if marks and rule.prompt_cache != "auto" and not marks.are_placed(call.fields):
            return 0.0  # nobody asks the provider to keep it
        view = call.dialect.view(call)
        last = len(view.turns[-1].texts) if view.turns else 0
        texts = view.texts[: len(view.texts) - last]
        digest = blake2b(orjson.dumps(view.tools, default=str), digest_size=16)
        for text in texts:
            digest.update(blake2b(text.text.encode(errors="replace"), digest_size=16).digest())
        with self._lock:
            seen = self._memory.saw(item.tenant, call.model, digest.digest())
            again = self._memory.again(item.tenant, call.model, seen)
        again = max(again, self._warm(item, call, provider))
        return again / (1 + again)

    def _warm(self, item: Item, call: Call, provider: str) -> float:
        """How often the step that marks prefixes expects this one to come again."""
        exchange = Exchange(
            "POST", item.target, [], item.body, item.tenant, 0, directives.NO_WISHES,
            call=call, provider=provider,
        )  # fmt: skip
        steps = self.layers.steps if self.layers is not None else ()
        asked = (found for step in steps if (found := getattr(step, "comes_again", None)))
        return max((again(exchange) for again in asked), default=0.0)


def _takes_no_more(decision: Decision) -> bool:
    """Whether a batch takes no more energy than the call alone."""
    alone = min(way.wh for way in decision.ways if not way.batch)
    return min(way.wh for way in decision.ways if way.batch) <= alone * (1 + _SAME)
