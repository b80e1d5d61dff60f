"""Asked: one request of a pipeline as the gateway sees it, and what was answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError, UpstreamError

if TYPE_CHECKING:
    from lichen.calls.exchange import Headers
    from lichen.calls.gateway import Gateway

# The header that tells the upstream where a call was meant to go. It counts in the key.
ORIGIN = b"lichen-origin"
# Chunks of a stream that may wait for whoever reads it.
_AHEAD = 2
_END: object = object()


class Asked:
    """One request as the gateway sees it, and what it answered. Lives in the pipeline's loop."""

    def __init__(self, method: str, url: str, headers: Headers, body: bytes) -> None:
        origin, path = _parted(url)
        self.method, self.target, self.body = method.encode("latin-1"), path, body
        self.headers = [*headers, (ORIGIN, origin)]
        self.started = False
        self.status, self.reply_headers = 0, list[tuple[bytes, bytes]]()
        self.whole: bytes | None = None
        self._chunks: asyncio.Queue[Any] = asyncio.Queue()
        self._room, self._begun = asyncio.Event(), asyncio.Event()
        self._answering: asyncio.Task[None] | None = None

    async def run(self, gateway: Gateway, running: set[asyncio.Task[None]]) -> None:
        """Have it answered, among those that run; returns when the answer's head is known."""
        answering = gateway.handle(self)
        if answering is None:
            return
        self._answering = task = asyncio.ensure_future(answering)
        running.add(task)
        task.add_done_callback(running.discard)
        begun = asyncio.ensure_future(self._begun.wait())
        try:
            await asyncio.wait((task, begun), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            begun.cancel()
        if task.done():
            task.result()

    async def next(self) -> bytes | None:
        """The next chunk, None at the end."""
        found = await self._chunks.get()
        self._room.set()
        if found is _END:
            self._chunks.put_nowait(_END)
            return None
        if isinstance(found, Exception):
            raise found
        chunk: bytes = found
        return chunk

    async def leave(self) -> None:
        """Nobody reads on."""
        if self._answering is not None:
            self._answering.cancel()

    def respond(self, status: int, head: bytes, body: bytes) -> None:
        """Take a whole answer."""
        self.started = True
        self.status, self.reply_headers, self.whole = status, _lines(head), body
        self._begun.set()

    def start(self, status: int, head: bytes, length: int | None = None) -> None:
        """Take the head of a stream."""
        del length
        self.started = True
        self.status, self.reply_headers = status, _lines(head)
        self._begun.set()

    async def send(self, chunk: bytes) -> None:
        """Take a chunk, and wait while whoever reads is behind."""
        self._chunks.put_nowait(chunk)
        while self._chunks.qsize() >= _AHEAD:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Take the end of a stream."""
        self._chunks.put_nowait(_END)

    def break_off(self) -> None:
        """Take the break of a stream."""
        self._chunks.put_nowait(
            UpstreamError("the answer broke off before its end", code="upstream_broke_off")
        )


def _parted(url: str) -> tuple[bytes, bytes]:
    """Where a URL points to, and the path of the API there.

    A service may have its API below a path of its own, as https://openrouter.ai/api/v1 has.
    """
    scheme, there, rest = url.partition("://")
    if not there or scheme not in ("http", "https"):
        raise InputError(f"a pipeline takes absolute http and https addresses, got {url!r}")
    authority, _, path = rest.partition("/")
    path = f"/{path}"
    at = max(path.partition("?")[0].find("/v1"), 0)
    return f"{scheme}://{authority}{path[:at]}".encode(), path[at:].encode()


def _lines(head: bytes) -> Headers:
    """A header block as pairs."""
    pairs = (line.partition(b": ") for line in head.split(b"\r\n") if line)
    return [(name, value) for name, _, value in pairs]
