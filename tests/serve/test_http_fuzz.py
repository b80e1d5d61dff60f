"""Laws of the HTTP reader: whatever comes, cut anywhere, nothing breaks and nothing is smuggled.

Source: RFC 9112 §6.3 (message body length), §11.2 (request smuggling).
"""

from __future__ import annotations

import itertools
import re
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serve.conftest import RunningServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.serve.http import Request

FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Bytes that could end a header, or a string in C, in the middle of one.
BREAKS = re.compile(rb"[\r\n\0]")
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Za-z -]*\r\n")


class Echo:
    """Answers with the size of the body and keeps what it was asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes]] = []
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> None:
        with self.lock:
            self.seen.append((request.method, request.target, request.headers, request.body))
        request.respond(200, b"", b"%d" % len(request.body))


ECHO = Echo()


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    running = RunningServer(ECHO, body=10_000, head=4_000)
    yield running
    running.close()


def said(server: RunningServer, pieces: list[bytes]) -> bytes:
    """All that the server says to these pieces, sent one by one, when no more will come."""
    with socket.create_connection(("127.0.0.1", server.port), 5) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        heard = b""
        try:
            for piece in pieces:
                wire.sendall(piece)
            wire.shutdown(socket.SHUT_WR)
            while more := wire.recv(65536):
                heard += more
        except (ConnectionError, OSError):
            pass  # it has closed on us, which it may
        return heard


def statuses(heard: bytes) -> list[int]:
    """The statuses of answers that are whole, each framed by its length."""
    found = []
    while heard:
        head, end, heard = heard.partition(b"\r\n\r\n")
        status = STATUS.match(head + b"\r\n")
        assert end, f"half an answer: {head!r}"
        assert status, f"no status line: {head!r}"
        length = re.search(rb"content-length: (\d+)", head)
        found.append(int(status[1]))
        heard = heard[int(length[1]) if length else 0 :]
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(ends)]


TOKENS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\n",
        b"HEAD * HTTP/1.0\r\n",
        b"Host: x\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: keep-alive, upgrade\r\nUpgrade: h2c\r\n",
        b"\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello",
        b"\x16\x03\x01\x02\x00",
        b"\xff" * 20,
    ]
)


@FUZZ
@given(st.lists(TOKENS | st.binary(max_size=40), max_size=12), st.lists(st.integers(0), max_size=4))
def test_whatever_comes_is_answered_whole_or_not_at_all_and_the_server_lives(
    server: RunningServer, parts: list[bytes], places: list[int]
) -> None:
    heard = said(server, cut(b"".join(parts), places))

    assert set(statuses(heard.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b""))) <= {
        *(200, 400, 408, 413, 431),
    }
    assert statuses(said(server, [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])) == [200]
    assert server.server.held == 0


BODIES = st.binary(max_size=300)


def in_chunks(body: bytes, sizes: list[int]) -> bytes:
    pieces = cut(body, sizes)
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A sound request and its body."""
    body = draw(BODIES)
    head = b"POST /%d HTTP/1.1\r\nHost: x\r\n" % draw(st.integers(0, 9))
    if draw(st.booleans()):
        return head + in_chunks(body, draw(st.lists(st.integers(0), max_size=4))), body
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body, body


@FUZZ
@given(st.lists(requests(), min_size=1, max_size=6), st.lists(st.integers(0), max_size=8))
def test_sound_requests_are_read_alike_wherever_they_are_cut(
    server: RunningServer, asked: list[tuple[bytes, bytes]], places: list[int]
) -> None:
    data = b"".join(request for request, _ in asked)
    with ECHO.lock:
        ECHO.seen.clear()

    heard = said(server, cut(data, places))

    assert statuses(heard) == [200] * len(asked)
    assert [body for *_, body in ECHO.seen] == [body for _, body in asked]


# Two readers of one stream that disagree about where a body ends let a request be smuggled.
EVIL = st.sampled_from(
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: 4, 5\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length: 0x4\r\n",
        b"Content-Length: 4 4\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length : 4\r\n",
        b"Content-Length\t: 4\r\n",
        b" Content-Length: 4\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"X: y\rContent-Length: 4\r\n",
        b"X: y\nContent-Length: 4\n\r\n",
        b"X: y\0Content-Length: 4\r\n",
        b"X\r: y\r\nContent-Length: 4\r\n",
    ]
)
BODY_AFTER = st.sampled_from([b"", b"0\r\n\r\n", b"4\r\nabcd\r\n0\r\n\r\n", b"abcd"])
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@FUZZ
@given(
    EVIL, st.sampled_from([b"", b"0\r\n\r\n", b"4\r\nabcd\r\n0\r\n\r\n", b"abcd"]), st.booleans()
)
def test_no_request_is_read_after_one_that_can_be_read_in_two_ways(
    server: RunningServer,
    evil: bytes,
    body: bytes,
    has_other: bool,  # noqa: FBT001 (drawn)
) -> None:
    other = b"X-Other: 1\r\n" if has_other else b""
    with ECHO.lock:
        ECHO.seen.clear()

    heard = said(
        server, [b"POST / HTTP/1.1\r\nHost: x\r\n" + other + evil + b"\r\n" + body + SMUGGLED]
    )

    assert all(target != b"/smuggled" for _, target, *_ in ECHO.seen), (evil, heard)


@FUZZ
@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=12), st.binary(max_size=20)), max_size=4),
    st.binary(max_size=20),
)
def test_nothing_that_is_read_can_break_a_header_when_it_is_written_again(
    server: RunningServer, headers: list[tuple[bytes, bytes]], target: bytes
) -> None:
    lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    with ECHO.lock:
        ECHO.seen.clear()

    said(server, [b"GET /" + target + b" HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n"])

    for method, read, told, _ in ECHO.seen:
        written = [method, read, *(part for pair in told for part in pair)]
        assert not any(BREAKS.search(part) for part in written)
        assert b" " not in read
