"""Identical calls of several services, which share a real Redis: one is made, the others wait."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from lichen import assemble
from lichen.calls.booking import COALESCE
from lichen.calls.gate.step import Gate
from lichen.calls.gateway import Gateway
from lichen.calls.proof import PROVERS
from lichen.ledger.book import Book
from lichen.ledger.errors import UpstreamError
from lichen.ledger.memory import MemoryStore
from lichen.settings import load
from lichen.testing.callers import House
from lichen.testing.upstreams import (
    ScriptedUpstream,
    chat_answer,
    chat_frames,
    failed,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from lichen.ledger.pricing import Pricer
    from lichen.testing.redis import RedisServer
    from lichen.testing.upstreams import Act

    Serve = Callable[..., House]

pytestmark = pytest.mark.redis

ASK = {"model": "m", "temperature": 0, "messages": [{"role": "user", "content": "Hello?"}]}
STREAM = {**ASK, "stream": True}


@pytest_asyncio.fixture
async def serve(redis_server: RedisServer, pricer: Pricer) -> AsyncIterator[Serve]:
    """Puts up services on one Redis and one book, each before an upstream of its own."""
    store = MemoryStore()
    closing: list[Callable[[], Any]] = []

    def serve(*script: Act, **settings: Any) -> House:
        shared = {"timeout": "2s", **settings.pop("shared", {})}
        given = load(
            environ={}, ledger="memory:", cache=redis_server.url, shared=shared, **settings
        )
        troubles: list[object] = []
        upstream = ScriptedUpstream(*(script or (whole(chat_answer()),)))
        book = Book(store, pricer, provers=PROVERS)
        answers = assemble.open_answers(given, troubles.append)
        layers = assemble.open_layers(given, upstream, book, answers, troubles.append)
        closing.append(layers.close)
        return House(Gateway(layers), book, answers, upstream, troubles)

    yield serve
    for close in closing:
        await close()


def count(*houses: House) -> int:
    """How many calls came to their upstreams."""
    return sum(
        house.upstream.count for house in houses if isinstance(house.upstream, ScriptedUpstream)
    )


async def waiting(*houses: House, calls: int = 1) -> None:
    """Wait until so many calls are at the upstreams, and the others had time to queue behind."""
    end = time.monotonic() + 5
    while count(*houses) < calls:
        assert time.monotonic() < end
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.1)


async def test_a_hundred_calls_to_two_services_are_one_call(serve: Serve) -> None:
    go = asyncio.Event()
    one, other = (serve(whole(chat_answer(), after=go)) for _ in range(2))
    asking = [asyncio.create_task(house.ask(ASK)) for _ in range(50) for house in (one, other)]
    await waiting(one, other)

    go.set()
    heard = await asyncio.gather(*asking)

    assert count(one, other) == 1
    assert {each.status for each in heard} == {200}
    assert len({each.answer for each in heard}) == 1
    sources = [each.answer_headers["x-lichen-cache"] for each in heard]
    assert sorted(sources) == ["coalesced"] * 99 + ["miss"]
    assert len({each.answer_headers["x-lichen-id"] for each in heard}) == 100


async def test_a_call_that_waited_for_another_service_is_booked_as_one_that_waited_here(
    serve: Serve,
) -> None:
    go = asyncio.Event()
    one, other = (serve(whole(chat_answer(), after=go)) for _ in range(2))
    asking = [asyncio.create_task(house.ask(ASK)) for house in (one, other)]
    await waiting(one, other)

    go.set()
    await asyncio.gather(*asking)

    [paid] = [e for e in one.entries if e.figures.strategy == "none"]
    [spared] = [e for e in one.entries if e.figures.strategy == COALESCE]
    baseline = spared.figures.baseline
    assert baseline is not None
    assert baseline.evidence == paid.id
    assert baseline.footprint.energy.value == paid.figures.footprint.energy.value
    assert one.book.prove(spared.id).holds


async def test_a_call_that_waited_for_another_service_takes_nothing_of_its_budget(
    serve: Serve,
) -> None:
    go = asyncio.Event()
    gate = {"budget": [{"tokens": 10_000}]}
    one, other = (serve(whole(chat_answer(), after=go), gate=gate) for _ in range(2))
    asking = [asyncio.create_task(house.ask(ASK)) for house in (one, other)]
    await waiting(one, other)

    go.set()
    await asyncio.gather(*asking)

    gates = [
        step for h in (one, other) for step in h.gateway.layers.steps if isinstance(step, Gate)
    ]
    charged = [sum(gate.budgets.counts.slots().values()) for gate in gates]
    assert sorted(charged) == [0, 17]


async def test_what_one_service_answered_another_gives_again_as_a_hit(serve: Serve) -> None:
    one, other = serve(), serve()
    first = await one.ask(ASK)
    remote = one.answers.remote
    assert remote is not None
    await remote.landed(next(iter(one.answers._hot)))

    again = await other.ask(ASK)

    assert again.answer_headers["x-lichen-cache"] == "hit"
    assert again.answer == first.answer
    assert count(one, other) == 1
    assert other.last.figures.strategy == "calls.exact"
    assert other.book.prove(other.last.id).holds


async def test_another_credential_neither_waits_nor_is_given_the_answer(serve: Serve) -> None:
    go = asyncio.Event()
    one, other = (serve(whole(chat_answer(), after=go)) for _ in range(2))
    asking = [
        asyncio.create_task(house.ask(ASK, key=key))
        for house, key in ((one, "sk-a"), (other, "sk-b"))
    ]
    await waiting(one, other, calls=2)

    go.set()
    heard = await asyncio.gather(*asking)

    assert [each.answer_headers["x-lichen-cache"] for each in heard] == ["miss", "miss"]


async def test_a_stream_is_given_to_those_who_wait_elsewhere_as_a_whole(serve: Serve) -> None:
    go = asyncio.Event()
    parts = chat_frames()
    script = streamed(parts[0], go, *parts[1:])
    one, other = serve(script), serve(script)
    first = asyncio.create_task(one.ask(STREAM))
    await waiting(one)
    second = asyncio.create_task(other.ask(STREAM))
    await asyncio.sleep(0.1)

    go.set()
    led, followed = await asyncio.gather(first, second)

    assert count(one, other) == 1
    assert followed.answer == led.answer == b"".join(parts)
    assert followed.answer_headers["x-lichen-cache"] == "coalesced"
    assert followed.answer_headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize("what", ["error", "status", "broken stream", "not to be kept"])
async def test_a_call_that_ends_without_an_answer_to_share_poisons_nobody(
    serve: Serve, what: str
) -> None:
    go = asyncio.Event()
    stream = what == "broken stream"
    asked = STREAM if stream else ASK
    well = streamed(*chat_frames()) if stream else whole(chat_answer("well"))
    badly = {
        "error": failed(after=go),
        "status": whole(b"{}", status=500, after=go),
        "broken stream": streamed(chat_frames()[0], go, UpstreamError("it broke off")),
        "not to be kept": whole(chat_answer(), headers=[(b"cache-control", b"no-store")], after=go),
    }[what]
    one, other = serve(badly), serve(well)
    first = asyncio.create_task(one.ask(asked))
    await waiting(one)
    second = asyncio.create_task(other.ask(asked))
    await asyncio.sleep(0.1)

    go.set()
    await first
    heard = await asyncio.wait_for(second, 3)

    assert heard.status == 200
    assert heard.answer_headers["x-lichen-cache"] == "miss"
    assert count(one, other) == 2


async def test_a_service_whose_client_leaves_lets_the_others_go_on_at_once(serve: Serve) -> None:
    never = asyncio.Event()
    one, other = serve(whole(chat_answer(), after=never)), serve()
    first = asyncio.create_task(one.ask(ASK))
    await waiting(one)
    second = asyncio.create_task(other.ask(ASK))
    await asyncio.sleep(0.1)

    begun = time.monotonic()
    first.cancel()
    heard = await second

    assert heard.status == 200
    assert time.monotonic() - begun < 2


async def test_a_call_longer_than_the_lease_keeps_it(serve: Serve) -> None:
    slow = whole(chat_answer(), after=1.0)
    one, other = (serve(slow, shared={"lease": "0.3s"}) for _ in range(2))

    heard = await asyncio.gather(one.ask(ASK), other.ask(ASK))

    assert count(one, other) == 1
    assert sorted(each.answer_headers["x-lichen-cache"] for each in heard) == ["coalesced", "miss"]


async def test_a_server_lost_while_calls_wait_lets_each_service_make_its_own(
    serve: Serve, redis_server: RedisServer
) -> None:
    go = asyncio.Event()
    one, other = (serve(whole(chat_answer(), after=go)) for _ in range(2))
    asking = [asyncio.create_task(house.ask(ASK)) for _ in range(10) for house in (one, other)]
    await waiting(one, other)

    redis_server.kill()
    await waiting(one, other, calls=2)
    go.set()
    heard = await asyncio.gather(*asking)
    again = await one.ask(ASK)

    assert {each.status for each in heard} == {200}
    assert count(one, other) == 2
    assert again.answer_headers["x-lichen-cache"] == "hit"
    told = [
        [str(said) for said in house.troubles if "is lost" in str(said)] for house in (one, other)
    ]
    assert any(told)
    assert all(len(each) <= 1 for each in told)


@pytest.mark.parametrize("wish", ["no-store", "no-cache"])
async def test_a_call_that_wants_an_answer_of_its_own_waits_for_nobody(
    serve: Serve, wish: str
) -> None:
    go = asyncio.Event()
    one, other = (serve(whole(chat_answer(), after=go)) for _ in range(2))
    first = asyncio.create_task(one.ask(ASK))
    await waiting(one)

    second = asyncio.create_task(other.ask(ASK, cache_control=wish))
    await waiting(one, other, calls=2)
    go.set()

    assert (await second).status == 200
    await first


async def test_many_calls_may_wait_at_once(serve: Serve) -> None:
    go = asyncio.Event()
    one, other = (serve(whole(chat_answer(), after=go)) for _ in range(2))
    asked = [{**ASK, "seed": n} for n in range(60)]
    asking = [asyncio.create_task(house.ask(each)) for each in asked for house in (one, other)]
    await waiting(one, other, calls=60)

    go.set()
    heard = await asyncio.wait_for(asyncio.gather(*asking), 20)

    assert {each.status for each in heard} == {200}
    assert count(one, other) == 60
