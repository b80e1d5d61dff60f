"""Joint: shorten, keep the prefix or let it wait, whichever is cheaper in money and energy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen import assemble
from lichen.calls.joint import ALL, NOTHING, TAIL, Situation, decide, situation_of
from lichen.calls.providers.anthropic.dialect import ANTHROPIC
from lichen.calls.providers.prices import Price, price_of, prices
from lichen.ledger.tokens import Tokens
from lichen.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

METER = assemble.make_pricer(load(environ={})).calls


def energy(model: str) -> Callable[[Tokens], float]:
    return lambda tokens: METER.read(model, tokens).energy.value.in_wh


def known(provider: str, model: str, read: int = 0) -> Price:
    found = price_of(provider, model, read)
    assert found is not None
    return found


HAIKU = known("anthropic", "claude-haiku-4-5-20251001")
FLASH = known("gemini", "gemini-2.5-flash")
MINI = known("openai", "gpt-4o-mini-2024-07-18")


def test_a_call_tells_what_of_it_is_prefix_and_what_is_tail() -> None:
    turns = [
        {"role": "user", "content": "a" * 400},
        {"role": "assistant", "content": "b" * 400},
        {"role": "user", "content": "c" * 80},
    ]
    fields = {"system": "s" * 4000, "max_tokens": 50, "messages": turns}
    call = ANTHROPIC.read_call("messages", b"/v1/messages", orjson.dumps(fields))

    told = situation_of(call, held=0.5, can_wait=True)

    assert (told.prefix, told.tail, told.written) == (1200, 20, 50)
    assert (told.marks, told.held, told.can_wait) == (True, 0.5, True)


def test_a_warm_prefix_is_kept_and_not_shortened() -> None:
    agent = Situation(
        20_000, 500, 200, held=0.95, again=5, marks=True, shorter_tail=0.0, shorter_prefix=0.4
    )

    best = decide(agent, HAIKU, energy("claude-haiku-4-5")).best

    assert (best.shorten, best.keep) == (NOTHING, True)


def test_a_long_tail_is_shortened_while_the_prefix_is_kept() -> None:
    rows = Situation(8_000, 30_000, 200, held=0.9, again=5, marks=True, shorter_tail=0.6)

    best = decide(rows, HAIKU, energy("claude-haiku-4-5")).best

    assert (best.shorten, best.keep, best.batch) == (TAIL, True, False)


def test_a_prefix_that_never_comes_again_is_shortened_and_not_written() -> None:
    once = Situation(20_000, 500, 200, marks=True, shorter_tail=0.5, shorter_prefix=0.5)

    best = decide(once, HAIKU, energy("claude-haiku-4-5")).best

    assert (best.shorten, best.keep) == (ALL, False)


def test_a_prefix_below_the_models_minimum_is_not_marked() -> None:
    short = Situation(HAIKU.minimum - 1, 100, 50, held=0.9, again=9, marks=True)

    assert not decide(short, HAIKU, energy("claude-haiku-4-5")).best.keep


def test_what_can_wait_is_batched_where_both_discounts_hold() -> None:
    nightly = Situation(8_000, 500, 400, held=0.5, again=50, marks=True, can_wait=True)

    best = decide(nightly, HAIKU, energy("claude-haiku-4-5")).best

    assert (best.keep, best.batch) == (True, True)


def test_at_gemini_a_cached_token_is_no_cheaper_in_a_batch() -> None:
    held = Tokens(cache_read=1_000_000)

    assert FLASH.cost(held, batched=True) == FLASH.cost(held)
    assert HAIKU.cost(held, batched=True) == HAIKU.cost(held) * 0.5
    assert MINI.cost(held, batched=True).amount == pytest.approx(0.075)


def test_what_cannot_wait_is_never_batched() -> None:
    ways = decide(Situation(0, 1000, 100), FLASH, energy("gemini-2.5-flash")).ways

    assert [way.batch for way in ways] == [False]


def test_a_model_without_a_price_is_judged_by_energy() -> None:
    call = Situation(0, 10_000, 100, shorter_tail=0.5, can_wait=True)

    decision = decide(call, None, energy("nobody-knows"))

    assert decision.best.usd is None
    assert (decision.best.shorten, decision.best.batch) == (TAIL, False)


def test_shortening_that_takes_more_than_it_spares_is_not_done() -> None:
    call = Situation(0, 1_000, 100, shorter_tail=0.01, effort=1.0)

    assert decide(call, None, energy("gpt-4o-mini")).best.shorten == NOTHING


def test_the_documented_example_of_a_batch_costs_half() -> None:
    """5,000 tokens in and 800 out of Opus 5.5: 0.036 USD, and 0.018 in a batch."""
    price = known("anthropic", "claude-opus-5-5")
    tokens = Tokens(prefill=5_000, decode=800)

    assert price.cost(tokens).amount == pytest.approx(0.036)
    assert price.cost(tokens, batched=True).amount == pytest.approx(0.018)


def test_a_long_prompt_has_the_price_of_long_prompts() -> None:
    assert known("gemini", "gemini-2.5-pro", 200_001).input == 2.5
    assert known("gemini", "gemini-2.5-pro", 1_000).input == 1.25


@pytest.mark.parametrize(
    ("provider", "model"), [("anthropic", "claude-9"), ("openai", "claude-haiku-4-5"), ("x", "")]
)
def test_an_unknown_model_has_no_price(provider: str, model: str) -> None:
    assert price_of(provider, model) is None


def test_every_price_is_sourced_and_sensible() -> None:
    for row in prices():
        assert row.source
        assert row.retrieved.startswith("2026-")
        assert 0 < row.cached <= row.input <= row.written
        assert 0 < row.batch <= 1
        assert row.minimum >= 512


situations = st.builds(
    Situation,
    prefix=st.integers(0, 200_000),
    tail=st.integers(1, 50_000),
    written=st.integers(1, 4_000),
    held=st.floats(0, 1),
    again=st.floats(0, 50),
    marks=st.booleans(),
    can_wait=st.booleans(),
    shorter_tail=st.floats(0, 0.9),
    shorter_prefix=st.floats(0, 0.9),
    was_shorter=st.booleans(),
)


@given(situations, st.sampled_from(prices()))
def test_the_best_way_is_never_worse_than_doing_nothing(call: Situation, price: Price) -> None:
    wh = energy(price.model.rstrip("*"))

    decision = decide(call, price, wh)

    best, plain = decision.best, decision.as_it_is
    assert best.usd is not None
    assert plain.usd is not None
    assert best.usd / plain.usd + best.wh / plain.wh <= 2 + 1e-9
    assert not best.batch or call.can_wait
    assert best.keep <= call.marks


@given(situations)
def test_more_calls_to_come_never_make_a_prefix_less_worth_keeping(call: Situation) -> None:
    wh = energy("claude-haiku-4-5")
    call = replace(call, prefix=20_000, marks=True, can_wait=False, shorter_prefix=0.0)

    few = decide(replace(call, again=1.0), HAIKU, wh).best
    many = decide(replace(call, again=20.0), HAIKU, wh).best

    assert many.keep >= few.keep
