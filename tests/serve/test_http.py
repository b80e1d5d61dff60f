"""HTTP/1.1 on a raw socket: framing, order, what is refused, what is told to clients of old."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lichen.serve.http import Request
    from tests.serve.conftest import RunningServer, Serve, Wire

    Dial = Callable[[RunningServer], Wire]

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def echo(request: Request) -> None:
    """Answers with the method, the target and the body."""
    request.respond(200, b"", b"%b %b %b" % (request.method, request.target, request.body))


def headers(request: Request) -> None:
    """Answers with the headers."""
    request.respond(200, b"", b"\n".join(b"%b=%b" % pair for pair in request.headers))


def later(request: Request) -> Coroutine[None, None, None]:
    """Answers the later the lower the number in its target."""

    async def answer() -> None:
        await asyncio.sleep(0.02 / (1 + int(request.target[1:])))
        request.respond(200, b"", request.target)

    return answer()


def three_chunks(request: Request) -> Coroutine[None, None, None]:
    """Answers with a stream of three chunks."""

    async def answer() -> None:
        request.start(200, b"")
        for chunk in (b"one ", b"", b"two ", b"three"):
            await request.send(chunk)
        request.end()

    return answer()


@pytest.fixture
def wire(serve: Serve, dial: Dial) -> Wire:
    return dial(serve(echo, body=1000))


def test_two_requests_are_answered_on_one_connection(wire: Wire) -> None:
    first = wire.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").answer()
    second = wire.send(b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n").answer()

    assert (first.status, first.body) == (200, b"POST /a abc")
    assert second.body == b"GET /b "


def test_a_request_that_comes_byte_by_byte_is_whole(wire: Wire) -> None:
    for byte in b"PUT /x%2Fy?a=%41 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi":
        wire.send(bytes([byte]))

    assert wire.answer().body == b"PUT /x%2Fy?a=%41 hi"


def test_a_body_in_chunks_is_put_together(wire: Wire) -> None:
    wire.send(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;note=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )

    assert wire.answer().body == b"POST / abcde"


def test_twenty_requests_in_one_packet_are_answered_in_order(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(later))
    wire.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(20)))

    answers = [wire.answer().body for _ in range(20)]

    assert answers == [b"/%d" % n for n in range(20)]


def test_headers_keep_their_order_and_their_bytes(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(headers))

    heard = wire.send(
        b"GET / HTTP/1.1\r\nHost: x\r\nX-B: caf\xe9\r\nx-b: 2\r\nX-E:\r\n\r\n"
    ).answer()

    assert heard.body == b"host=x\nx-b=caf\xe9\nx-b=2\nx-e="


def test_headers_after_a_body_in_chunks_are_none_of_the_request_s(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(headers))

    heard = wire.send(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\nAuthorization: Bearer stolen\r\n\r\n"
    ).answer()

    assert b"stolen" not in heard.body


@pytest.mark.parametrize(
    "request_",
    [
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_two_readers_could_read_in_two_ways_is_refused(wire: Wire, request_: bytes) -> None:
    heard = wire.send(request_ + GET).answer()

    assert heard.status == 400
    assert heard.headers["connection"] == "close"
    assert b'{"error":{"message":"' in heard.body
    assert wire.rest() == b""


def test_what_follows_a_request_under_way_is_refused_after_its_answer(
    serve: Serve, dial: Dial
) -> None:
    wire = dial(serve(later)).send(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n")

    first, second = wire.answer(), wire.answer()

    assert (first.status, first.body) == (200, b"/1")
    assert second.status == 400


def test_an_upgrade_is_not_made_and_the_request_is_answered(wire: Wire) -> None:
    heard = wire.send(
        b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    ).answer()

    assert (heard.status, heard.body) == (200, b"GET /a ")
    assert wire.rest() == b""


def test_head_gets_the_length_and_no_body(wire: Wire) -> None:
    heard = wire.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + GET).answer(bodiless=True)

    assert heard.headers["content-length"] == "7"
    assert wire.answer().body == b"GET / "


def test_head_of_a_stream_gets_no_chunks(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(three_chunks)).send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + GET)

    assert wire.answer(bodiless=True).status == 200
    assert wire.answer().body == b"one two three"


def test_a_stream_is_sent_in_chunks(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(three_chunks)).send(GET)

    heard = wire.head()

    assert heard.headers["transfer-encoding"] == "chunked"
    assert [wire.chunk() for _ in range(4)] == [b"one ", b"two ", b"three", b""]


def test_a_stream_of_a_known_length_is_sent_without_chunks(serve: Serve, dial: Dial) -> None:
    async def known(request: Request) -> None:
        request.start(200, b"", 4)
        await request.send(b"four")
        request.end()

    wire = dial(serve(known)).send(GET + GET)

    heard = wire.answer()
    assert (heard.headers["content-length"], heard.body) == ("4", b"four")
    assert "transfer-encoding" not in heard.headers
    assert wire.answer().body == b"four"


def test_a_header_that_quotes_a_length_does_not_frame_the_answer(serve: Serve, dial: Dial) -> None:
    async def quoting(request: Request) -> None:
        request.start(200, b"x-said: content-length: 3\r\n")
        await request.send(b"four")
        request.end()

    heard = dial(serve(quoting)).send(GET).head()

    assert heard.headers["transfer-encoding"] == "chunked"


def test_a_client_of_http_1_0_gets_a_whole_answer_and_the_end(wire: Wire) -> None:
    heard = wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer()

    assert (heard.body, heard.headers["connection"]) == (b"GET / ", "close")
    assert wire.rest() == b""


def test_a_client_of_http_1_0_gets_a_stream_without_chunks(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(three_chunks)).send(b"GET / HTTP/1.0\r\n\r\n")

    heard = wire.answer()

    assert heard.body == b"one two three"
    assert "transfer-encoding" not in heard.headers


def test_a_client_that_asks_to_close_is_closed(wire: Wire) -> None:
    heard = wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").answer()

    assert heard.headers["connection"] == "close"
    assert wire.rest() == b""


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_is_not_framed(serve: Serve, dial: Dial, status: int) -> None:
    def streamed(request: Request) -> Coroutine[None, None, None]:
        async def answer() -> None:
            request.start(status, b"x-a: b\r\n")
            request.end()

        return answer()

    wire = dial(serve(streamed)).send(GET + GET)

    first, second = wire.answer(bodiless=True), wire.answer(bodiless=True)

    assert first == second
    assert first.headers == {"x-a": "b"}


def test_a_stream_of_known_length_is_not_sent_in_chunks(serve: Serve, dial: Dial) -> None:
    def measured(request: Request) -> Coroutine[None, None, None]:
        async def answer() -> None:
            request.start(200, b"content-length: 6\r\n")
            await request.send(b"abc")
            await request.send(b"def")
            request.end()

        return answer()

    wire = dial(serve(measured)).send(GET + GET)

    assert [wire.answer().body, wire.answer().body] == [b"abcdef", b"abcdef"]


def test_a_fault_in_a_handler_is_told_in_the_provider_s_shape(serve: Serve, dial: Dial) -> None:
    def broken(_request: Request) -> None:
        raise KeyError("secret")

    heard = dial(serve(broken)).send(GET).answer()

    assert heard.status == 500
    assert b"lichen failed on this call (KeyError)" in heard.body
    assert b"secret" not in heard.body


def test_a_fault_in_the_middle_of_a_stream_shows_as_an_incomplete_answer(
    serve: Serve, dial: Dial
) -> None:
    def broken(request: Request) -> Coroutine[None, None, None]:
        async def answer() -> None:
            request.start(200, b"")
            await request.send(b"half")
            raise KeyError

        return answer()

    wire = dial(serve(broken)).send(GET)

    with pytest.raises(EOFError):
        wire.answer()
