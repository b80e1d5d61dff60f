"""Caps and cuts: what goes to the upstream, and what the book credits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.directives import NO_WISHES
from lichen.calls.exchange import Call, Exchange
from lichen.calls.gate import change
from lichen.calls.gate.meeting import tokens_in
from lichen.calls.gate.proof import PROVERS
from lichen.calls.gate.rule import Rule
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.testing.upstreams import ScriptedUpstream, chat_answer, chat_usage, whole

if TYPE_CHECKING:
    from lichen.testing.callers import House
    from tests.calls.gate.conftest import Gated


def chat(*texts: str, **fields: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    turns = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return {"model": "gpt-4o-mini", "messages": turns, **fields}


def sent(house: House) -> dict[str, Any]:
    assert isinstance(house.upstream, ScriptedUpstream)
    body: dict[str, Any] = orjson.loads(house.upstream.calls[-1].body)
    return body


@pytest.mark.parametrize(
    ("asked", "name", "value"),
    [
        ({"max_tokens": 4000}, "max_tokens", 100),
        ({"max_tokens": 50}, "max_tokens", 50),
        ({"max_completion_tokens": 4000}, "max_completion_tokens", 100),
        ({}, "max_completion_tokens", 100),
    ],
)
async def test_the_length_of_an_answer_is_capped(
    gated: Gated, asked: dict[str, int], name: str, value: int
) -> None:
    house = gated(gate={"rule": [{"max_tokens": 100}]})

    await house.ask(chat("Hello", **asked))

    assert sent(house)[name] == value
    assert [e.figures.strategy for e in house.entries] == ["none"]  # nobody knows what it spared


async def test_fewer_answers_are_credited_with_what_the_others_would_have_written(
    gated: Gated,
) -> None:
    usage = chat_usage(read=10, written=20)
    house = gated(whole(chat_answer(usage=usage)), gate={"rule": [{"n": 1}]})

    await house.ask(chat("Hello", n=4))
    call, line = house.entries

    assert sent(house)["n"] == 1
    assert line.figures.strategy == "calls.gate"
    assert line.figures.baseline is not None
    assert line.figures.baseline.tokens.decode == 60
    assert line.figures.baseline.evidence == call.id
    assert PROVERS["gate-n/1"](line, house.book).holds


async def test_a_call_within_its_caps_goes_byte_for_byte(gated: Gated) -> None:
    house = gated(gate={"rule": [{"max_tokens": 100, "n": 1}, {"longer": 50, "cut": True}]})
    body = b'{"model":"m",  "max_tokens":9,"n":1, "messages":[{"role":"user","content":"\\u0041"}]}'

    await house.ask(body)

    assert isinstance(house.upstream, ScriptedUpstream)
    assert house.upstream.calls[-1].body == body


async def test_two_calls_that_are_capped_alike_are_one_to_the_store(gated: Gated) -> None:
    house = gated(gate={"rule": [{"max_tokens": 100}]})

    await house.ask(chat("Hello", temperature=0, max_tokens=500))
    again = await house.ask(chat("Hello", temperature=0, max_tokens=900))

    assert again.answer_headers["x-lichen-cache"] == "hit"


async def test_the_oldest_turns_are_cut_until_the_rest_fits(gated: Gated) -> None:
    house = gated(gate={"rule": [{"longer": 300, "cut": True}]})
    turns = [f"turn {n} " + "word " * 30 for n in range(21)]

    await house.ask({**chat(*turns), "messages": [
        {"role": "system", "content": "Be brief."}, *chat(*turns)["messages"]
    ]})  # fmt: skip
    messages = sent(house)["messages"]
    line = house.last

    assert messages[0]["role"] == "system"
    assert messages[1]["role"] == "user"
    assert messages[-1]["content"] == turns[-1]
    assert [m["content"] for m in messages[1:]] == turns[-len(messages) + 1 :]
    assert line.figures.strategy == "calls.gate"
    assert line.figures.baseline is not None
    assert line.figures.baseline.tokens.prefill == line.figures.raw["removed"]
    assert PROVERS["gate-cut/1"](line, house.book).holds


async def test_what_is_too_long_even_when_cut_is_refused(gated: Gated) -> None:
    house = gated(gate={"rule": [{"longer": 100, "cut": True}]})

    heard = await house.ask(chat("old " * 200, "yes", "new " * 200))

    assert heard.status == 413


async def test_a_dry_cut_sends_all_and_tells_what_it_would_have_spared(gated: Gated) -> None:
    rules = [{"name": "cut", "longer": 300, "cut": True, "mode": "dry"}]
    house = gated(gate={"rule": rules})
    turns = [f"turn {n} " + "word " * 30 for n in range(21)]

    await house.ask(chat(*turns))
    for step in house.gateway.layers.steps:
        if hasattr(step, "dry"):
            step.dry.book()

    assert sent(house) == chat(*turns)
    assert house.last.figures.strategy == "trial.dry.calls.gate:cut"
    assert float(house.last.figures.raw["joules"]) > 0


SIZES = st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=30)


@given(SIZES, st.integers(min_value=1, max_value=200))
def test_a_cut_keeps_the_last_turns_whole_and_the_prefix_stays(
    sizes: list[int], limit: int
) -> None:
    turns = ["word " * size for size in sizes]
    rule = Rule(longer=limit, cut=True)

    shorter = cut(turns, rule)
    longer = cut([*turns, "yes", "word"], rule)

    assert shorter == turns[len(turns) - len(shorter) :]
    assert shorter[-1] == turns[-1]
    assert (len(turns) - len(shorter)) % 8 == 0 or len(shorter) <= 2
    # As a conversation goes on, what was cut stays cut: no turn comes back into the prefix.
    assert len(turns) + 2 - len(longer) >= len(turns) - len(shorter)


def cut(turns: list[str], rule: Rule) -> list[str]:
    """The turns that are left, of a conversation of user and assistant in turn."""
    fields = chat(*turns)
    call = Call("chat.completions", fields, "m", False, False, False, OPENAI)  # noqa: FBT003
    exchange = Exchange("POST", "/", [], orjson.dumps(fields), "t", 0, NO_WISHES, call)
    if tokens_in(call) > rule.longer:
        change.cut(exchange, call, rule)
    return [message["content"] for message in call.fields["messages"]]
