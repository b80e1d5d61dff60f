"""Coalesce: identical calls under way at once become one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.booking import COALESCE
from lichen.ledger.entry import NONE
from lichen.ledger.errors import UpstreamError
from lichen.testing.callers import answered, request
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
    from collections.abc import Callable

    from lichen.calls.exchange import Answer, Exchange
    from lichen.testing.callers import HeardRequest, House

    Build = Callable[..., House]

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
}
STREAM = ASK | {"stream": True}
FRAMES = chat_frames(usage=chat_usage())
REFUSED = b'{"error": {"message": "no"}}'


def cache(heard: HeardRequest) -> str:
    return heard.answer_headers["x-lichen-cache"]


def upstream(house: House) -> ScriptedUpstream:
    assert isinstance(house.upstream, ScriptedUpstream)
    return house.upstream


async def start(house: House, count: int, body: dict[str, Any], **how: Any) -> list[Any]:
    """As many identical calls, all under way."""
    tasks = [asyncio.create_task(house.ask(body, **how)) for _ in range(count)]
    await let_run()
    return tasks


async def let_run() -> None:
    """Let every task come to where it waits."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_identical_calls_under_way_are_one(build: Build) -> None:
    go = asyncio.Event()
    house = build(whole(chat_answer(), after=go))
    calls = await start(house, 5, ASK)

    go.set()
    heard = await asyncio.gather(*calls)

    assert [cache(each) for each in heard] == ["miss"] + ["coalesced"] * 4
    assert {each.answer for each in heard} == {chat_answer()}
    assert upstream(house).count == 1


async def test_who_waited_is_booked_as_spared_with_the_call_as_evidence(build: Build) -> None:
    go = asyncio.Event()
    house = build(whole(chat_answer(), after=go))
    calls = await start(house, 3, ASK)

    go.set()
    leader, *others = await asyncio.gather(*calls)

    by_id = {entry.id: entry for entry in house.entries}
    paid = by_id[leader.answer_headers["x-lichen-id"]]
    assert paid.figures.strategy == NONE
    for each in others:
        entry = by_id[each.answer_headers["x-lichen-id"]]
        assert entry.figures.strategy == COALESCE
        assert entry.figures.baseline is not None
        assert entry.figures.baseline.evidence == paid.id
        assert entry.figures.footprint.energy.value.amount == 0
        assert house.book.prove(entry.id).holds


async def test_who_waited_is_told_what_it_spared(build: Build) -> None:
    go = asyncio.Event()
    house = build(whole(chat_answer(), after=go))
    calls = await start(house, 2, ASK)

    go.set()
    leader, other = [(await call).answer_headers for call in calls]

    used = leader["x-lichen-energy-wh"].partition(";")[0]
    assert other["x-lichen-avoided-energy-wh"].partition(";")[0] == used
    assert other["x-lichen-energy-wh"].startswith("0;")


async def test_the_headers_of_one_exchange_are_the_leader_s_alone(build: Build) -> None:
    go = asyncio.Event()
    said = [(b"x-request-id", b"req_1"), (b"openai-version", b"2020-10-01")]
    house = build(whole(chat_answer(), after=go, headers=said))
    calls = await start(house, 2, ASK)

    go.set()
    leader, other = [(await call).answer_headers for call in calls]

    assert leader["x-request-id"] == "req_1"
    assert "x-request-id" not in other
    assert other["openai-version"] == "2020-10-01"


async def test_a_stream_is_shared_from_its_start(build: Build) -> None:
    rest = asyncio.Event()
    house = build(streamed(*FRAMES[:2], rest, *FRAMES[2:]))
    [leader] = await start(house, 1, STREAM)
    others = await start(house, 4, STREAM)

    rest.set()
    heard = await asyncio.gather(leader, *others)

    assert {each.answer for each in heard} == {b"".join(FRAMES)}
    assert all(each.ended for each in heard)
    assert [cache(each) for each in heard] == ["miss"] + ["coalesced"] * 4
    assert upstream(house).count == 1
    assert [e.figures.strategy for e in house.entries].count(COALESCE) == 4


