"""How much may be under way at once, and who is told to come again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.gateway import Gateway
from lichen.calls.resilience.admission import Admission
from lichen.ledger.errors import NotAsked
from lichen.testing.callers import answered, request
from lichen.testing.upstreams import chat_answer, whole

if TYPE_CHECKING:
    from tests.calls.conftest import Build

ASKED: dict[str, Any] = {"model": "m", "messages": [], "temperature": 0}


def enter(admission: Admission, tenant: str, calls: int) -> int:
    """Calls that got in, of so many."""
    got_in = 0
    for _ in range(calls):
        try:
            admission.enter(tenant)
        except NotAsked:
            continue
        got_in += 1
    return got_in


def test_one_tenant_alone_gets_all_but_what_is_kept_for_others() -> None:
    admission = Admission(most=80)

    assert enter(admission, "one", 200) == 70


def test_another_tenant_still_gets_in_at_once_and_to_its_share() -> None:
    admission = Admission(most=80)
    enter(admission, "one", 200)

    assert enter(admission, "two", 200) == 10
    assert admission.calls == 80


def test_beyond_the_most_nobody_gets_in_and_the_way_out_is_named() -> None:
    admission = Admission(most=1)
    admission.enter("one")

    with pytest.raises(NotAsked, match=r"1 calls are under way: .*limits\.calls") as caught:
        admission.enter("two")

    assert (caught.value.status, caught.value.code, caught.value.wait_s) == (503, "too_busy", 1.0)
    assert admission.gauges()["lichen_calls_refused_total"] == 1


def test_while_answers_wait_for_slow_readers_no_new_call_is_taken() -> None:
    admission = Admission(held=1000)
    admission.enter("slow")
    admission.hold(2000)

    with pytest.raises(NotAsked, match=r"limits\.held"):
        admission.enter("another")
    admission.hold(-2000)
    admission.leave("slow")

    admission.enter("another")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=200))
def test_what_has_left_is_forgotten_and_no_bound_is_ever_passed(
    events: list[tuple[bool, str]],
) -> None:
    admission = Admission(most=10)
    within: list[str] = []

    for comes, tenant in events:
        if comes:
            within += [tenant] * enter(admission, tenant, 1)
        elif within:
            admission.leave(within.pop())
        assert admission.calls == len(within) <= 10
    for tenant in within:
        admission.leave(tenant)

    assert admission._of == {}
    assert admission.calls == 0


async def test_a_call_that_finds_no_place_is_refused_in_the_provider_s_shape(build: Build) -> None:
    hang = asyncio.Event()
    house = build(whole(chat_answer(), after=hang))
    house.gateway._admission.most = 1
    first = asyncio.create_task(house.ask(ASKED))
    await asyncio.sleep(0.01)

    refused = await house.ask({**ASKED, "seed": 1})
    hang.set()

    assert refused.status == 503
    assert refused.answer_headers["retry-after"] == "1"
    assert refused.json["error"]["code"] == "too_busy"
    assert (await first).status == 200
    assert len(house.entries) == 1  # nothing was sent, so nothing was used


async def test_a_stored_answer_is_given_however_much_is_under_way(build: Build) -> None:
    house = build()
    await house.ask(ASKED)
    house.gateway._admission.most = 0

    hit = await house.ask(ASKED)

    assert hit.answer_headers["x-lichen-cache"] == "hit"


async def test_a_client_that_leaves_leaves_its_place(build: Build) -> None:
    house = build(whole(chat_answer(), after=asyncio.Event()))
    calls = [asyncio.create_task(house.ask({**ASKED, "seed": seed})) for seed in range(5)]
    await asyncio.sleep(0.01)
    under_way = house.gateway._admission.calls

    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)

    assert under_way == 5
    assert house.gateway._admission.calls == 0


async def test_a_long_answer_goes_out_no_faster_than_it_is_read(build: Build) -> None:
    long = chat_answer("x" * 1_000_000)
    house = build(whole(long))
    made = request(ASKED)
    made.gate = asyncio.Event()
    answering = asyncio.create_task(answered(house.gateway, made))
    await asyncio.sleep(0.05)
    held, came = house.gateway._admission.bytes, len(made.chunks)

    made.gate.set()
    await answering

    assert (held, came) == (len(long), 0)
    assert house.gateway._admission.bytes == 0
    assert made.length == len(long)
    assert made.answer == long


async def test_a_long_stored_answer_goes_out_in_pieces_too(build: Build) -> None:
    long = chat_answer("x" * 1_000_000)
    house = build(whole(long))
    await house.ask(ASKED)

    hit = await house.ask(ASKED)

    assert hit.answer_headers["x-lichen-cache"] == "hit"
    assert len(hit.chunks) > 10
    assert hit.answer == long


def test_a_gateway_has_bounds_of_its_own_where_none_are_given(build: Build) -> None:
    house = build()

    assert Gateway(house.gateway.layers)._admission.most == 4096
