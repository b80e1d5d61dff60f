"""What one client may take: bytes, time, memory; and how a server ends."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lichen.serve.http import Request
    from tests.serve.conftest import RunningServer, Serve, Wire

    Dial = Callable[[RunningServer], Wire]

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def size(request: Request) -> None:
    """Answers with the size of the body."""
    request.respond(200, b"", b"%d" % len(request.body))


class Gate:
    """A handler that begins a stream and ends it when it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Event()
        self.cancelled = threading.Event()

    def __call__(self, request: Request) -> Coroutine[None, None, None]:
        return self._answer(request)

    async def _answer(self, request: Request) -> None:
        request.start(200, b"")
        await request.send(b"begun ")
        self.begun.set()
        try:
            while not self.open.is_set():  # noqa: ASYNC110 (set by another thread)
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        await request.send(b"ended")
        request.end()


def test_a_body_over_the_limit_is_refused_before_it_comes(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(size, body=1000))

    heard = wire.send(HEAD + b"Content-Length: 1001\r\n\r\n").answer()

    assert heard.status == 413
    assert b"over the limit of 1,000 bytes: send less or raise LICHEN_BODY_LIMIT" in heard.body


def test_a_body_in_chunks_over_the_limit_is_refused_when_it_gets_there(
    serve: Serve, dial: Dial
) -> None:
    wire = dial(serve(size, body=1000))
    wire.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")

    heard = wire.send(b"1f4\r\n%b\r\n" % (500 * b"x") * 3).answer()

    assert heard.status == 413