@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_those_who_follow_survive_the_first_client(
    build: Build, body: dict[str, Any]
) -> None:
    go = asyncio.Event()
    act = streamed(FRAMES[0], go, *FRAMES[1:]) if body is STREAM else whole(chat_answer(), after=go)
    house = build(act)
    leader, *others = await start(house, 4, body)

    leader.cancel()
    await let_run()
    go.set()
    heard = await asyncio.gather(*others)

    assert len({each.answer for each in heard}) == 1
    assert all(each.ended for each in heard)
    assert upstream(house).count == 1
    assert upstream(house).left == 0
    assert cache(await house.ask(body)) == "hit"


@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_a_flight_ends_when_the_last_of_its_clients_has_left(
    build: Build, body: dict[str, Any]
) -> None:
    never = asyncio.Event()
    act = streamed(FRAMES[0], never) if body is STREAM else whole(chat_answer(), after=never)
    house = build(act)
    calls = await start(house, 3, body)

    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await let_run()

    gaps = [gap for entry in house.entries for gap in entry.figures.gaps]
    if body is STREAM:
        assert upstream(house).streams[0].closed
        assert gaps.count("stream-broken-off") == 1
    else:
        assert upstream(house).left == 1
        assert gaps == ["call-abandoned"]


async def test_a_failure_before_the_answer_is_the_leader_s_alone(build: Build) -> None:
    go = asyncio.Event()
    house = build(failed(after=go), whole(chat_answer()))
    leader, *others = await start(house, 5, ASK)

    go.set()
    heard = await asyncio.gather(*others)

    assert (await leader).status == 502
    assert {each.status for each in heard} == {200}
    assert [cache(each) for each in heard].count("miss") == 1
    assert upstream(house).count == 2


async def test_an_error_is_the_leader_s_alone(build: Build) -> None:
    go = asyncio.Event()
    house = build(whole(REFUSED, status=429, after=go), whole(chat_answer()))
    leader, *others = await start(house, 5, ASK)

    go.set()
    heard = await asyncio.gather(*others)

    assert (await leader).status == 429
    assert {each.status for each in heard} == {200}
    assert upstream(house).count == 2


async def test_a_call_whose_flights_keep_failing_goes_alone_and_tells_its_own_error(
    build: Build,
) -> None:
    running: list[int] = [0]

    async def down(_exchange: Exchange) -> Answer:
        running.append(running[-1] + 1)
        await let_run()
        running.append(running[-1] - 1)
        raise UpstreamError("down", code="down")

    house = build(down)
    calls = await start(house, 6, ASK)

    heard = await asyncio.gather(*calls)

    assert {each.status for each in heard} == {502}
    assert all(each.json["error"]["code"] == "down" for each in heard)
    # One, one more, and then the four that have waited twice, at once.
    assert max(running) == 4


async def test_after_a_failure_the_next_call_begins_anew(build: Build) -> None:
    house = build(failed(), whole(chat_answer()))

    first, second = await house.ask(ASK), await house.ask(ASK)

    assert (first.status, second.status) == (502, 200)
    assert cache(second) == "miss"


async def test_a_call_that_wants_a_new_answer_does_not_take_one_that_began_before(
    build: Build,
) -> None:
    go = asyncio.Event()
    house = build(whole(chat_answer("old"), after=go), whole(chat_answer("new")))
    [old] = await start(house, 1, ASK)

    new = await asyncio.wait_for(house.ask(ASK, cache_control="no-cache"), 5)
    go.set()
    await old

    assert new.answer == chat_answer("new")
    assert cache(new) == "miss"


async def test_others_join_the_newer_flight(build: Build) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    house = build(whole(chat_answer("old"), after=first), whole(chat_answer("new"), after=second))
    [old] = await start(house, 1, ASK)
    [new] = await start(house, 1, ASK, cache_control="no-cache")
    [third] = await start(house, 1, ASK)

    first.set()
    await old
    second.set()

    assert (await third).answer == (await new).answer == chat_answer("new")


