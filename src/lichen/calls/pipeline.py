"""Pipeline: the gateway in this process, without a server, for sync and async code alike.

    pipeline = lichen.pipeline("lichen.db")
    client = OpenAI(http_client=pipeline.client())          # of the SDK's own HTTP library
    client = AsyncAnthropic(http_client=pipeline.async_client())

One event loop in a thread of its own runs everything: calls of all threads and loops meet there, so
that identical ones share an answer. Sync and async are two ways to wait for it. A call costs two
hand-overs between threads beside the gateway's own work.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401 (registers its own end first)
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from lichen.calls.asked import Asked
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from concurrent.futures import Future

    from lichen.calls.exchange import Headers
    from lichen.calls.gateway import Gateway
    from lichen.ledger.book import Book

# How long closing waits for what runs. [s]
_CLOSING_S = 10.0


# Pipelines that nobody closed, to be closed at the end of the program.
_open: weakref.WeakSet[Pipeline] = weakref.WeakSet()


def _close_all() -> None:
    for pipeline in list(_open):
        pipeline.close()


# Before the threads of executors are gone, which `atexit` comes after: the steps need them to end.
# concurrent.futures puts itself into the same list, and the list is worked off from its end.
getattr(threading, "_register_atexit", atexit.register)(_close_all)


class Reply:
    """What came back: `body` where it is whole, else chunks by `next` or `anext`.

    Whoever gets a stream reads it to its end or calls `close`.
    """

    def __init__(self, asked: Asked, pipeline: Pipeline) -> None:
        self.status, self.headers, self.body = asked.status, asked.reply_headers, asked.whole
        self._asked, self._pipeline = asked, pipeline

    def next(self, timeout: float | None = None) -> bytes | None:
        """The next chunk; None at the end. [s]

        Raises:
            UpstreamError: the answer broke off.
            TimeoutError: nothing came in time.
        """
        chunk: bytes | None = self._pipeline.submit(self._asked.next()).result(timeout)
        return chunk

    async def anext(self, timeout: float | None = None) -> bytes | None:  # noqa: ASYNC109 (as `next`)
        """As `next`."""
        waiting = asyncio.wrap_future(self._pipeline.submit(self._asked.next()))
        return await asyncio.wait_for(waiting, timeout)

    def close(self) -> None:
        """Read no more; the call is given up where nobody else waits for it."""
        self._pipeline.submit(self._asked.leave())


class Pipeline:
    """Answers HTTP requests through a gateway. Safe among threads and event loops.

    `book` is where calls are written; `end` releases what the gateway stands on. Made by
    `lichen.pipeline()`.
    """

    def __init__(self, gateway: Gateway, book: Book, end: Callable[[], Awaitable[None]]) -> None:
        self.gateway = gateway
        self.book = book
        self._end = end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._making = threading.Lock()
        self._closed = False
        self._running: set[asyncio.Task[None]] = set()
        _open.add(self)

    def ask(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: bytes = b"",
        timeout: float | None = None,
    ) -> Reply:
        """The answer to a request, from a store or from where its URL points. [s]

        Raises:
            InputError: the URL is not an absolute one, or the pipeline is closed.
            TimeoutError: nothing came in time.
        """
        asked = Asked(method, url, headers, body)
        waiting = self.submit(asked.run(self.gateway, self._running))
        try:
            waiting.result(timeout)
        except BaseException:
            waiting.cancel()
            raise
        return Reply(asked, self)

    async def aask(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: bytes = b"",
        timeout: float | None = None,  # noqa: ASYNC109 (as `ask`)
    ) -> Reply:
        """As `ask`."""
        asked = Asked(method, url, headers, body)
        waiting = asyncio.wrap_future(self.submit(asked.run(self.gateway, self._running)))
        await asyncio.wait_for(waiting, timeout)
        return Reply(asked, self)

    def submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine in the pipeline's own loop.

        Raises:
            InputError: the pipeline is closed.
        """
        with self._making:
            if self._closed:
                work.close()
                raise InputError("this pipeline is closed: make a new one with lichen.pipeline()")
            if self._loop is None:
                self._loop = self._started()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _started(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="lichen", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.gateway.layers.start(), loop).result()
        return loop

    def client(self, **options: Any) -> Any:
        """A client of the OpenAI and Anthropic SDKs' HTTP library (httpx2) that goes this way.

        Raises:
            MissingExtra: the library is not installed.
        """
        from lichen.calls.transports import client  # noqa: PLC0415 (an extra, imported on use)

        return client(self, **options)

    def async_client(self, **options: Any) -> Any:
        """As `client`, for the async SDKs."""
        from lichen.calls.transports import async_client  # noqa: PLC0415 (as above)

        return async_client(self, **options)

    def close(self) -> None:
        """End what runs, write the book, and stop the thread. Closing twice is fine."""
        with self._making:
            if self._closed:
                return
            self._closed = True
            loop = self._loop or asyncio.new_event_loop()
        _open.discard(self)
        if self._thread is None:
            loop.run_until_complete(self._end())
            loop.close()
            return
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._ended(), loop).result(_CLOSING_S)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(_CLOSING_S)
        loop.close()

    async def _ended(self) -> None:
        # The answers that run, and no more: the steps end their own work.
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
