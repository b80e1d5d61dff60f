"""Gateway: HTTP on one side, the pipeline on the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from lichen.ledger.errors import UpstreamError
from lichen.testing.callers import answered, request
from lichen.testing.upstreams import (
    ScriptedUpstream,
    chat_answer,
    chat_frames,
    failed,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.testing.callers import House

    Build = Callable[..., House]

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
}
STREAM = ASK | {"stream": True}
FRAMES = chat_frames()


def upstream(house: House) -> ScriptedUpstream:
    assert isinstance(house.upstream, ScriptedUpstream)
    return house.upstream


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null", b"\xff"])
async def test_a_body_that_is_no_json_object_is_refused_and_goes_nowhere(
    build: Build, body: bytes
) -> None:
    house = build()

    heard = await house.ask(body)

    assert heard.status == 400
    assert heard.json["error"]["code"] == "invalid_body"
    assert heard.json["error"]["type"] == "invalid_request_error"
    assert upstream(house).count == 0
    assert house.entries == []


async def test_body_method_target_and_headers_go_on_as_they_came(build: Build) -> None:
    house = build()
    body = b'{ "model":"m", "messages":[],\n "new_field": 1.50 }'
    asked = request(body, target=b"/v1/chat/completions?api-version=2", x_trace="abc")

    await answered(house.gateway, asked)

    [sent] = upstream(house).calls
    assert sent.body == body
    assert (sent.method, sent.target) == ("POST", "/v1/chat/completions?api-version=2")
    assert (b"x-trace", b"abc") in sent.headers


async def test_an_unknown_path_passes_both_ways_byte_for_byte(build: Build) -> None:
    house = build(whole(b"\x00\xff", status=418, headers=[(b"x-odd", b"yes")]))

    heard = await house.ask(b"\x01\x02", target=b"/v1/brand/new")

    assert (heard.status, heard.answer) == (418, b"\x00\xff")
    assert heard.answer_headers["x-odd"] == "yes"
    assert upstream(house).calls[0].body == b"\x01\x02"


async def test_a_known_path_by_another_method_is_not_read(build: Build) -> None:
    house = build(whole(b"{}"))

    heard = await house.ask(b"no json", method=b"GET")

    assert heard.status == 200
    assert upstream(house).calls[0].call is None


async def test_a_body_in_a_coding_that_nobody_here_reads_is_the_upstream_s(build: Build) -> None:
    house = build()

    await house.ask(b"anything", content_encoding="x-own")

    assert upstream(house).calls[0].body == b"anything"
    assert upstream(house).calls[0].call is None


async def test_an_upstream_error_is_told_in_the_provider_s_shape(build: Build) -> None:
    house = build(failed("it is down; try later", status=503, code="upstream_busy"))

    heard = await house.ask(ASK)

    assert heard.status == 503
    assert heard.json == {
        "error": {
            "message": "it is down; try later",
            "type": "api_error",
            "param": None,
            "code": "upstream_busy",
        }
    }


async def test_a_stream_begins_before_it_has_ended(build: Build) -> None:
    rest = asyncio.Event()
    house = build(streamed(FRAMES[0], rest, *FRAMES[1:]))
    asked = request(STREAM)
    task = asyncio.create_task(answered(house.gateway, asked))

    await asyncio.sleep(0.01)
    came, ended = list(asked.chunks), asked.ended
    rest.set()
    await task

    assert (came, ended) == ([FRAMES[0]], False)
    assert asked.ended


async def test_a_break_within_a_stream_is_told_in_its_own_terms_and_shown(build: Build) -> None:
    house = build(streamed(FRAMES[0], UpstreamError("broke off", code="upstream_broke_off")))

    heard = await house.ask(STREAM)

    assert heard.chunks[0] == FRAMES[0]
    assert heard.chunks[1].startswith(b'data: {"error":{"message":"broke off"')
    assert heard.chunks[1].endswith(b"\n\n")
    assert heard.broken_off
    assert not heard.ended


async def test_a_break_within_what_is_no_event_stream_adds_nothing_to_it(build: Build) -> None:
    house = build(streamed(b"\x89PNG", UpstreamError("broke off")))

    heard = await house.ask(b"", target=b"/v1/images/generations")

    assert heard.answer == b"\x89PNG"
    assert heard.broken_off


async def test_a_client_that_leaves_frees_the_upstream(build: Build) -> None:
    house = build(streamed(FRAMES[0], asyncio.Event()))
    task = asyncio.create_task(house.ask(STREAM))
    await asyncio.sleep(0.01)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.01)

    assert upstream(house).streams[0].closed


async def test_tenants_are_hashes_of_credentials(build: Build) -> None:
    house = build()

    await house.ask(ASK, key="sk-one")
    await house.ask(ASK, key="sk-two")
    await house.ask(ASK | {"seed": 1}, key="sk-one")

    one, two, again = [entry.tenant for entry in house.entries]
    assert one == again != two
    assert len(one) == 16
    assert "sk-one" not in one


async def test_more_tenants_than_are_remembered_are_still_told_apart(build: Build) -> None:
    house = build()
    await house.ask(ASK, key="sk-first")

    for n in range(4200):
        house.gateway._learn(b"credential %d" % n, "openai")
    again = await house.ask(ASK, key="sk-first")

    assert again.answer_headers["x-lichen-cache"] == "hit"
    assert len(house.gateway._who) <= 4096


@pytest.mark.parametrize(("body", "noted"), [(ASK, "miss"), (ASK | {"temperature": 1}, "bypass")])
async def test_an_answer_says_how_it_was_had(
    build: Build, body: dict[str, Any], noted: str
) -> None:
    heard = await build().ask(body)

    assert heard.answer_headers["x-lichen-cache"] == noted
    assert len(heard.answer_headers["x-lichen-id"]) == 16


async def test_every_kind_of_call_is_read(build: Build) -> None:
    house = build(whole(chat_answer()))

    for path in ("chat/completions", "responses", "completions", "embeddings"):
        await house.ask({"model": "m"}, target=f"/v1/{path}".encode())

    assert [call.call.kind for call in upstream(house).calls if call.call] == [
        "chat.completions",
        "responses",
        "completions",
        "embeddings",
    ]
