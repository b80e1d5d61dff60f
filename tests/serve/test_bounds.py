"""What all clients together may take: bytes, connections, patience; and how one is told to wait."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

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


def posted(length: int, sent: int | None = None) -> bytes:
    body = (length if sent is None else sent) * b"x"
    return HEAD + b"Content-Length: %d\r\n\r\n" % length + body


def test_bodies_beyond_what_may_be_held_are_told_to_come_again(serve: Serve, dial: Dial) -> None:
    server = serve(size, held=10_000)
    halves = [dial(server).send(posted(8000, 4000)) for _ in range(2)]
    until(lambda: server.server.held == 8000)

    heard = dial(server).send(posted(4000)).answer()

    assert heard.status == 503
    assert heard.headers["retry-after"] == "1"
    assert b"requests of 0 MB are under way" in heard.body
    assert b'"code":"too_busy"' in heard.body.replace(b": ", b":")
    for half in halves:
        half.close()


def test_room_is_there_again_once_bodies_are_answered_or_their_clients_gone(
    serve: Serve, dial: Dial
) -> None:
    server = serve(size, held=10_000)
    answered, gone = dial(server).send(posted(4000)), dial(server).send(posted(8000, 4000))
    heard = answered.answer()
    until(lambda: server.server.held == 4000)
    gone.close()

    until(lambda: server.server.held == 0)

    assert heard.body == b"4000"
    assert dial(server).send(posted(9000)).answer().body == b"9000"


def test_a_body_is_held_while_its_answer_is_made(serve: Serve, dial: Dial) -> None:
    go_on = threading.Event()

    def later(request: Request) -> Coroutine[None, None, None]:
        async def answer() -> None:
            await asyncio.to_thread(go_on.wait, 10)
            request.respond(200, b"", b"")

        return answer()

    server = serve(later)
    wire = dial(server).send(posted(3000))
    until(lambda: server.server.held == 3000)
    go_on.set()

    wire.answer()

    assert server.server.held == 0


def test_a_connection_too_many_is_told_to_come_again(serve: Serve, dial: Dial) -> None:
    server = serve(size, connections=2)
    busy = [dial(server).send(b"GET / HTTP/1.1\r\n") for _ in range(2)]
    until(lambda: len(server.server.connections) == 2)

    refused = dial(server).rest()

    assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: 1\r\n" in refused
    assert server.server.gauges()["lichen_client_connections_refused_total"] == 1
    for wire in busy:
        assert wire.send(b"Host: x\r\n\r\n").answer().status == 200


def test_an_idle_connection_makes_room_for_a_new_one(
    serve: Serve, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lichen.serve import connection

    monkeypatch.setattr(connection, "_JUST_NOW_S", 0.0)
    server = serve(size, connections=2)
    idle = [dial(server).send(GET) for _ in range(2)]
    for wire in idle:
        wire.answer()
    time.sleep(0.02)

    heard = dial(server).send(GET).answer()

    assert heard.status == 200


def endless(request: Request) -> Coroutine[None, None, None]:
    async def answer() -> None:
        request.start(200, b"")
        while True:
            await request.send(65536 * b"x")

    return answer()


def test_a_client_that_reads_a_trickle_is_left(serve: Serve, dial: Dial) -> None:
    server = serve(endless, idle_s=0.5, pace=1e9)
    wire = dial(server).send(GET)

    with pytest.raises((EOFError, ConnectionError)):  # noqa: PT012 (which read ends is the kernel's to say)
        for _ in range(1000):
            wire._exactly(10_000)
            time.sleep(0.01)

    assert server.server.gauges()["lichen_client_slow_readers_total"] == 1
    wire.close()


def test_a_client_that_reads_at_its_pace_is_not_left(serve: Serve, dial: Dial) -> None:
    server = serve(endless, idle_s=0.5, pace=1000)
    wire = dial(server).send(GET)

    for _ in range(100):
        # More than the kernel holds for it, so that the server sees that it is read.
        wire._exactly(500_000)
        time.sleep(0.01)

    assert server.server.put_off == 0
    assert len(server.server.connections) == 1
    wire.close()
