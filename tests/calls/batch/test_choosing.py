"""Choosing: the provider's batch or alone, whichever is better in money and energy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.batch.choosing import Choosing
from lichen.calls.batch.item import ALONE, OFFERED, Item
from lichen.calls.providers.prices import price_of
from lichen.calls.rules import RouteRule, Rules
from lichen.testing.anthropic_answers import message
from lichen.testing.upstreams import whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.providers.prices import Price
    from lichen.ledger.pricing import Pricer
    from lichen.testing.callers import House

    Build = Callable[..., House]

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
MANUAL = "Read this with care. " * 4000


def item(target: str, fields: dict[str, Any], number: int = 0, tenant: str = "one") -> Item:
    return Item(
        id=f"dfr_{number}",
        tenant=tenant,
        target=target,
        headers=[],
        body=orjson.dumps(fields),
        key=f"key {number}",
        needs_key=False,
        arrived_us=0,
        deadline_us=90_000_000_000,
    )


def chat(model: str, system: str, number: int = 0, longest: int = 50) -> Item:
    turns = [{"role": "system", "content": system}, {"role": "user", "content": f"Part {number}?"}]
    return item(CHAT, {"model": model, "messages": turns, "max_tokens": longest}, number)


def claude(number: int = 0) -> dict[str, Any]:
    turns = [{"role": "user", "content": f"Part {number}?"}]
    return {
        "model": "claude-haiku-4-5-20251001",
        "max_tokens": 50,
        "system": MANUAL,
        "messages": turns,
    }


def choosing(
    pricer: Pricer, told: list[object] | None = None, prices: Any = price_of, **rule: Any
) -> Choosing:
    return Choosing(
        pricer, Rules((RouteRule(**rule),)), (told if told is not None else []).append, prices
    )


def test_short_prompts_go_in_the_batch_and_say_why(pricer: Pricer) -> None:
    chosen = choosing(pricer).chosen(chat("gpt-5-mini", "Be brief."))

    assert chosen.way == OFFERED
    assert "batch: " in chosen.why
    assert " USD" in chosen.why


def test_a_prefix_that_comes_again_and_again_is_cheaper_alone(pricer: Pricer) -> None:
    choose = choosing(pricer)

    ways = [choose.chosen(chat("gpt-5-mini", MANUAL, number)).way for number in range(40)]

    assert ways[0] == OFFERED
    assert ways[-1] == ALONE


def test_what_a_held_token_costs_decides_between_the_two(pricer: Pricer) -> None:
    def uncached(provider: str, model: str, read: int = 0, /) -> Price | None:
        price = price_of(provider, model, read)
        assert price is not None
        return replace(price, cached=price.input)

    cheap, dear = choosing(pricer), choosing(pricer, prices=uncached)

    ways = [
        [choose.chosen(chat("gpt-5-mini", MANUAL, number, 1000)).way for number in range(2)]
        for choose in (cheap, dear)
    ]

    assert ways == [[OFFERED, ALONE], [OFFERED, OFFERED]]


def test_where_nobody_asks_the_provider_to_keep_a_prefix_it_is_not_held(pricer: Pricer) -> None:
    unmarked, marked = choosing(pricer), choosing(pricer, prompt_cache="auto")

    ways = [
        [choose.chosen(item(MESSAGES, claude(number), number)).way for number in range(40)]
        for choose in (unmarked, marked)
    ]

    assert set(ways[0]) == {OFFERED}
    assert ways[1][-1] == ALONE


async def test_a_prefix_that_the_step_marked_for_other_calls_is_known(
    build: Build, pricer: Pricer
) -> None:
    house = build(whole(message()), route=({"prompt_cache": "auto"},), holdout={"share": 0})
    for number in range(30):
        await house.ask(claude(number), target=MESSAGES.encode())
    alone, beside = choosing(pricer, prompt_cache="auto"), choosing(pricer, prompt_cache="auto")
    beside.layers = house.gateway.layers
    house.book.flush()
    tenant = next(entry.tenant for entry in house.book.store.entries())
    call = item(MESSAGES, claude(99), tenant=tenant)

    assert alone.chosen(call).way == OFFERED
    assert beside.chosen(call).way == ALONE


def test_without_a_price_energy_decides_and_of_two_alike_the_discount(pricer: Pricer) -> None:
    choose = choosing(pricer)

    ways = [choose.chosen(chat("a-model-of-ours", MANUAL, number)).way for number in range(3)]

    assert ways == [OFFERED, ALONE, ALONE]


def test_a_broken_price_table_costs_no_call(pricer: Pricer) -> None:
    def broken(_provider: str, _model: str, _read: int = 0, /) -> Price | None:
        raise ValueError("row 7: no number")

    told: list[object] = []

    chosen = choosing(pricer, told, broken).chosen(chat("gpt-5-mini", MANUAL))

    assert chosen.way == OFFERED
    assert "row 7" in str(told[0])
