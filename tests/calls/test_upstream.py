"""The HTTP client to the upstream, on real sockets, against servers that say what they are told."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import trustme

from lichen.calls import directives, pool
from lichen.calls.exchange import Answer, Call, Exchange
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.upstream import HttpUpstream, Wire
from lichen.ledger.errors import InputError, UpstreamError
from lichen.testing.raw_server import RawServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from lichen.calls.exchange import Headers

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 2\r\n\r\n{}"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def a_call(*, stream: bool) -> Call:
    return Call("chat", {}, "m", stream, deterministic=True, reusable=True, dialect=OPENAI)


def an_exchange(
    body: bytes = b'{"a":1}',
    *,
    method: str = "POST",
    target: str = "/v1/chat/completions",
    headers: Headers | None = None,
    stream: bool = False,
    metered: bool = True,
) -> Exchange:
    call = a_call(stream=stream) if metered else None
    passed = [(b"authorization", b"Bearer sk-client")] if headers is None else headers
    return Exchange(method, target, passed, body, "t", 0, directives.NO_WISHES, call)


USUAL = Wire()


@asynccontextmanager
async def upstream_at(
    url: str, *, key: str = "", silence_s: float = 5, connect_s: float = 5, wire: Wire = USUAL
) -> AsyncIterator[HttpUpstream]:
    upstream = HttpUpstream(url, key=key, timeout=silence_s, connect_timeout=connect_s, wire=wire)
    yield upstream
    await upstream.close()


async def all_of(answer: Answer) -> bytes:
    assert answer.stream is not None
    return b"".join([piece async for piece in answer.stream])


async def test_a_call_goes_out_as_it_came_and_its_answer_comes_back() -> None:
    headers = [
        (b"authorization", b"Bearer sk-client"),
        (b"x-own", b"caf\xe9"),
        (b"te", b"trailers"),
    ]
    async with RawServer(OK) as server, upstream_at(server.url + "/v1") as upstream:
        answer = await upstream.send(an_exchange(headers=headers))

    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers == [(b"content-type", b"application/json")]
    assert server.bodies == [b'{"a":1}']
    head = server.heads[0]
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"authorization: Bearer sk-client\r\nx-own: caf\xe9\r\n" in head
    assert b"accept-encoding: identity\r\n" in head
    assert b"te: " not in head


async def test_headers_that_a_connection_header_names_go_no_further() -> None:
    named = OK.replace(b"content-length", b"connection: x-hop\r\nx-hop: 1\r\ncontent-length")
    headers = [(b"connection", b"Keep-Alive, Upgrade"), (b"connection", b"X-Mine")]
    headers += [(b"x-mine", b"1"), (b"x-other", b"2")]
    async with RawServer(named) as server, upstream_at(server.url) as upstream:
        answer = await upstream.send(an_exchange(headers=headers))

    assert b"x-mine" not in server.heads[0]
    assert b"x-other: 2\r\n" in server.heads[0]
    assert answer.headers == [(b"content-type", b"application/json")]


async def test_what_another_lichen_says_of_its_use_goes_no_further() -> None:
    behind = OK.replace(b"content-length", b"x-lichen-cache: miss\r\ncontent-length")
    async with RawServer(behind) as server, upstream_at(server.url) as upstream:
        answer = await upstream.send(an_exchange())

    assert answer.headers == [(b"content-type", b"application/json")]


async def test_a_key_of_the_service_takes_the_place_of_the_clients() -> None:
    headers = [
        (b"authorization", b"Bearer sk-client"),
        (b"api-key", b"other"),
        (b"x-api-key", b"other"),
    ]
    async with RawServer(OK) as server, upstream_at(server.url, key="sk-own") as upstream:
        await upstream.send(an_exchange(headers=headers))

    assert b"sk-client" not in server.heads[0]
    assert b"other" not in server.heads[0]
    assert server.heads[0].count(b"authorization: Bearer sk-own\r\n") == 1


async def test_credentials_in_the_url_are_shown_as_basic_and_never_in_an_error() -> None:
    async with RawServer(OK) as server:
        url = server.url.replace("//", "//user:s%40cret@")
        async with upstream_at(url) as upstream:
            await upstream.send(an_exchange())
    async with upstream_at(url, silence_s=1) as gone:
        with pytest.raises(UpstreamError) as caught:
            await gone.send(an_exchange())

    assert b"authorization: Basic dXNlcjpzQGNyZXQ=\r\n" in server.heads[0]
    assert "cret" not in str(caught.value)


async def test_a_base_path_stands_before_the_target() -> None:
    async with RawServer(OK) as server, upstream_at(server.url + "/openai/v1/") as upstream:
        await upstream.send(an_exchange())

    assert server.heads[0].startswith(b"POST /openai/v1/chat/completions HTTP/1.1\r\n")


async def test_calls_one_after_the_other_share_a_connection() -> None:
    async with RawServer(OK) as server, upstream_at(server.url) as upstream:
        for _ in range(5):
            await upstream.send(an_exchange())

    assert server.connections == 1


async def test_calls_at_once_take_a_connection_each() -> None:
    async def slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(OK)

    async with RawServer(slowly) as server, upstream_at(server.url) as upstream:
        await asyncio.gather(*(upstream.send(an_exchange()) for _ in range(8)))

    assert server.connections == 8


async def test_an_answer_that_says_close_ends_its_connection() -> None:
    closing = OK.replace(b"content-length", b"connection: close\r\ncontent-length")
    async with RawServer(closing) as server, upstream_at(server.url) as upstream:
        for _ in range(2):
            assert (await upstream.send(an_exchange())).body == b"{}"

    assert server.connections == 2


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    endless = b"HTTP/1.0 200 OK\r\n\r\nto the end"
    async with RawServer(endless, hang_up=True) as server, upstream_at(server.url) as upstream:
        whole = await upstream.send(an_exchange())
        streamed = await upstream.send(an_exchange(stream=True))

        assert whole.body == b"to the end"
        assert await all_of(streamed) == b"to the end"


async def test_interim_answers_are_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + OK
    async with RawServer(early) as server, upstream_at(server.url) as upstream:
        answer = await upstream.send(an_exchange())

    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers == [(b"content-type", b"application/json")]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_that_has_no_body_leaves_the_connection_open(status: bytes) -> None:
    async with (
        RawServer(b"HTTP/1.1 %b\r\n\r\n" % status) as server,
        upstream_at(server.url) as upstream,
    ):
        for _ in range(2):
            answer = await upstream.send(an_exchange(method="GET", body=b"", metered=False))
            assert await all_of(answer) == b""

    assert server.connections == 1


async def test_the_answer_to_head_has_no_body_whatever_it_says() -> None:
    said = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"
    async with RawServer(said) as server, upstream_at(server.url) as upstream:
        answer = await upstream.send(an_exchange(method="HEAD", body=b"", metered=False))

        assert await all_of(answer) == b""


async def test_a_stream_comes_while_it_is_made() -> None:
    go_on = asyncio.Event()

    async def slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS + chunk(b"data: 1\n\n"))
        await go_on.wait()
        writer.write(chunk(b"data: 2\n\n") + LAST)

    async with RawServer(slowly) as server, upstream_at(server.url) as upstream:
        answer = await upstream.send(an_exchange(stream=True))
        assert answer.stream is not None
        first = await anext(answer.stream.__aiter__())
        go_on.set()
        rest = await all_of(answer)

    assert (first, rest) == (b"data: 1\n\n", b"data: 2\n\n")


async def test_a_stream_that_ended_gives_its_connection_back() -> None:
    async with (
        RawServer(EVENTS + chunk(b"a") + LAST) as server,
        upstream_at(server.url) as upstream,
    ):
        for _ in range(3):
            assert await all_of(await upstream.send(an_exchange(stream=True))) == b"a"

    assert server.connections == 1


async def test_headers_after_a_body_in_chunks_are_none_of_the_answers() -> None:
    trailed = EVENTS + chunk(b"a") + b"0\r\nx-late: 1\r\n\r\n"
    async with RawServer(trailed) as server, upstream_at(server.url) as upstream:
        answer = await upstream.send(an_exchange(stream=True))
        body = await all_of(answer)

    assert body == b"a"
    assert answer.headers == [(b"content-type", b"text/event-stream")]


async def test_a_slow_reader_holds_up_the_upstream() -> None:
    written = 0

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(EVENTS)
        for _ in range(400):
            writer.write(chunk(b"x" * 100_000))
            await writer.drain()
            written += 100_000
        writer.write(LAST)

    async with RawServer(flood) as server, upstream_at(server.url) as upstream:
        answer = await upstream.send(an_exchange(stream=True))
        await asyncio.sleep(0.3)
        ahead = written
        body = await all_of(answer)

    assert len(body) == 40_000_000
    assert ahead < 20_000_000


async def test_a_reader_held_up_by_its_client_is_no_silence_of_the_upstream() -> None:
    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS + chunk(b"x" * 1_000_000) * 20 + LAST)
        await writer.drain()

    async with RawServer(flood) as server, upstream_at(server.url, silence_s=0.2) as upstream:
        answer = await upstream.send(an_exchange(stream=True))
        await asyncio.sleep(0.6)

        assert len(await all_of(answer)) == 20_000_000


async def test_a_stream_that_is_left_hangs_up_on_the_upstream() -> None:
    left = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS + chunk(b"data: 1\n\n"))
        with suppress(ConnectionError):
            await reader.read()
        left.set()

    async with RawServer(endless) as server, upstream_at(server.url) as upstream:
        answer = await upstream.send(an_exchange(stream=True))
        assert answer.stream is not None
        await anext(answer.stream.__aiter__())
        await answer.stream.aclose()
        await answer.stream.aclose()

        await asyncio.wait_for(left.wait(), 5)


async def test_a_call_that_is_cancelled_hangs_up_on_the_upstream() -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        left.set()

    async with RawServer(silent) as server, upstream_at(server.url) as upstream:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(upstream.send(an_exchange()), 0.1)
        await asyncio.wait_for(left.wait(), 5)


async def test_a_caller_who_leaves_breaks_nobody_elses_call() -> None:
    async def soon(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(random.random() * 0.004)
        writer.write(OK)

    async def stays(upstream: HttpUpstream) -> None:
        for _ in range(40):
            assert (await upstream.send(an_exchange())).body == b"{}"

    async def leaves(upstream: HttpUpstream) -> None:
        for _ in range(40):
            call = asyncio.create_task(upstream.send(an_exchange()))
            await asyncio.sleep(random.random() * 0.006)
            call.cancel()
            with suppress(asyncio.CancelledError):
                await call

    async with RawServer(soon) as server, upstream_at(server.url) as upstream:
        await asyncio.gather(*(kind(upstream) for kind in (stays, leaves) for _ in range(16)))


async def test_a_line_that_serves_another_by_now_is_not_abandoned() -> None:
    async with RawServer(OK) as server, upstream_at(server.url) as upstream:
        mine = await upstream._pool.new()
        head = upstream._head(an_exchange(), 7, b"")
        asked = mine.ask(head, b'{"a":1}', whole=True)
        await asked
        again = mine.ask(head, b'{"a":1}', whole=True)

        mine.abandon(asked)

        assert (await again).body == b"{}"


async def test_silence_is_a_timeout_that_names_the_host() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with RawServer(silent) as server, upstream_at(server.url, silence_s=0.1) as upstream:
        with pytest.raises(
            UpstreamError, match=r"at 127\.0\.0\.1:\d+ did not answer within"
        ) as caught:
            await upstream.send(an_exchange())

    assert (caught.value.status, caught.value.code) == (504, "upstream_timeout")


async def test_a_silence_within_a_stream_breaks_it_off() -> None:
    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS + chunk(b"data: 1\n\n"))
        await reader.read()

    async with RawServer(stalls) as server, upstream_at(server.url, silence_s=0.1) as upstream:
        answer = await upstream.send(an_exchange(stream=True))
        with pytest.raises(UpstreamError, match=r"nothing came for 0\.1 s") as caught:
            await all_of(answer)

    assert caught.value.code == "upstream_broke_off"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "spoke no HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "spoke no HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000, "262,144 bytes of headers"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n", "another protocol"),
        (b"", "closed the connection"),
    ],
)
async def test_what_is_no_answer_is_an_error_with_a_reason(said: bytes, why: str) -> None:
    async with RawServer(said, hang_up=True) as server, upstream_at(server.url) as upstream:
        with pytest.raises(UpstreamError, match=why) as caught:
            await upstream.send(an_exchange())

    assert (caught.value.status, caught.value.code) == (502, "upstream_unreachable")


async def test_a_whole_answer_that_breaks_off_says_so() -> None:
    short = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort"
    async with RawServer(short, hang_up=True) as server, upstream_at(server.url) as upstream:
        with pytest.raises(UpstreamError, match="broke off in the middle") as caught:
            await upstream.send(an_exchange())

    assert (caught.value.status, caught.value.code) == (502, "upstream_broke_off")


async def test_an_answer_that_nobody_asked_for_is_not_the_next_calls() -> None:
    async with (
        RawServer(OK + OK.replace(b"{}", b"no"), OK) as server,
        upstream_at(server.url) as upstream,
    ):
        answers = [await upstream.send(an_exchange()) for _ in range(2)]

    assert [answer.body for answer in answers] == [b"{}", b"{}"]
    assert server.connections == 2


async def test_a_late_word_on_an_idle_connection_is_not_the_next_calls() -> None:
    async def twice(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(OK.replace(b"{}", b"no"))
        await writer.drain()

    async with RawServer(twice, OK) as server, upstream_at(server.url) as upstream:
        first = await upstream.send(an_exchange())
        await asyncio.sleep(0.2)
        second = await upstream.send(an_exchange())

    assert (first.body, second.body) == (b"{}", b"{}")


async def test_a_look_up_is_sent_again_where_its_kept_connection_was_closed() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    a_look_up = an_exchange(method="GET", body=b"", metered=False)
    async with RawServer(OK, hang_up, OK) as server, upstream_at(server.url) as upstream:
        bodies = [await all_of(await upstream.send(a_look_up)) for _ in range(2)]

    assert bodies == [b"{}", b"{}"]
    assert len(server.heads) == 3


async def test_a_call_to_a_model_is_never_sent_twice() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with RawServer(OK, hang_up, OK) as server, upstream_at(server.url) as upstream:
        await upstream.send(an_exchange())
        with pytest.raises(UpstreamError):
            await upstream.send(an_exchange())

    assert len(server.heads) == 2


async def test_a_call_to_a_model_of_ones_own_is_sent_again_where_its_connection_was_closed() -> (
    None
):
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    wire = Wire(resends=True)
    async with RawServer(OK, hang_up, OK) as server, upstream_at(server.url, wire=wire) as upstream:
        bodies = [(await upstream.send(an_exchange())).body for _ in range(2)]

    assert bodies == [b"{}", b"{}"]
    assert len(server.heads) == 3


async def test_a_connection_that_lay_idle_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "_IDLE_S", 0.05)
    async with RawServer(OK) as server, upstream_at(server.url) as upstream:
        await upstream.send(an_exchange())
        await asyncio.sleep(0.1)  # long before the next sweep
        await upstream.send(an_exchange())

    assert server.connections == 2


async def test_calls_beyond_the_most_connections_wait_their_turn() -> None:
    async def slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(OK)

    async with RawServer(slowly) as server, upstream_at(server.url) as upstream:
        upstream._pool._most = 2
        answers = await asyncio.gather(*(upstream.send(an_exchange()) for _ in range(9)))

    assert [answer.body for answer in answers] == [b"{}"] * 9
    assert server.connections == 2


async def test_a_call_whose_turn_does_not_come_is_told_to_come_again() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        RawServer(silent) as server,
        upstream_at(server.url, connect_s=0.1) as upstream,
    ):
        upstream._pool._most = 1
        first = asyncio.create_task(upstream.send(an_exchange()))
        await asyncio.sleep(0.05)
        with pytest.raises(UpstreamError) as caught:
            await upstream.send(an_exchange())
        first.cancel()

    assert (caught.value.status, caught.value.code) == (503, "upstream_busy")


async def test_a_call_that_leaves_the_queue_takes_nobodys_turn() -> None:
    go_on = asyncio.Event()

    async def slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(OK)

    async with RawServer(slowly) as server, upstream_at(server.url) as upstream:
        upstream._pool._most = 1
        first, leaver, last = (asyncio.create_task(upstream.send(an_exchange())) for _ in range(3))
        await asyncio.sleep(0.05)
        leaver.cancel()
        go_on.set()
        answers = await asyncio.wait_for(asyncio.gather(first, last), 5)

    assert [answer.body for answer in answers] == [b"{}", b"{}"]


async def test_a_line_that_comes_in_the_moment_of_giving_up_is_taken() -> None:
    async with RawServer(OK) as server, upstream_at(server.url) as upstream:
        lines = upstream._pool
        lines._most = 1
        freed = await lines.new()
        lines._connect_timeout = 0.0
        waiting = asyncio.create_task(lines.new())
        asyncio.get_running_loop().call_soon(lines.free, freed)

        with suppress(pool.PoolBusy):
            await waiting

        assert waiting.exception() is not None or waiting.result() is freed
        assert lines.at_hand() in (freed, None)
        assert not lines._waiting or all(waiter.done() for waiter in lines._waiting)


@pytest.mark.parametrize("key", ["sk-abc\n", "  sk-abc "])
async def test_a_key_that_was_read_from_a_file_loses_its_line_break(key: str) -> None:
    async with RawServer(OK) as server, upstream_at(server.url, key=key) as upstream:
        await upstream.send(an_exchange())

    assert b"authorization: Bearer sk-abc\r\n" in server.heads[0]


@pytest.mark.parametrize("key", ["sk-a\nb", "sk a", "sk-é"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InputError, match="key of LICHEN_UPSTREAM ") as caught:
        HttpUpstream("http://127.0.0.1", key=key)

    assert key not in str(caught.value)


async def test_a_stream_of_a_known_length_says_so() -> None:
    async with RawServer(OK) as server, upstream_at(server.url) as upstream:
        measured = await upstream.send(an_exchange(stream=True))
        looked_at = await upstream.send(an_exchange(method="HEAD", body=b"", metered=False))

        assert (measured.length, await all_of(measured)) == (2, b"{}")
        assert looked_at.length == 2


async def test_an_answer_too_long_to_be_held_passes_as_a_stream_of_its_length() -> None:
    size = 3_000_000
    long = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size
    async with RawServer(long, OK) as server, upstream_at(server.url) as upstream:
        upstream._pool._whole = 1e6
        answer = await upstream.send(an_exchange())
        held = upstream._pool.held
        came = await all_of(answer)
        again = await upstream.send(an_exchange())

    assert (answer.length, len(came), answer.body) == (size, size, b"")
    assert held == 0
    assert again.body == b"{}"
    assert server.connections == 1


async def test_whole_answers_that_come_in_are_counted_until_they_are_there_or_lost() -> None:
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + b"x" * 100_000
    rest = b"x" * 100_000
    go_on = asyncio.Event()

    async def in_halves(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(half)
        await writer.drain()
        await go_on.wait()
        writer.write(rest)

    async with RawServer(in_halves) as server, upstream_at(server.url) as upstream:
        first, left = (asyncio.create_task(upstream.send(an_exchange())) for _ in range(2))
        while upstream._pool.held < 200_000:  # noqa: ASYNC110 (no one would set an event)
            await asyncio.sleep(0.005)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        after_one_left = upstream._pool.held
        go_on.set()
        answer = await first

    assert after_one_left == 100_000
    assert len(answer.body) == 200_000
    assert upstream._pool.held == 0


async def test_an_upstream_whose_machine_is_gone_is_noticed_within_a_minute() -> None:
    async with RawServer(OK) as server, upstream_at(server.url) as upstream:
        await upstream.send(an_exchange())
        [line] = upstream._pool._idle
        made = line._transport.get_extra_info("socket")

        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
        idle, every, count = (
            made.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + every * count <= 60


async def test_a_refused_connection_says_so() -> None:
    async with RawServer(OK) as server:
        url = server.url
    async with upstream_at(url) as upstream:
        with pytest.raises(UpstreamError, match="cannot be reached") as caught:
            await upstream.send(an_exchange())

    assert caught.value.code == "upstream_unreachable"


@pytest.mark.parametrize(
    "url", ["", "api.openai.com", "ftp://x/v1", "http://", "http://h:port", "http://[::1"]
)
def test_an_upstream_that_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"must be an http\(s\) URL"):
        HttpUpstream(url)


@pytest.mark.parametrize("url", ["htps://me:s3cret@host", "http://me:s3cret@host:99x/v1"])
def test_a_url_that_is_refused_is_shown_without_its_password(url: str) -> None:
    with pytest.raises(InputError) as caught:
        HttpUpstream(url)

    assert "s3cret" not in str(caught.value)


# TLS and proxies.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _server_side(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this machine trusts, as any tool would be told of it."""
    path = f"{tmp_path}/ca.pem"
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", path)
    return authority


