"""Calls that share one flight, and clients that leave: what the others get."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest

from lichen.calls.booking import COALESCE
from lichen.testing.provider import by_kind, in_turn, usual
from lichen.testing.provider_answers import failure
from lichen.testing.questions import question
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from lichen.ledger.entry import Entry
    from lichen.testing.provider import Received, ScriptedProvider
    from lichen.testing.provider_answers import Reply
    from lichen.testing.service import RunningService

# How long those who follow get to come aboard; who is late is answered by the store. [s]
BOARDING_S = 0.3


async def ask(client: AsyncOpenAI, asked: dict[str, Any]) -> Any:
    """The raw answer of a chat call."""
    return await client.chat.completions.with_raw_response.create(**asked)


async def start(client: AsyncOpenAI, upstream: ScriptedProvider, **asked: Any) -> asyncio.Task[Any]:
    """A call that has come to the upstream."""
    task = asyncio.create_task(ask(client, asked))
    await asyncio.to_thread(until, lambda: upstream.calls)
    return task


async def follow(client: AsyncOpenAI, count: int, **asked: Any) -> list[asyncio.Task[Any]]:
    """As many calls again, aboard by now."""
    tasks = [asyncio.create_task(ask(client, asked)) for _ in range(count)]
    await asyncio.sleep(BOARDING_S)
    return tasks


def entries(service: RunningService, model: str, count: int) -> list[Entry]:
    """The entries of the calls to a model, as soon as there are so many."""

    def found() -> list[Entry]:
        return [e for e in service.entries() if e.figures.model == model]

    until(lambda: len(found()) == count)
    return found()


def caches(answers: list[Any]) -> set[str]:
    return {raw.headers["x-lichen-cache"] for raw in answers}


async def test_calls_that_wait_for_one_are_told_so_and_booked_as_spared(
    async_client: AsyncOpenAI, upstream: ScriptedProvider, service: RunningService
) -> None:
    go = threading.Event()
    upstream.script = lambda call: usual(call, before=go)
    asked = question(model="shared")
    leader = await start(async_client, upstream, **asked)
    others = await follow(async_client, 5, **asked)

    go.set()
    first, *rest = await asyncio.gather(leader, *others)

    assert first.headers["x-lichen-cache"] == "miss"
    assert caches(rest) == {"coalesced"}
    assert {raw.content for raw in rest} == {first.content}
    assert len({raw.headers["x-lichen-id"] for raw in (first, *rest)}) == 6
    booked = await asyncio.to_thread(entries, service, "shared", 6)
    assert sorted(e.figures.strategy for e in booked) == [COALESCE] * 5 + ["none"]


async def test_those_who_follow_are_answered_when_the_first_client_leaves(
    async_client: AsyncOpenAI, upstream: ScriptedProvider
) -> None:
    go = threading.Event()
    upstream.script = lambda call: usual(call, before=go)
    asked = question()
    leader = await start(async_client, upstream, **asked)
    others = await follow(async_client, 5, **asked)

    leader.cancel()
    await asyncio.sleep(BOARDING_S)
    go.set()
    answers = await asyncio.gather(*others)

    assert caches(answers) == {"coalesced"}
    assert len({raw.content for raw in answers}) == 1
    assert len(upstream.calls) == 1
    assert not upstream.calls[0].left.is_set()


async def test_those_who_follow_a_stream_read_all_of_it_when_the_first_client_leaves(
    async_client: AsyncOpenAI, upstream: ScriptedProvider
) -> None:
    rest = threading.Event()
    upstream.script = lambda call: usual(call, between=rest)
    asked = question(stream=True)
    leader = await async_client.chat.completions.create(**asked)
    await anext(leader)
    follower = await async_client.chat.completions.create(**asked)

    await leader.close()
    first = await anext(follower)
    rest.set()
    others = [chunk async for chunk in follower]

    assert follower.response.headers["x-lichen-cache"] == "coalesced"
    assert first.choices[0].delta.role == "assistant"
    assert others[-1].choices[0].finish_reason == "stop"
    assert len(upstream.calls) == 1


async def test_a_stream_goes_on_for_the_store_s_sake_only_while_somebody_reads_it(
    async_client: AsyncOpenAI, upstream: ScriptedProvider, service: RunningService
) -> None:
    never = threading.Event()
    upstream.script = lambda call: usual(call, between=never)
    asked = question(model="left-by-all", stream=True)
    streams = [await async_client.chat.completions.create(**asked) for _ in range(3)]
    for stream in streams:
        await anext(stream)

    for stream in streams:
        await stream.close()

    assert await asyncio.to_thread(upstream.calls[0].left.wait, 5)
    [entry] = await asyncio.to_thread(entries, service, "left-by-all", 1)
    assert "stream-broken-off" in entry.figures.gaps


@pytest.mark.parametrize("form", [{}, {"stream": True}])
async def test_a_failure_of_the_first_call_does_not_poison_those_who_wait(
    async_client: AsyncOpenAI, upstream: ScriptedProvider, form: dict[str, Any]
) -> None:
    go = threading.Event()
    upstream.script = in_turn(lambda call: usual(call, before=go, raw=b"no HTTP"), by_kind)
    asked = question(**form)
    leader = await start(async_client, upstream, **asked)
    others = await follow(async_client, 5, **asked)

    go.set()
    answers = await asyncio.gather(*others)

    with pytest.raises(openai.InternalServerError):
        await leader
    assert {raw.status_code for raw in answers} == {200}
    assert caches(answers) <= {"miss", "coalesced", "hit"}
    assert len(upstream.calls) == 2


async def test_an_error_for_the_first_call_is_not_given_to_those_who_wait(
    async_client: AsyncOpenAI, upstream: ScriptedProvider
) -> None:
    go = threading.Event()
    refused = failure(500)
    upstream.script = in_turn(
        lambda call: usual(call, before=go, status=500, chunks=refused.chunks), by_kind
    )
    asked = question()
    leader = await start(async_client, upstream, **asked)
    others = await follow(async_client, 5, **asked)

    go.set()
    answers = await asyncio.gather(*others)

    with pytest.raises(openai.InternalServerError):
        await leader
    assert len({raw.content for raw in answers}) == 1
    assert len(upstream.calls) == 2


async def test_a_stream_that_breaks_off_does_so_for_all_and_serves_nobody_after(
    async_client: AsyncOpenAI, upstream: ScriptedProvider
) -> None:
    rest = threading.Event()
    upstream.script = in_turn(
        lambda call: usual(call, between=rest, chunks=by_kind(call).chunks[:2], breaks=True),
        by_kind,
    )
    asked = question(stream=True)
    streams = [await async_client.chat.completions.create(**asked) for _ in range(3)]

    rest.set()

    for stream in streams:
        with pytest.raises(openai.APIError, match="broke off"):
            [chunk async for chunk in stream]
    again = [chunk async for chunk in await async_client.chat.completions.create(**asked)]
    assert again[-1].choices[0].finish_reason == "stop"
    assert len(upstream.calls) == 2


async def test_another_credential_does_not_share_a_flight(
    async_client: AsyncOpenAI, upstream: ScriptedProvider
) -> None:
    go = threading.Event()
    upstream.script = lambda call: usual(call, before=go)
    asked = question()
    leader = await start(async_client, upstream, **asked)
    stranger = async_client.with_options(api_key="sk-of-another")
    other = asyncio.create_task(ask(stranger, asked))
    await asyncio.to_thread(until, lambda: len(upstream.calls) == 2)

    go.set()
    mine, theirs = await asyncio.gather(leader, other)

    assert theirs.headers["x-lichen-cache"] == "miss"
    assert theirs.content != mine.content


async def test_sampled_calls_under_way_are_not_shared(
    async_client: AsyncOpenAI, upstream: ScriptedProvider
) -> None:
    go = threading.Event()
    upstream.script = lambda call: usual(call, before=go)
    asked = question(temperature=1)
    tasks = [asyncio.create_task(ask(async_client, asked)) for _ in range(3)]
    await asyncio.to_thread(until, lambda: len(upstream.calls) == 3)

    go.set()
    answers = await asyncio.gather(*tasks)

    assert caches(answers) == {"bypass"}
    assert len({raw.content for raw in answers}) == 3


def test_a_client_that_stops_reading_does_not_hold_the_others_up(
    service: RunningService, upstream: ScriptedProvider, client: openai.OpenAI
) -> None:
    rest = threading.Event()
    padding = (b": " + 500_000 * b"x" + b"\n\n",) * 40

    def script(call: Received) -> Reply:
        first, *others = by_kind(call).chunks
        return usual(call, between=rest, chunks=(first, *padding, *others))

    upstream.script = script
    asked = question(stream=True)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        deaf.connect(("127.0.0.1", service.port))
        deaf.sendall(over_the_wire(asked))
        until(lambda: upstream.calls)

        with client.chat.completions.with_streaming_response.create(**asked) as raw:
            rest.set()
            came = b"".join(raw.iter_bytes())

    assert raw.headers["x-lichen-cache"] == "coalesced"
    assert len(came) > 20e6
    assert came.endswith(b"data: [DONE]\n\n")
    assert len(upstream.calls) == 1


def over_the_wire(asked: dict[str, Any]) -> bytes:
    """A chat call as the official client would send it."""
    body = json.dumps(asked).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer sk-test\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
