"""Bodies on the wire: read within a bound, written as the client takes them."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.calls.coding.choosing import chosen
from lichen.calls.coding.codecs import BodyTooLargeError, available, decoded, encoded
from lichen.calls.directives import NO_WISHES
from lichen.calls.exchange import Exchange
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.upstream import HttpUpstream, Wire
from lichen.ledger.errors import InputError
from lichen.testing.raw_server import RawServer
from lichen.testing.upstreams import chat_answer, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.testing.callers import House

    Build = Callable[..., House]

NAMES = ("gzip", "br", "zstd")
ASK: dict[str, Any] = {
    "model": "gpt-4o",
    "temperature": 0,
    "messages": [{"role": "user", "content": "Say it."}],
}
LONG = chat_answer("It is said again and again. " * 2000)


def test_all_three_are_here() -> None:
    assert set(available()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=5000) | st.binary(max_size=50).map(lambda b: b * 900))
def test_what_was_compressed_is_read_again(name: str, body: bytes) -> None:
    assert decoded(name, encoded(name, body), len(body)) == body


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=300))
def test_rubbish_is_refused_and_nothing_else_is_raised(name: str, body: bytes) -> None:
    try:
        made = decoded(name, body, 10_000)
    except InputError:
        return

    assert len(made) <= 10_000


@pytest.mark.parametrize("name", NAMES)
def test_a_bomb_is_refused_before_it_goes_off(name: str) -> None:
    import tracemalloc

    bomb = encoded(name, bytes(200_000_000))
    tracemalloc.start()

    with pytest.raises(BodyTooLargeError, match="over the limit of 1,000,000 bytes"):
        decoded(name, bomb, 1_000_000)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(bomb) < 300_000
    assert peak < 20_000_000


@pytest.mark.parametrize("name", NAMES)
def test_a_body_that_breaks_off_is_refused(name: str) -> None:
    made = encoded(name, b"a body of some words " * 50)

    with pytest.raises(InputError, match="request body"):
        decoded(name, made[:-4], 10_000)


def test_several_members_are_one_body_and_what_follows_is_refused() -> None:
    two = gzip.compress(b"one ") + gzip.compress(b"two")

    assert decoded("gzip", two, 100) == b"one two"
    with pytest.raises(InputError):
        decoded("gzip", two + b"rubbish", 100)


@pytest.mark.parametrize(
    ("wished", "name"),
    [
        (b"", ""),
        (b"identity", ""),
        (b"gzip", "gzip"),
        (b"gzip, deflate, br, zstd", "zstd"),
        (b"gzip;q=1.0, br;q=0.5", "gzip"),
        (b"*", "zstd"),
        (b"*;q=0.1, gzip;q=0.2", "gzip"),
        (b"gzip;q=0, identity", ""),
        (b"identity;q=1, gzip;q=0.5", ""),
        (b"br;q=rubbish", ""),
        (b"deflate", ""),
    ],
)
def test_a_client_gets_what_it_likes_best_of_what_there_is(wished: bytes, name: str) -> None:
    assert chosen(wished) == name


@pytest.mark.parametrize("name", NAMES)
async def test_a_compressed_call_is_metered_and_kept_like_a_plain_one(
    build: Build, name: str
) -> None:
    house = build()

    first = await house.ask(encoded(name, orjson.dumps(ASK)), content_encoding=name)
    second = await house.ask(ASK)

    sent = house.upstream.calls[0]  # type: ignore[attr-defined]
    assert sent.body == orjson.dumps(ASK)
    assert b"content-encoding" not in dict(sent.headers)
    assert first.answer_headers["x-lichen-cache"] == "miss"
    assert second.answer_headers["x-lichen-cache"] == "hit"


async def test_a_bomb_is_told_so_in_the_provider_s_shape(build: Build) -> None:
    house = build()

    heard = await house.ask(gzip.compress(bytes(70_000_000)), content_encoding="gzip")

    assert heard.status == 413
    assert heard.json["error"]["code"] == "body_too_large"
    assert house.upstream.calls == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"{}")[:-3], zlib.compress(b"{}")],
    ids=["text", "cut", "zlib"],
)
async def test_what_is_no_gzip_is_refused(build: Build, body: bytes) -> None:
    house = build()

    heard = await house.ask(body, content_encoding="gzip")

    assert (heard.status, heard.json["error"]["code"]) == (400, "invalid_body")


@pytest.mark.parametrize("name", NAMES)
async def test_a_long_answer_goes_as_the_client_takes_it_miss_and_hit(
    build: Build, name: str
) -> None:
    house = build(whole(LONG))

    for _ in range(2):
        heard = await house.ask(ASK, accept_encoding=name)

        assert heard.answer_headers["content-encoding"] == name
        assert heard.answer_headers["vary"] == "accept-encoding"
        assert decoded(name, heard.answer, 10**6) == LONG
        assert len(heard.answer) < len(LONG) / 10


async def test_a_short_answer_and_a_client_that_takes_none_get_it_plain(build: Build) -> None:
    short, long = build(), build(whole(LONG))

    heard_short = await short.ask(ASK, accept_encoding="gzip")
    heard_long = await long.ask(ASK)

    assert "content-encoding" not in heard_short.answer_headers
    assert "content-encoding" not in heard_long.answer_headers
    assert json.loads(heard_long.answer) == json.loads(LONG)


@pytest.mark.parametrize("name", NAMES)
async def test_requests_go_out_compressed_where_a_setting_says_that_the_upstream_takes_it(
    name: str,
) -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    body = orjson.dumps({**ASK, "user": "u" * 9000})
    call = OPENAI.read_call("chat.completions", b"", body)

    async with RawServer(answer) as server:
        upstream = HttpUpstream(server.url, wire=Wire(coding=name))
        for sent, read in ((body, call), (orjson.dumps(ASK), call), (body, None)):
            await upstream.send(
                Exchange("POST", "/v1/chat/completions", [], sent, "t", 0, NO_WISHES, read)
            )
        await upstream.close()

    assert decoded(name, server.bodies[0], 10**5) == body
    assert server.bodies[1:] == [orjson.dumps(ASK), body]  # too short; not ours to read
    assert f"content-encoding: {name}".encode() in server.heads[0].lower()
    assert b"content-encoding" not in b"".join(server.heads[1:]).lower()
