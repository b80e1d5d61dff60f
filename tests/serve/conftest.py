"""A server of ours on a real socket, in a thread of its own, and a client that speaks raw."""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pytest
import uvloop

from lichen.serve.server import Limits, Server
from lichen.serve.service import failed, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lichen.serve.server import Handler

    Serve = Callable[..., "RunningServer"]
    Connect = Callable[[], "Wire"]

PATIENCE_S = 10.0


class RunningServer:
    """A `Server` that listens on a free port of the loopback address."""

    def __init__(self, handle: Handler, **limits: Any) -> None:
        self._loop = uvloop.new_event_loop()
        self._handle, self._limits = handle, Limits(**limits)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(PATIENCE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()

    async def _start(self) -> None:
        self.server = Server(self._handle, failed=failed, refusal=refusal, limits=self._limits)
        self.port = await self.server.start("127.0.0.1", 0)

    def drain(self, grace_s: float) -> Any:
        """Begin to stop; what comes back knows when it has."""
        return asyncio.run_coroutine_threadsafe(self.server.stop(grace_s), self._loop)

    def close(self) -> None:
        """Stop at once."""
        self.drain(0.0).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


@dataclass(frozen=True)
class Heard:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection on which a test writes and reads bytes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._got = b""

    def send(self, data: bytes) -> Self:
        """Send all of it."""
        self._socket.sendall(data)
        return self

    def _more(self) -> bool:
        piece = self._socket.recv(65536)
        self._got += piece
        return bool(piece)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._got:
            if not self._more():
                raise EOFError(f"the connection ended before {mark!r}: {self._got!r}")
        found, _, self._got = self._got.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._got) < size:
            if not self._more():
                raise EOFError(f"the connection ended {size - len(self._got)} bytes too soon")
        found, self._got = self._got[:size], self._got[size:]
        return found

    def head(self) -> Heard:
        """Status and headers of the next answer."""
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return Heard(int(first.split()[1]), headers, b"")

    def chunk(self) -> bytes:
        """The next chunk of a chunked answer, empty for the last."""
        return self._exactly(int(self._until(b"\r\n"), 16) + 2)[:-2]

    def answer(self, *, bodiless: bool = False) -> Heard:
        """The next answer, whole."""
        heard = self.head()
        body = b""
        if bodiless:
            pass
        elif heard.headers.get("transfer-encoding") == "chunked":
            while piece := self.chunk():
                body += piece
        elif "content-length" in heard.headers:
            body = self._exactly(int(heard.headers["content-length"]))
        else:
            body = self.rest()
        return Heard(heard.status, heard.headers, body)

    def rest(self) -> bytes:
        """All that comes until the other side closes."""
        while self._more():
            pass
        found, self._got = self._got, b""
        return found

    def close(self) -> None:
        """Leave."""
        self._socket.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers; they end with the test."""
    running: list[RunningServer] = []

    def start(handle: Handler, **limits: float) -> RunningServer:
        running.append(RunningServer(handle, **limits))
        return running[-1]

    yield start
    for each in running:
        each.close()


@pytest.fixture
def dial() -> Iterator[Callable[[RunningServer], Wire]]:
    """Opens connections; they end with the test."""
    wires: list[Wire] = []

    def connect(server: RunningServer) -> Wire:
        wires.append(Wire(server.port))
        return wires[-1]

    yield connect
    for wire in wires:
        wire.close()
