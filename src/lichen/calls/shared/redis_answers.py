"""RedisAnswers: answers that several services share, by key, in Redis or Valkey.

    lichen:1:answer:KEY      a frame (see lichen.calls.framing), expiring when the answer does

The key is the call's hash, tenant included, so that what one tenant paid for no other finds. Redis
bounds all of them together (`maxmemory` with `allkeys-lru`); each is bounded here. Writing never
waits, and no look-up takes longer than the link allows.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from lichen.calls.framing import UNREADABLE, framed, unframed
from lichen.calls.shared.index import SharedIndex
from lichen.calls.shared.lease import Lease, Leases
from lichen.calls.shared.link import Away
from lichen.calls.shared.names import ANSWERS, FORGOTTEN, INDEXES, answer_name, index_name
from lichen.ledger.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from lichen.calls.forget import Forget
    from lichen.calls.shared.link import Link
    from lichen.calls.steps import StepParts
    from lichen.calls.stored import Stored

# Bytes of answers on their way beyond which more are not shared: the server is too slow for them.
_WAITING = 32e6
# How long connecting may take at the start. [s]
_CONNECT_S = 2.0
# How long closing waits for answers on their way. [s]
_LAST_S = 2.0
# Answers looked at in one go while forgetting.
_PAGE = 64
# How long one such go may take. [s]
_FORGET_S = 10.0
# What was forgotten is told for so long, to services that stand still meanwhile [ms]; lines of it.
_TOLD_MS = 30 * 86_400_000
_TOLD = 10_000


class RedisAnswers:
    """Keeps the `Remote` port over a link. No answer over `entry_limit` [byte] is shared.

    `lease` is how long a service that stopped may keep others from making its call [s].
    """

    def __init__(
        self,
        link: Link,
        *,
        entry_limit: float = 1e6,
        lease: float = 5.0,
        warn: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self._link = link
        self._entry_limit = entry_limit
        self._lease = lease
        self._warn = warn
        self._writing: dict[bytes, asyncio.Task[None]] = {}
        self._waiting = 0
        self._found = self._missed = self._unshared = 0

    async def start(self) -> None:
        """Connect before the first call does; a server that is away is told of."""
        with suppress(Away):
            await self._link.ask(lambda redis: redis.ping(), beyond=_CONNECT_S)

    async def fetch(self, key: bytes) -> Stored | None:
        """The answer under a key; None where there is none, or none could be had in time."""
        name = answer_name(key)
        try:
            frame = await self._link.ask(lambda redis: redis.get(name))
            if frame is not None:
                stored = unframed(key, frame)
                self._found += 1
                return stored
        except Away:
            pass
        except UNREADABLE as error:
            self._warn(f"a shared answer at {self._link.where} cannot be used: {error}")
        self._missed += 1
        return None

    def put(self, stored: Stored) -> None:
        """Take an answer, to be written soon; one that is too long is not shared."""
        size = len(stored.body)
        if size > self._entry_limit or self._waiting + size > _WAITING or not self._link.is_up:
            self._unshared += 1
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # kept outside of any loop: there is nobody to write it
            self._unshared += 1
            return
        before = self._writing.get(stored.key)
        task = loop.create_task(self._write(stored, before))
        self._writing[stored.key] = task
        self._waiting += size
        task.add_done_callback(lambda _task: self._written(stored, task))

    async def _write(self, stored: Stored, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        left_ms = stored.expires_us // 1000 - time.time_ns() // 1_000_000
        if left_ms <= 0:
            return
        name, frame = answer_name(stored.key), framed(stored)
        try:
            await self._link.ask(lambda redis: redis.set(name, frame, px=left_ms), beyond=1.0)
        except Away:
            self._unshared += 1

    def _written(self, stored: Stored, task: asyncio.Task[None]) -> None:
        self._waiting -= len(stored.body)
        if self._writing.get(stored.key) is task:
            del self._writing[stored.key]

    async def landed(self, key: bytes) -> None:
        """Wait until an answer that was put is written, or could not be."""
        if (task := self._writing.get(key)) is not None:
            await asyncio.wait((task,))

    async def forget(self, which: Forget) -> int:
        """Erase what is meant; how many answers went.

        Raises:
            StoreUnavailable: the server cannot be reached.
        """
        gone = 0
        # Logs of indexes only spare looking: where words or a moment are meant, all of them go.
        logs = [INDEXES + b"*"]
        if which.tenant:  # and what a rule shares is anybody's
            logs = [index_name(b"*", scope) for scope in (which.tenant, "*")]
        try:
            async for names in self._named(ANSWERS + b"*"):
                gone += await self._erase(names, which)
            for pattern in logs:
                async for names in self._named(pattern):
                    await self._delete(names)
            # Last: who reads a log before it went lets go of what it read.
            await self._tell(which)
        except Away:
            raise StoreUnavailable(
                self._link.where, "it cannot be reached", "forget again when it can"
            ) from None
        return gone

    async def _tell(self, which: Forget) -> None:
        """Services that have taken up what logs said let go of it; words are written nowhere."""
        before_us = min(which.before_us, time.time_ns() // 1000)
        said = {b"t": which.tenant.encode(), b"b": b"%d" % before_us}

        async def tell(redis: Any) -> None:
            async with redis.pipeline(transaction=False) as both:
                both.xadd(FORGOTTEN, said, maxlen=_TOLD, approximate=True)
                both.pexpire(FORGOTTEN, _TOLD_MS)
                await both.execute()

        await self._link.ask(tell, beyond=_FORGET_S)

    async def _named(self, pattern: bytes) -> AsyncIterator[list[bytes]]:
        cursor = 0
        while True:
            scan = partial(_scan, cursor=cursor, pattern=pattern)
            cursor, names = await self._link.ask(scan, beyond=_FORGET_S)
            if names:
                yield names
            if cursor == 0:
                return

    async def _delete(self, names: list[bytes]) -> int:
        return int(await self._link.ask(lambda redis: redis.delete(*names), beyond=_FORGET_S))

    async def _erase(self, names: list[bytes], which: Forget) -> int:
        frames = await self._link.ask(lambda redis: redis.mget(names), beyond=_FORGET_S)
        meant = list(_meant(zip(names, frames, strict=True), which))
        return await self._delete(meant) if meant else 0

    def lease(self, parts: StepParts) -> Lease:
        """The step by which identical calls of several services become one."""
        leases = Leases(self._link, seconds=self._lease)
        return Lease(leases, parts.answers, parts.booker)

    def index(self, kind: str, *, ttl: float) -> SharedIndex:
        """A log of what a step's index holds, kept for `ttl` [s] after its last change."""
        return SharedIndex(self._link, kind, ttl=ttl)

    def gauges(self) -> dict[str, float]:
        """What it tells Prometheus."""
        return {
            "lichen_shared_cache_up": float(self._link.is_up),
            "lichen_shared_cache_found_total": self._found,
            "lichen_shared_cache_missed_total": self._missed,
            "lichen_shared_cache_unshared_total": self._unshared,
        }

    async def close(self) -> None:
        """Write what waits, for a moment, and let go of the connections."""
        if self._writing:
            await asyncio.wait(list(self._writing.values()), timeout=_LAST_S)
        await self._link.close()


def _scan(redis: Any, *, cursor: int, pattern: bytes) -> Any:
    return redis.scan(cursor, match=pattern, count=_PAGE)


def _meant(kept: Iterator[tuple[bytes, bytes | None]], which: Forget) -> Iterator[bytes]:
    for name, frame in kept:
        if frame is None:
            continue
        try:
            stored: Any = unframed(bytes.fromhex(name.removeprefix(ANSWERS).decode()), frame)
        except UNREADABLE:
            yield name  # nobody can say whose it is
            continue
        if which.covers(tenant=stored.tenant, at_us=stored.stored_us, texts=(stored.body,)):
            yield name
