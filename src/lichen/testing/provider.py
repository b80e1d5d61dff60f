"""ScriptedProvider: a real HTTP server on loopback that answers by a script, well or badly.

    with ScriptedProvider() as upstream:
        upstream.script = lambda call: failure(429, retry_after="7")
        ...
        assert len(upstream.calls) == 1

It runs in a thread of its own and writes what it is told to write, broken answers included, which
no HTTP library would.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from lichen.testing.provider_answers import Reply, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    Script = Callable[["Received"], Reply]

# A script that waits for an event nobody sets must not hang the tests. [s]
_PATIENCE_S = 60.0
_LINE = 64 * 1024
# Some providers have statuses of their own, which have no phrase: 529.
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Received:
    """One call as it came. Header names are as the client wrote them."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    # Set when the client has left before the answer's end.
    left: threading.Event = field(default_factory=threading.Event)

    def header(self, name: str) -> str | None:
        """The value of the first header of that name."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)


def by_kind(call: Received) -> Reply:
    """The usual script: what OpenAI, Anthropic or Gemini would say, by the path."""
    return answer(call.target, call.body)


def usual(call: Received, **changes: Any) -> Reply:
    """The usual answer with `changes`, such as `before=event` to hold it back."""
    return replace(by_kind(call), **changes)


def in_turn(*scripts: Script) -> Script:
    """A script for each call in the order in which they come; the last one serves the rest."""
    waiting = list(scripts)

    def script(call: Received) -> Reply:
        return (waiting.pop(0) if len(waiting) > 1 else waiting[0])(call)

    return script


class ScriptedProvider:
    """The server; `script` says how to answer each call, `calls` holds those that came."""

    def __init__(self) -> None:
        self.script: Script = by_kind
        self.calls: list[Received] = []
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="scripted-provider", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(_PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE_S)
        self._loop.close()

    def _serve(self) -> None:
        self._loop.run_until_complete(self._listen())

    async def _listen(self) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=_LINE)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while await self._answered(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one call; whether another may follow on this connection."""
        call = await _read(reader)
        self.calls.append(call)
        reply = self.script(call)
        # While it answers, nothing more should come: what ends the reading is the client leaving.
        leaving = asyncio.create_task(reader.read(1))
        answering = asyncio.create_task(_write(writer, call, reply))
        try:
            await asyncio.wait((leaving, answering), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                call.left.set()
                return False
            answering.result()
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(leaving, answering, return_exceptions=True)
        return not reply.breaks and reply.raw is None


async def _read(reader: asyncio.StreamReader) -> Received:
    first = (await reader.readuntil(b"\r\n")).decode("latin-1").split()
    headers: list[tuple[str, str]] = []
    while line := (await reader.readuntil(b"\r\n")).decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    call = Received(first[0], first[1], headers, b"")
    if call.header("transfer-encoding"):
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            call.body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    else:
        call.body = await reader.readexactly(int(call.header("content-length") or 0))
    return call


async def _write(writer: asyncio.StreamWriter, call: Received, reply: Reply) -> None:
    await _wait(reply.before)
    if reply.raw is not None:
        writer.write(reply.raw)
        await writer.drain()
        return
    framed = len(reply.chunks) > 1 or reply.breaks
    own = "transfer-encoding: chunked" if framed else f"content-length: {len(reply.chunks[0])}"
    lines = [f"HTTP/1.1 {reply.status} {_PHRASES.get(reply.status, '')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if reply.status != HTTPStatus.NO_CONTENT:
        lines.append(own)
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    if call.method == "HEAD":
        return
    for place, chunk in enumerate(reply.chunks):
        if place == 1:
            await _wait(reply.between)
        writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if framed else chunk)
        await writer.drain()
    if framed and not reply.breaks:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _wait(event: threading.Event | None) -> None:
    if event is None:
        return
    for _ in range(int(_PATIENCE_S * 200)):
        if event.is_set():
            return
        await asyncio.sleep(0.005)
