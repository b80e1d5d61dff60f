"""Once: what a batch's results used goes into the ledger once, whoever fetches them how often.

    claim (on disk) → entries, in slices → they are in the ledger → done (on disk)

Of processes that see the same results one books them; the others wait until it is done, or its
claim has run out because it died. Who takes a claim over looks in the ledger which lines it has.
Claims that the dead have left are counted as a gap by the next process that starts: nobody need
fetch those results again.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from lichen.calls.batch.claims import InMemory
from lichen.calls.batch.fetched.booking import booked_lines, entry_of
from lichen.calls.batch.offers import Holder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.calls.batch.claims import Claim, Claims
    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.fetched.booking import Fetch
    from lichen.calls.batch.fetched.uses import Uses
    from lichen.calls.steps import StepParts

T = TypeVar("T")
# Lines booked before others have their turn, and before they are written to disk.
_TURN, _SLICE = 50, 5000
# How long what is being booked may take when the service stops. [s]
_GRACE_S = 10.0
_SECOND_US = 1_000_000
# Results that were claimed by who died before they were all in the ledger.
NOT_BOOKED = "batch-results-not-booked"


class Once:
    """Books results. Where the ledger lasts, the queue's database remembers them. [s]"""

    def __init__(self, parts: StepParts, desk: Desk, lease_s: float) -> None:
        self._book, self._warn, self._desk = parts.book, parts.warn, desk
        self._holder = Holder(secrets.token_hex(8), int(lease_s * _SECOND_US))
        self._in_memory = InMemory()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: set[str] = set()
        self._counting: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Count what earlier processes left, as soon as their claims have run out."""
        if self._desk.durable:
            self._counting = asyncio.get_running_loop().create_task(self._count_left())

    async def _count_left(self) -> None:
        wait_us = 1
        try:
            while wait_us:
                left, wait_us = await self._desk.work(lambda queue: queue.claims.left(self._holder))
                if left:
                    # On disk before the claim says so: a kill between the two counts it again.
                    await asyncio.to_thread(self._note, len(left))
                    await self._counted(left)
                await asyncio.sleep(wait_us / _SECOND_US)
        except Exception as error:  # noqa: BLE001 (calls go on; the next start counts it)
            self._warn(error)

    def _note(self, count: int) -> None:
        self._book.store.note_gap(NOT_BOOKED, count, datetime.now(UTC))

    async def _counted(self, left: Sequence[str]) -> None:
        await self._desk.work(lambda queue: queue.claims.counted(left, self._holder))

    def book(self, key: str, fetch: Fetch, uses: Uses, ours: Sequence[str]) -> None:
        """Book uses in a task of its own, if nobody has booked what has that key.

        `ours` are calls among them that may be lichen's own.
        """
        if key in self._tasks:
            return
        task = asyncio.get_running_loop().create_task(self._run(key, fetch, uses, ours))
        self._tasks[key] = task
        task.add_done_callback(lambda _task: self._tasks.pop(key))

    async def _run(self, key: str, fetch: Fetch, uses: Uses, ours: Sequence[str]) -> None:
        try:
            claim = await self._claimed(key, ours)
            if claim.mine and await self._booked(key, fetch, uses, claim.begun_us):
                await self._with_claims(lambda claims: claims.done(key))
        except Exception as error:  # noqa: BLE001 (the download has ended well)
            self._warn(error)

    async def _claimed(self, key: str, ours: Sequence[str]) -> Claim:
        """What became of a claim, once it stands."""
        while True:
            claim = await self._with_claims(lambda claims: claims.claim(key, self._holder, ours))
            if claim.mine or not claim.wait_us or self._closing:
                return claim
            self._waiting.add(key)
            try:
                await asyncio.sleep(claim.wait_us / _SECOND_US)
            finally:
                self._waiting.discard(key)

    async def _booked(self, key: str, fetch: Fetch, uses: Uses, begun_us: int) -> bool:
        """Book what the ledger does not have; whether all is on its disk."""
        had: frozenset[int] = frozenset()
        if begun_us:
            had = await asyncio.to_thread(booked_lines, self._book, fetch, begun_us)
        more = ((place, use) for place, use in uses if place not in had)
        for number, (place, use) in enumerate(more, 1):
            self._book.add(entry_of(self._book, fetch, place, use))
            if number % _SLICE == 0 and not await self._goes_on(key):
                return False
            if number % _TURN == 0:
                await asyncio.sleep(0)
        return await self._goes_on(key)

    async def _goes_on(self, key: str) -> bool:
        """Write what was booked to disk; whether that was done and the claim still stands."""
        writer = self._book.writer
        if writer is not None and not await asyncio.to_thread(writer.flush):
            return False
        return await self._with_claims(lambda claims: claims.renew(key, self._holder))

    async def _with_claims(self, work: Callable[[Claims], T]) -> T:
        if self._desk.durable:
            return await self._desk.work(lambda queue: work(queue.claims))
        return work(self._in_memory)

    async def close(self) -> None:
        """Let what is being booked end; what waits for another process is left to it."""
        self._closing = True
        if self._counting is not None:
            self._counting.cancel()
            await asyncio.gather(self._counting, return_exceptions=True)
        for key in self._waiting:
            self._tasks[key].cancel()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