async def test_no_store_neither_joins_nor_is_joined(build: Build) -> None:
    go = asyncio.Event()
    house = build(whole(chat_answer(), after=go))
    calls = await start(house, 2, ASK, cache_control="no-store")
    calls += await start(house, 1, ASK)

    go.set()
    heard = await asyncio.gather(*calls)

    assert [cache(each) for each in heard] == ["bypass", "bypass", "miss"]
    assert upstream(house).count == 3


async def test_two_tenants_do_not_share_a_flight(build: Build) -> None:
    go = asyncio.Event()
    house = build(whole(chat_answer(), after=go))
    calls = await start(house, 1, ASK) + await start(house, 1, ASK, key="sk-two")

    go.set()
    heard = await asyncio.gather(*calls)

    assert [cache(each) for each in heard] == ["miss", "miss"]


async def test_sampled_calls_do_not_share_a_flight(build: Build) -> None:
    go = asyncio.Event()
    house = build(whole(chat_answer(), after=go))
    calls = await start(house, 2, ASK | {"temperature": 1})

    go.set()
    await asyncio.gather(*calls)

    assert upstream(house).count == 2


async def test_a_client_that_does_not_read_holds_nobody_up(build: Build) -> None:
    padding = [b": %b\n\n" % (1000 * b"x")] * 300
    house = build(
        streamed(*padding, *FRAMES),
        cache_entry_limit=10_000,
    )
    deaf = request(STREAM)
    deaf.gate = asyncio.Event()
    leading = asyncio.create_task(answered(house.gateway, deaf))
    await asyncio.sleep(0)

    heard = await asyncio.wait_for(house.ask(STREAM), 5)
    deaf.gate.set()
    await leading

    assert heard.ended
    assert heard.answer.endswith(FRAMES[-1])
    assert deaf.broken_off


async def test_an_answer_nobody_can_price_is_a_gap_for_all_who_waited(build: Build) -> None:
    go = asyncio.Event()
    house = build(whole(b"<html>", after=go))
    calls = await start(house, 3, ASK)

    go.set()
    heard = await asyncio.gather(*calls)

    assert {each.answer for each in heard} == {b"<html>"}
    assert len(house.entries) == 3
    assert all(entry.figures.gaps for entry in house.entries)


async def test_an_answer_for_one_alone_is_not_shared_between_tenants(build: Build) -> None:
    private = whole(chat_answer("Hello."), headers=[(b"cache-control", b"private")], after=0.05)
    house = build(private, scope="shared")

    heard = await asyncio.gather(house.ask(ASK, key="sk-a"), house.ask(ASK, key="sk-b"))

    assert [cache(one) for one in heard] == ["miss", "miss"]
    assert upstream(house).count == 2


async def test_a_shared_answer_does_not_tell_whose_account_paid_for_it(build: Build) -> None:
    telling = whole(chat_answer("Hello."), headers=[(b"openai-organization", b"acme")], after=0.05)
    house = build(telling, scope="shared")

    heard = await asyncio.gather(house.ask(ASK, key="sk-a"), house.ask(ASK, key="sk-b"))

    assert [one.answer_headers.get("openai-organization") for one in heard] == ["acme", None]


@pytest.mark.parametrize("asked", [ASK, STREAM])
async def test_a_clock_that_falls_before_2024_breaks_nobody_who_waits(
    build: Build, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    go = asyncio.Event()
    act = streamed(*FRAMES, after=go) if asked is STREAM else whole(chat_answer(), after=go)
    house = build(act)
    leader = asyncio.create_task(house.ask(asked))
    await asyncio.sleep(0.01)
    monkeypatch.setattr("time.time_ns", lambda: 1_600_000_000 * 10**9)
    follower = asyncio.create_task(house.ask(asked))
    await asyncio.sleep(0.01)

    go.set()
    heard = await asyncio.gather(leader, follower)

    assert [one.status for one in heard] == [200, 200]
    assert heard[0].answer == heard[1].answer
    assert heard[1].answer_headers["x-lichen-cache"] == "coalesced"
    assert "x-lichen-id" not in heard[1].answer_headers
    [gap] = house.book.store.gaps()
    assert gap.what == "calls not booked: this machine's clock is before 2024"
