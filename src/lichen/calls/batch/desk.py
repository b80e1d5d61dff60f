"""Desk: the queue as coroutines use it: one thread works on it, and arrivals share commits.

A call is accepted when its commit is on disk. A thousand calls that arrive at once share a few
commits, so that each waits for one and none for all.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from lichen.calls.batch.database import open_database
from lichen.calls.batch.queue import Queue
from lichen.ledger.errors import InputError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lichen.calls.batch.item import Item
    from lichen.calls.batch.rows import Kept

T = TypeVar("T")
# Arrivals of one commit.
_MANY = 512


class Desk:
    """The queue of a ledger; opened at the first use, and again while that fails."""

    def __init__(self, ledger: str) -> None:
        self._ledger = ledger
        self._queue: Queue | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="calls that wait")
        self._arrivals: list[tuple[Item, asyncio.Future[Kept]]] = []
        self._adding: asyncio.Task[None] | None = None
        self._closed = False
        # Done before calls that were charged are written down.
        self.charged: Callable[[], Awaitable[None]] | None = None

    @property
    def durable(self) -> bool:
        """Whether this ledger can keep anything."""
        return self._ledger != "memory:"

    async def work(self, work: Callable[[Queue], T]) -> T:
        """Do something with the queue, after what was asked for before.

        Raises:
            StoreUnavailable: the database cannot be read or written.
            InputError: the ledger is in memory.
        """
        if self._closed:
            raise StoreUnavailable(self._ledger, "lichen is stopping", "send the call again")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(self._opened()))

    def _opened(self) -> Queue:
        if self._queue is None:
            self._queue = Queue(open_database(self._ledger))
        return self._queue

    async def add(self, item: Item) -> Kept:
        """How an item is kept, once it is on disk.

        Raises:
            StoreUnavailable: it could not be written.
            InputError: the ledger is in memory.
        """
        kept: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._arrivals.append((item, kept))
        if self._adding is None:
            self._adding = asyncio.create_task(self._add_all())
        return await kept

    async def _add_all(self) -> None:
        while self._arrivals:
            some, self._arrivals = self._arrivals[:_MANY], self._arrivals[_MANY:]
            items = [item for item, _ in some]
            try:
                if self.charged is not None and any(item.held for item in items):
                    await self.charged()
                made = await self.work(lambda queue, items=items: queue.add(items))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 (told to each who waits)
                for _, kept in some:
                    if not kept.done():
                        kept.set_exception(error)
                continue
            for (_, kept), how in zip(some, made, strict=True):
                if not kept.done():
                    kept.set_result(how)
        self._adding = None

    async def close(self) -> None:
        """Let arrivals be written, then close the database."""
        if self._adding is not None:
            await self._adding
        self._closed = True
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._shut)
        self._thread.shutdown()

    def _shut(self) -> None:
        if self._queue is not None:
            self._queue.close()
            self._queue = None


# What a caller is told where the queue cannot be written, and the status.
def trouble(error: StoreUnavailable | InputError) -> tuple[int, str, str]:
    """Status, message and code for a caller whose call cannot be kept."""
    if isinstance(error, StoreUnavailable):
        return 503, f"the call was not accepted: {error}", "queue_unavailable"
    return 400, str(error), "cannot_wait"
