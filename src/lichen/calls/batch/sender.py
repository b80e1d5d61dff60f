"""Sender: takes what is due, sends each call once, writes down what came back.

    plan what arrived → turn (write down, take) → send → …

A turn is one commit; between taking and sending nothing else happens, so that a call that is
`sending` on disk is either being sent or its process has died. Each step is told to `told`, by
name: "planned", "taken", "sent", "answered", "recorded". Chores of others run beside it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from lichen.calls.batch.attempt import attempt
from lichen.calls.batch.chores import Chores
from lichen.calls.batch.fullness import Fullness
from lichen.calls.batch.greenest import FRESH, Room
from lichen.calls.batch.item import Outcome, State
from lichen.calls.batch.outlook import Counts
from lichen.calls.batch.pace import Pace
from lichen.calls.batch.queue import Turn
from lichen.ledger.errors import LichenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.batch.attempt import Send
    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.greenest import Greenest, Zones
    from lichen.calls.batch.item import Item
    from lichen.calls.batch.keyring import Keyring
    from lichen.calls.batch.options import BatchOptions

SECOND_US = 1_000_000
_FRESH_US = int(FRESH.total_seconds()) * SECOND_US
# How often it looks when something waits, and when nothing does: others may have added. [s]
_LOOK_S, _IDLE_S = 1.0, 30.0
# How often what missed its deadline or was delivered is swept. [s]
_SWEEP_S = 5.0
# Items planned in one go.
_MANY = 50_000
# How long calls under way may take when the service stops. [s]
_GRACE_S = 10.0
_TOO_MANY = 429
# How long one 429 holds up all: the call itself waits as long as it was told to. [s]
_PAUSE_S = 60.0
_DENIED = frozenset((401, 403))
_NOBODY = Counts(0, 0, 0, 0, 0, 0)


class Sender:
    """Sends what waits. `send` is the pipeline; `warn` hears what went wrong."""

    def __init__(  # noqa: PLR0913 (its parts; all are named)
        self,
        desk: Desk,
        send: Send,
        *,
        keyring: Keyring,
        greenest: Greenest | Zones,
        options: BatchOptions,
        warn: Callable[[object], None],
        told: Callable[[str], None] = lambda _step: None,
    ) -> None:
        self._desk, self._send, self._keyring = desk, send, keyring
        self._greenest, self._options, self._warn, self._told = greenest, options, warn, told
        self._pace = Pace(options.requests_per_minute, options.tokens_per_minute)
        # Who this process is to the others.
        self.owner = secrets.token_hex(8)
        self._running: dict[asyncio.Task[None], str] = {}
        self._outcomes: list[Outcome] = []
        self._news = asyncio.Event()
        self._delivered: list[str] = []
        self._awaited: dict[str, asyncio.Event] = {}
        self._swept = 0.0
        self._offset_us = 0
        self._call_s = 1.0
        self._arrived = True
        self._loop: asyncio.Task[None] | None = None
        self._closing = False
        self.counts = _NOBODY
        self.fullness = Fullness(options)
        self.trouble = ""
        # Work of others at each sweep, such as batches that have come to their end.
        self.chores = Chores(warn)
        # Adds to an outcome what it took of budgets.
        self.noted: Callable[[Item, Outcome], Outcome] = lambda _item, outcome: outcome

    def start(self) -> None:
        """Begin to send."""
        self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Take nothing more; let what is under way end, and write it down."""
        self._closing = True
        self._news.set()
        if self._loop is not None:
            await self._loop
        await self.chores.close()
        if self._running:
            await asyncio.wait(list(self._running), timeout=_GRACE_S)
        for task in list(self._running):
            task.cancel()
        with suppress(LichenError):
            await self._turn(room=0)

    def wake(self) -> None:
        """Something arrived, or a credential was shown."""
        self._arrived = True
        self._news.set()

    def soon(self) -> None:
        """Something is to be looked after before the next sweep is due."""
        self._swept = 0.0
        self.wake()

    def delivered(self, item_id: str) -> None:
        """Its answer went out; written down with the next turn."""
        self._delivered.append(item_id)

    async def ended(self, item_id: str, within_s: float) -> None:
        """Wait until an item has ended here, or for so long. [s]"""
        event = self._awaited.setdefault(item_id, asyncio.Event())
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), within_s)
        finally:
            self._awaited.pop(item_id, None)

    def now_us(self) -> int:
        """The database's time, as this process knows it. [µs since 1970]"""
        return time.time_ns() // 1000 + self._offset_us

    async def _run(self) -> None:
        while not self._closing:
            self._news.clear()
            try:
                await self._sweep()
                await self._plan()
                await self._turn(self._options.concurrency - len(self._running))
                self.trouble = ""
            except LichenError as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 (a fault must not end the sending of all)
                self._failed(error)
            if not self._closing:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), await self._nap_s())

    def _failed(self, error: Exception) -> None:
        if str(error) != self.trouble:
            self._warn(error)
        self.trouble = str(error)

    async def _nap_s(self) -> float:
        """How long nothing happens by itself: until the next call runs, if that is soon. [s]"""
        idle = min(_IDLE_S, self._options.lease / 3)
        if self._running or self.trouble:
            return min(_LOOK_S, idle)
        tenants = self._keyring.tenants()
        try:
            next_us = await self._desk.work(lambda queue: queue.outlook.next_run(tenants))
        except LichenError:
            return min(_LOOK_S, idle)
        left_s = (next_us - self.now_us()) / SECOND_US if next_us else idle
        # What could have gone and did not is held up by the pace.
        return min(left_s if left_s > 0 else _LOOK_S, idle)

    async def _sweep(self) -> None:
        if time.monotonic() - self._swept < min(_SWEEP_S, self._options.lease / 3):
            return
        self._swept = time.monotonic()
        options, tenants = self._options, self._keyring.tenants()
        kept, unclaimed = (int(s * SECOND_US) for s in (options.kept, options.files_kept))
        now_us = await self._desk.work(lambda queue: queue.now_us())
        self._offset_us = now_us - time.time_ns() // 1000
        await self._desk.work(lambda queue: queue.sweep(kept, unclaimed))
        self._keyring.want(await self._desk.work(lambda queue: queue.outlook.tenants()))
        self.counts = await self._desk.work(lambda queue: queue.outlook.counts(tenants))
        self.fullness.seen(await self._desk.work(lambda queue: queue.outlook.waiting()))
        self._arrived = True
        self.chores.begin()

    async def _plan(self) -> None:
        if not self._arrived:
            return
        self._arrived = False
        now_us = self.now_us()
        items = await self._desk.work(lambda queue: queue.unplanned(now_us - _FRESH_US, _MANY))
        if not items:
            return
        planned = await self._greenest.plan(items, now_us, self._room(len(items)))
        await self._desk.work(lambda queue: queue.plan(planned, now_us))
        self._told("planned")

    def _room(self, arrived: int) -> Room:
        """What planning keeps free before a deadline."""
        options = self._options
        waiting = max(self.counts.waiting, arrived)
        flush_s = waiting * self._call_s / options.concurrency
        if options.requests_per_minute:
            flush_s = max(flush_s, waiting / options.requests_per_minute * 60)
        return Room(options.margin, flush_s)

    async def _turn(self, room: int) -> None:
        outcomes, self._outcomes = self._outcomes, []
        delivered, self._delivered = self._delivered, []
        turn = Turn(
            owner=self.owner,
            outcomes=outcomes,
            room=self._pace.room(room),
            lease_us=int(self._options.lease * SECOND_US),
            tenants=self._keyring.tenants(),
            delivered=delivered,
        )
        try:
            taken = await self._desk.work(lambda queue: queue.turn(turn))
        except BaseException:
            self._outcomes = outcomes + self._outcomes
            self._delivered += delivered
            raise
        if outcomes:
            self._told("recorded")
        for outcome in outcomes:
            if (event := self._awaited.get(outcome.id)) is not None:
                event.set()
        if taken:
            self._told("taken")
        if outcomes and not taken and not self._running:
            # Perhaps the last of a batch.
            self._swept = 0.0
            self._news.set()
        for item in taken:
            self._pace.took(item.body)
            task = asyncio.create_task(self._attempt(item))
            self._running[task] = item.id
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._news.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._warn(error)

    async def _attempt(self, item: Item) -> None:
        began = time.monotonic()
        self._told("sent")
        try:
            also = self._options.headers
            outcome = self.noted(item, await attempt(item, self._send, self.now_us, also))
        except Exception as error:  # noqa: BLE001 (a fault of ours must not lose the item)
            self._warn(error)
            outcome = Outcome(
                id=item.id,
                state=State.FAILED,
                status=500,
                error=f"lichen failed on this call ({type(error).__name__}); please report it",
            )
        self._told("answered")
        self._call_s += 0.1 * (time.monotonic() - began - self._call_s)
        if outcome.state is State.WAITING and outcome.status == _TOO_MANY:
            asked_s = (outcome.again_us - self.now_us()) / SECOND_US
            self._pace.pause(max(0.0, min(asked_s, _PAUSE_S)))
        if outcome.status in _DENIED and item.needs_key:
            # Not tried with the calls behind it: each would be refused, and its answer lost.
            self._keyring.drop(item.tenant)
        self._outcomes.append(outcome)