def test_a_client_that_sends_all_of_a_body_too_large_still_reads_why(
    serve: Serve, dial: Dial
) -> None:
    wire = dial(serve(size, body=1000))

    heard = wire.send(HEAD + b"Content-Length: 9000000\r\n\r\n" + 9_000_000 * b"x").answer()

    assert heard.status == 413
    assert wire.rest() == b""


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        (b"/v1/chat/completions", {"error": {"code": "body_too_large"}}),
        (b"/v1/messages", {"type": "error", "error": {"type": "request_too_large"}}),
        (
            b"/v1beta/models/x:generateContent",
            {"error": {"code": 413, "status": "INVALID_ARGUMENT"}},
        ),
    ],
)
def test_a_body_too_large_is_refused_in_the_shape_of_the_provider_asked(
    serve: Serve, dial: Dial, target: bytes, shape: dict[str, Any]
) -> None:
    wire = dial(serve(size, body=1000))

    wire.send(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" % target)

    told = json.loads(wire.answer().body)
    assert told | {"error": {}} == shape | {"error": {}}
    assert told["error"] | shape["error"] == told["error"]


def test_a_body_at_the_limit_is_taken(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(size, body=1000))

    heard = wire.send(HEAD + b"Content-Length: 1000\r\n\r\n" + 1000 * b"x").answer()

    assert heard.body == b"1000"


def test_a_client_that_waits_for_leave_to_send_gets_it(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(size)).send(HEAD + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")

    leave = wire.head()
    heard = wire.send(b"abc").answer()

    assert (leave.status, heard.status) == (100, 200)


def test_a_client_that_waits_for_leave_to_send_too_much_does_not_get_it(
    serve: Serve, dial: Dial
) -> None:
    wire = dial(serve(size, body=2))

    heard = wire.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n").answer()

    assert heard.status == 413


def test_headers_without_end_are_refused(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(size, head=1000)).send(GET[:-2])
    refused = b""

    for _ in range(1000):
        wire.send(b"X-More: " + 1000 * b"x" + b"\r\n")
    refused = wire.rest()

    assert refused.startswith(b"HTTP/1.1 431 Request Header Fields Too Large")


def test_framing_without_a_body_is_refused(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(size, head=1000)).send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;")

    for _ in range(1000):
        wire.send(1000 * b"x")

    assert wire.rest().startswith(b"HTTP/1.1 431 ")


def test_headers_that_trickle_in_are_not_waited_for(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(size, request_s=0.3)).send(b"GET / HTTP/1.1\r\n")

    heard = trickled(wire, b"X-A: b\r\n")

    assert heard.startswith(b"HTTP/1.1 408 Request Timeout")


def test_a_body_that_trickles_in_is_not_waited_for(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(size, request_s=0.3, pace=1000))
    wire.send(HEAD + b"Content-Length: 5000\r\n\r\n")

    heard = trickled(wire, b"x")

    assert heard.startswith(b"HTTP/1.1 408 Request Timeout")


def trickled(wire: Wire, piece: bytes) -> bytes:
    """Sends a piece now and then until the other side has had enough; what it said."""
    said: list[bytes] = []
    reading = threading.Thread(target=lambda: said.append(wire.rest()))
    reading.start()
    while reading.is_alive():
        try:
            wire.send(piece)
        except OSError:
            break
        reading.join(0.02)
    reading.join(5)
    return said[0]


def test_a_body_that_comes_at_its_pace_is_waited_for(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(size, request_s=0.2, idle_s=5, pace=1000))
    wire.send(HEAD + b"Content-Length: 2000\r\n\r\n")

    for _ in range(20):
        wire.send(100 * b"x")
        time.sleep(0.03)

    assert wire.answer().body == b"2000"


def test_a_connection_without_requests_is_closed(serve: Serve, dial: Dial) -> None:
    wire = dial(serve(size, idle_s=0.2)).send(GET)
    wire.answer()

    assert wire.rest() == b""


def test_a_slow_answer_is_no_silence(serve: Serve, dial: Dial) -> None:
    gate = Gate()
    wire = dial(serve(gate, idle_s=0.1, request_s=0.1)).send(GET)
    wire.head()

    time.sleep(0.5)
    gate.open.set()

    assert [wire.chunk(), wire.chunk(), wire.chunk()] == [b"begun ", b"ended", b""]


def test_a_client_that_leaves_ends_the_work_for_it(serve: Serve, dial: Dial) -> None:
    gate = Gate()
    wire = dial(serve(gate)).send(GET)
    gate.begun.wait(5)

    wire.close()

    assert gate.cancelled.wait(5)


def test_a_client_that_does_not_read_holds_the_stream_up_and_is_left_in_the_end(
    serve: Serve, dial: Dial
) -> None:
    sent = [0]
    over = threading.Event()

    def endless(request: Request) -> Coroutine[None, None, None]:
        async def answer() -> None:
            request.start(200, b"")
            try:
                while True:
                    await request.send(65536 * b"x")
                    sent[0] += 65536
            finally:
                over.set()

        return answer()

    wire = dial(serve(endless, idle_s=0.5)).send(GET)

    assert over.wait(10)
    assert sent[0] < 50e6
    wire.close()


def test_a_client_that_asks_and_does_not_read_is_answered_no_more(serve: Serve, dial: Dial) -> None:
    asked = [0]

    def big(request: Request) -> None:
        asked[0] += 1
        request.respond(200, b"", 1_000_000 * b"x")

    wire = dial(serve(big)).send(100 * GET)
    until(lambda: asked[0])
    time.sleep(0.3)
    unread = asked[0]

    for _ in range(100):
        wire.answer()

    assert unread < 50
    assert asked[0] == 100


def test_a_stop_closes_idle_connections_at_once(serve: Serve, dial: Dial) -> None:
    server = serve(size)
    wire = dial(server).send(GET)
    wire.answer()

    server.drain(grace_s=30).result(5)

    assert wire.rest() == b""


def test_a_stop_lets_a_stream_come_to_its_end(serve: Serve, dial: Dial) -> None:
    gate = Gate()
    server = serve(gate)
    wire = dial(server).send(GET)
    gate.begun.wait(5)

    stopped = server.drain(grace_s=30)
    gate.open.set()
    heard = wire.answer()

    assert heard.body == b"begun ended"
    assert stopped.result(5) is None
    assert wire.rest() == b""


def test_a_stop_answers_a_request_that_has_begun_to_come(serve: Serve, dial: Dial) -> None:
    server = serve(size)
    wire = dial(server).send(HEAD + b"Content-Length: 6\r\n\r\nabc")
    until(lambda: any(c._inbound.under_way for c in server.server.connections))

    stopped = server.drain(grace_s=30)
    heard = wire.send(b"def").answer()

    assert heard.body == b"6"
    assert stopped.result(5) is None


def test_a_stop_answers_all_that_was_asked(serve: Serve, dial: Dial) -> None:
    gate = Gate()
    server = serve(gate)
    wire = dial(server).send(3 * GET)
    gate.begun.wait(5)

    stopped = server.drain(grace_s=30)
    gate.open.set()

    assert [wire.answer().body for _ in range(3)] == 3 * [b"begun ended"]
    assert stopped.result(5) is None


def test_a_stop_breaks_off_what_outlasts_its_grace(serve: Serve, dial: Dial) -> None:
    gate = Gate()
    server = serve(gate)
    dial(server).send(GET)
    gate.begun.wait(5)

    server.drain(grace_s=0.1).result(5)

    assert gate.cancelled.wait(5)
    until(lambda: not server.server.connections)


def test_a_stopped_server_takes_no_connection(serve: Serve, dial: Dial) -> None:
    server = serve(size)

    server.drain(grace_s=1).result(5)

    with pytest.raises(ConnectionError):
        dial(server)