async def test_a_certificate_of_a_trusted_authority_is_taken(trusted: trustme.CA) -> None:
    tls = _server_side(trusted, "127.0.0.1")
    async with RawServer(OK, tls=tls) as server, upstream_at(server.url) as upstream:
        answers = [await upstream.send(an_exchange()) for _ in range(2)]

    assert [answer.body for answer in answers] == [b"{}", b"{}"]
    assert server.connections == 1


async def test_an_authority_that_is_told_is_trusted_and_no_other(
    authority: trustme.CA, tmp_path: Path
) -> None:
    other = trustme.CA()
    for name, made in (("ours.pem", authority), ("other.pem", other)):
        made.cert_pem.write_to_path(str(tmp_path / name))
    async with RawServer(OK, tls=_server_side(authority, "127.0.0.1")) as server:
        ours = HttpUpstream(server.url, wire=Wire(authorities=str(tmp_path / "ours.pem")))
        others = HttpUpstream(server.url, wire=Wire(authorities=str(tmp_path / "other.pem")))
        answer = await ours.send(an_exchange())
        with pytest.raises(UpstreamError, match=r"TLS: .*certificate"):
            await others.send(an_exchange())
        await ours.close()
        await others.close()

    assert answer.body == b"{}"
    assert len(server.heads) == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_told_of_at_the_start(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(InputError, match=r"authorities in .*ca\.pem.* cannot be read"):
        HttpUpstream("https://api.example/v1", wire=Wire(authorities=str(path)))


async def test_a_certificate_of_a_stranger_is_refused(authority: trustme.CA) -> None:
    tls = _server_side(authority, "127.0.0.1")
    async with RawServer(OK, tls=tls) as server, upstream_at(server.url) as upstream:
        with pytest.raises(UpstreamError, match=r"TLS: .*certificate"):
            await upstream.send(an_exchange())

    assert server.heads == []


async def test_a_certificate_for_another_name_is_refused(trusted: trustme.CA) -> None:
    tls = _server_side(trusted, "other.example")
    async with RawServer(OK, tls=tls) as server, upstream_at(server.url) as upstream:
        with pytest.raises(UpstreamError, match=r"TLS: .*(mismatch|not valid)"):
            await upstream.send(an_exchange())

    assert server.heads == []


async def test_plain_calls_go_through_a_proxy_by_their_whole_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with RawServer(OK) as proxy:
        monkeypatch.setenv("http_proxy", f"http://u:p@127.0.0.1:{proxy.port}")
        async with upstream_at("http://api.example/base/v1") as upstream:
            answer = await upstream.send(an_exchange())

    assert answer.body == b"{}"
    head = proxy.heads[0]
    assert head.startswith(b"POST http://api.example/base/v1/chat/completions HTTP/1.1\r\n")
    assert b"host: api.example\r\nproxy-authorization: Basic dTpw\r\n" in head


async def test_tls_calls_go_through_a_proxys_tunnel(
    trusted: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RawServer(OK, tls=_server_side(trusted, "api.example")) as server:

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            behind, ahead = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            try:
                await asyncio.gather(_pump(reader, ahead), _pump(behind, writer))
            finally:
                ahead.transport.abort()
                await asyncio.sleep(0)

        async with RawServer(tunnel) as proxy:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
            async with upstream_at("https://api.example/v1") as upstream:
                answer = await upstream.send(an_exchange())

    assert answer.body == b"{}"
    assert proxy.heads[0].startswith(b"CONNECT api.example:443 HTTP/1.1\r\nhost: api.example:443")
    assert b"Bearer" not in proxy.heads[0]
    assert b"authorization: Bearer sk-client\r\n" in server.heads[0]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "407 Proxy Authentication Required",
        ),
        (b"rubbish", "no proper answer to CONNECT"),
    ],
)
async def test_a_proxy_that_refuses_is_named_as_the_reason(
    said: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RawServer(said, hang_up=True) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        async with upstream_at("https://api.example/v1") as upstream:
            with pytest.raises(UpstreamError, match=why):
                await upstream.send(an_exchange())


async def test_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with RawServer(OK) as server, upstream_at(server.url) as upstream:
        assert (await upstream.send(an_exchange())).body == b"{}"


def test_a_host_in_no_proxy_is_reached_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "api.example")

    HttpUpstream("https://api.example/v1")


def test_a_proxy_that_speaks_no_http_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:9")

    with pytest.raises(InputError, match="'socks5' one, and only http:// proxies"):
        HttpUpstream("https://api.example/v1")
