"""Nothing of a call is left to the garbage collector, which the service lets come seldom.

Circles of objects that each call left behind once grew the service by megabytes a minute.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvloop

from lichen.calls.upstream import HttpUpstream
from lichen.ledger.errors import UpstreamError
from lichen.serve.server import Limits, Server
from lichen.serve.service import failed, refusal
from lichen.testing.upstreams import chat_frames

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from lichen.serve.http import Request

FRAMES = chat_frames()


@contextmanager
def left_behind() -> Iterator[Counter[str]]:
    """Counts our own objects that only the collector can end, once the block has."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found.update(
            type(one).__name__ for one in gc.garbage if type(one).__module__.startswith("lichen.")
        )
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def stream(request: Request) -> Coroutine[None, None, None]:
    """Streams to its end, breaks off, or goes on until the client leaves."""

    async def answer() -> None:
        request.start(200, b"")
        for frame in FRAMES:
            await request.send(frame)
        if request.target == b"/breaks":
            request.break_off()
        elif request.target == b"/leaves":
            await asyncio.sleep(60)
        else:
            request.end()

    return answer()


async def _asked(port: int, path: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" % path)
    await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()


def test_a_connection_leaves_nothing_however_it_ends() -> None:
    async def run() -> Counter[str]:
        server = Server(stream, failed=failed, refusal=refusal, limits=Limits())
        port = await server.start("127.0.0.1", 0)
        with left_behind() as found:
            for path in (b"/", b"/breaks", b"/leaves") * 5:
                await _asked(port, path)
            await asyncio.sleep(0.1)
        await server.stop(0)
        return found

    assert uvloop.run(run()) == Counter()


def test_a_connection_to_the_upstream_leaves_nothing_however_it_ends() -> None:
    async def run() -> Counter[str]:
        server = Server(stream, failed=failed, refusal=refusal, limits=Limits())
        port = await server.start("127.0.0.1", 0)
        with left_behind() as found:
            for path in ("/", "/breaks", "/leaves") * 5:
                await _read(port, path)
            await asyncio.sleep(0.1)
        await server.stop(0)
        return found

    assert uvloop.run(run()) == Counter()


async def _read(port: int, path: str) -> None:
    from lichen.calls import directives
    from lichen.calls.exchange import Exchange

    upstream = HttpUpstream(f"http://127.0.0.1:{port}")
    exchange = Exchange("POST", path, [], b"{}", "t", 0, directives.NO_WISHES)
    answer = await upstream.send(exchange)
    assert answer.stream is not None
    with suppress(UpstreamError):
        async for _ in answer.stream:
            if path == "/leaves":
                break
    await answer.stream.aclose()
    await upstream.close()
