"""A call repeated within seconds: one upstream call, two answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lichen.calls.forget import Forget
from lichen.calls.gate.proof import PROVERS
from lichen.calls.gate.step import Gate
from lichen.testing.upstreams import (
    ScriptedUpstream,
    chat_answer,
    chat_frames,
    chat_usage,
    failed,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from lichen.testing.callers import House
    from tests.calls.gate.conftest import Gated

CLICK = {"rule": [{"name": "double-click", "repeat": "5s"}]}
ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Tell me a story."}],
    "temperature": 1,
}


def count(house: House) -> int:
    assert isinstance(house.upstream, ScriptedUpstream)
    return house.upstream.count


async def test_a_double_click_is_one_call_and_gets_one_answer_twice(gated: Gated) -> None:
    house = gated(whole(chat_answer("One."), after=0.05), whole(chat_answer("Two.")), gate=CLICK)

    first, second = await asyncio.gather(house.ask(ASK), house.ask(ASK))
    third = await house.ask(ASK)

    assert first.answer == second.answer == third.answer
    assert count(house) == 1
    assert second.answer_headers["x-lichen-gate"] == "double-click"


async def test_what_was_shared_is_booked_and_proved_by_the_first_call(gated: Gated) -> None:
    house = gated(gate=CLICK)

    await house.ask(ASK)
    await house.ask(ASK)
    call, again = house.entries

    assert again.figures.strategy == "calls.gate"
    assert again.figures.baseline is not None
    assert again.figures.baseline.evidence == call.id
    assert PROVERS["gate-repeat/1"](again, house.book).holds


async def test_a_stream_is_shared_while_it_comes_and_after(gated: Gated) -> None:
    frames = chat_frames(usage=chat_usage())
    slow = [part for frame in frames for part in (frame, 0.01)]
    house = gated(streamed(*slow), gate=CLICK)
    ask = ASK | {"stream": True}

    first, second = await asyncio.gather(house.ask(ask), house.ask(ask))
    third = await house.ask(ask)

    assert first.answer == second.answer == third.answer == b"".join(frames)
    assert count(house) == 1
    assert [e.figures.strategy for e in house.entries] == ["none", "calls.gate", "calls.gate"]


async def test_another_tenant_never_gets_the_answer(gated: Gated) -> None:
    house = gated(gate=CLICK)

    await house.ask(ASK, key="sk-one")
    await house.ask(ASK, key="sk-two")

    assert count(house) == 2


async def test_after_the_time_or_another_word_it_is_another_call(gated: Gated) -> None:
    house = gated(gate={"rule": [{"repeat": 0.05}]})

    await house.ask(ASK)
    await house.ask(ASK | {"temperature": 0.9})
    await asyncio.sleep(0.1)
    await house.ask(ASK)

    assert count(house) == 3


async def test_a_call_that_wants_a_new_answer_gets_one(gated: Gated) -> None:
    house = gated(gate=CLICK)

    await house.ask(ASK)
    await house.ask(ASK, cache_control="no-cache")

    assert count(house) == 2


async def test_what_is_forgotten_is_given_to_nobody(gated: Gated) -> None:
    house = gated(gate=CLICK)
    await house.ask(ASK)
    gate = next(step for step in house.gateway.layers.steps if isinstance(step, Gate))

    gone = await gate.forget(Forget(contains="story"))
    await house.ask(ASK)

    assert (gone, count(house)) == (1, 2)


async def test_a_failure_is_shared_with_nobody(gated: Gated) -> None:
    house = gated(failed(), whole(b'{"error": {}}', status=500), whole(chat_answer()), gate=CLICK)

    first, second, third = await house.ask(ASK), await house.ask(ASK), await house.ask(ASK)

    assert (first.status, second.status, third.status) == (502, 500, 200)


async def test_a_dry_rule_counts_repeats_and_sends_them(gated: Gated) -> None:
    house = gated(gate={"dry_run": True, **CLICK})

    await house.ask(ASK)
    await house.ask(ASK)
    gauges = house.gateway.layers.gauges()

    assert count(house) == 2
    assert gauges["lichen_gate_dry_calls_total"] == 1
    assert gauges["lichen_gate_dry_energy_joules_total"] > 0
