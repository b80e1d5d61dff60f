"""Lease: identical calls under way on several machines become one.

    lichen:1:{KEY}:lease          who makes the call: a token that expires unless it is renewed
    lichen:1:{KEY}:over:TOKEN     a stream: one line once that call has ended, well or badly

Within a service identical calls share a flight (lichen.calls.coalesce); what is left of them, one
a service, comes here. The first takes the lease and makes the call, renewing the lease while it
lasts. The others wait for its end, and are given its answer from the shared cache, a stream as a
whole. A call that ended without an answer to share poisons nobody: those who wait try again, then
go alone. A holder that dies stops renewing: after `seconds` the lease is gone and another takes it.
Where Redis is away, each service makes the call itself.

Source: Redis documentation, "SET" (NX, PX and a token compared before it is deleted), "XREAD".
"""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.calls.exchange import Answer, Record
from lichen.calls.shared.link import Away
from lichen.calls.shared.names import answer_name, lease_name, over_name
from lichen.calls.tap import Tap
from lichen.ledger.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.answers import AnswerStore
    from lichen.calls.booking import Booker
    from lichen.calls.exchange import Exchange, Onward, Stream
    from lichen.calls.shared.link import Link
    from lichen.calls.stored import Stored

# Calls of other machines that one waits for before it goes alone.
_TRIES = 2
# How long one look for news may wait at the server. [s]
_LISTEN_S = 1.0
# Connections that may wait for news at once; beyond, it is looked for four times a second.
_LISTENERS = 8
_LOOK_S = 0.25
# Beyond a look-up's limit a lease may take so long: what comes of it is a model's whole answer. [s]
_PATIENCE_S = 0.25
# How long the line that a call has ended is kept for those who come late. [ms]
_OVER_MS = 10_000
# An answer that is there (empty), whoever holds the lease, or the taker from now on.
_TAKE = """
if ARGV[3] == '1' and redis.call('EXISTS', KEYS[2]) == 1 then return '' end
local holder = redis.call('GET', KEYS[1])
if holder then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
"""
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('XADD', KEYS[2], '*', 'over', '1')
return redis.call('PEXPIRE', KEYS[2], ARGV[2])
"""


class Turn(NamedTuple):
    """Whose call it is: ours, or another's by its token; nobody's where the answer is there."""

    token: bytes
    ours: bool


class Leases:
    """Leases by key, each of `seconds` unless renewed."""

    def __init__(self, link: Link, *, seconds: float) -> None:
        self._link = link
        self._seconds = seconds
        self._listening = asyncio.Semaphore(_LISTENERS)

    async def take(self, key: bytes, *, look: bool) -> Turn:
        """Take the lease if it is free; with `look`, only where no answer is there yet.

        Raises:
            Away: Redis gave no answer in time.
        """
        token = secrets.token_hex(8).encode()
        names = (lease_name(key), answer_name(key))
        told = (token, self._milliseconds, b"1" if look else b"0")
        holder = await self._link.ask(
            lambda redis: redis.eval(_TAKE, 2, *names, *told), beyond=_PATIENCE_S
        )
        return Turn(holder, holder == token)

    @property
    def _milliseconds(self) -> int:
        return max(1, int(self._seconds * 1000))

    async def keep(self, key: bytes, token: bytes) -> None:
        """Renew the lease until cancelled."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            with suppress(Away):
                await self._link.ask(
                    lambda redis: redis.eval(_RENEW, 1, lease_name(key), token, self._milliseconds),
                    beyond=_PATIENCE_S,
                )

    async def release(self, key: bytes, token: bytes) -> None:
        """The call has ended: let go of the lease, and tell those who wait."""
        with suppress(Away):
            await self._link.ask(
                lambda redis: redis.eval(
                    _RELEASE, 2, lease_name(key), over_name(key, token), token, _OVER_MS
                ),
                beyond=_PATIENCE_S,
            )

    async def ended(self, key: bytes, token: bytes) -> None:
        """Wait until the holder's call has ended or the holder is gone.

        Raises:
            Away: Redis gave no answer in time.
        """
        name = over_name(key, token)
        while not await self._news(name):
            held = self._link.ask(lambda redis: redis.get(lease_name(key)), beyond=_PATIENCE_S)
            if await held != token:
                return

    async def _news(self, name: bytes) -> bool:
        if self._listening.locked():
            await asyncio.sleep(_LOOK_S)
            return bool(await self._link.ask(lambda redis: redis.exists(name)))
        async with self._listening:
            wait_ms = int(_LISTEN_S * 1000)

            def listen(redis: Any) -> Any:
                return redis.xread({name: "0"}, count=1, block=wait_ms)

            return bool(await self._link.ask(listen, beyond=2 * _LISTEN_S))


class Lease:
    """The step that lets one service make a call for all that ask the same."""

    def __init__(self, leases: Leases, answers: AnswerStore, booker: Booker) -> None:
        self._leases = leases
        self._answers = answers
        self._booker = booker
        self._last_words: set[asyncio.Task[None]] = set()

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Make the call, or wait for the service that makes it."""
        wishes = exchange.directives
        if not exchange.key or wishes.no_store or wishes.no_cache:
            return await onward(exchange)
        token = b""
        with suppress(Away):
            for attempt in range(_TRIES):
                turn = await self._leases.take(exchange.key, look=attempt == 0)
                if turn.ours:
                    token = turn.token
                    break
                if turn.token:
                    await self._leases.ended(exchange.key, turn.token)
                if (answer := await self._given(exchange, waited=bool(turn.token))) is not None:
                    return answer
        if not token:
            return await onward(exchange)
        return await self._lead(exchange, onward, token)

    async def _lead(self, exchange: Exchange, onward: Onward, token: bytes) -> Answer:
        keeping = asyncio.create_task(self._leases.keep(exchange.key, token))

        def ended() -> None:
            keeping.cancel()
            telling = asyncio.get_running_loop().create_task(self._tell(exchange.key, token))
            self._last_words.add(telling)
            telling.add_done_callback(self._last_words.discard)

        try:
            answer = await onward(exchange)
        except BaseException:
            ended()
            raise
        if answer.stream is None:
            ended()
        else:
            answer.stream = _Led(answer.stream, ended)
        return answer

    async def _tell(self, key: bytes, token: bytes) -> None:
        # The answer first: who is told looks for it.
        assert self._answers.remote is not None
        await self._answers.remote.landed(key)
        await self._leases.release(key, token)

    async def _given(self, exchange: Exchange, *, waited: bool) -> Answer | None:
        """The answer of another service's call; None where there is none that may serve."""
        stored = await self._answers.fetch(exchange.key)
        now_us = time.time_ns() // 1000
        oldest = exchange.directives.max_age
        if stored is None or now_us >= stored.expires_us:
            return None
        if oldest is not None and now_us - stored.stored_us > oldest * 1_000_000:
            return None
        answer = Answer(stored.status, list(stored.headers), stored.body, source="hit")
        if not waited:
            answer.notes = self._booker.hit_headers(stored, now_us, exchange.tenant)
            return answer
        answer.source, answer.record = "coalesced", _record(stored)
        entry_id = new_id()
        answer.notes = [
            (b"x-lichen-id", entry_id.encode()),
            *self._booker.shared(exchange, answer.record, entry_id),
        ]
        return answer

    async def start(self) -> None:
        """Connect to the shared cache."""
        assert self._answers.remote is not None
        await self._answers.remote.start()

    async def close(self) -> None:
        """Let those who wait know of the last calls, and let go of the shared cache."""
        if self._last_words:
            await asyncio.wait(list(self._last_words), timeout=_LISTEN_S)
        if self._answers.remote is not None:
            await self._answers.remote.close()

    def gauges(self) -> dict[str, float]:
        """What the shared cache tells Prometheus."""
        assert self._answers.remote is not None
        return dict(self._answers.remote.gauges())


class _Led(Tap):
    """A stream whose end, however it comes, is the end of the call."""

    def __init__(self, stream: Stream, ended: Callable[[], None]) -> None:
        super().__init__(stream)
        self._ended = ended

    def finished(self) -> None:
        self._ended()

    def cut(self) -> None:
        self._ended()


def _record(stored: Stored) -> Record:
    """What the call used whose answer another service kept."""
    origin = stored.origin
    return Record(
        origin.entry_id,
        origin.model,
        stored.stored_us,
        origin.zone,
        origin.method,
        origin.factors,
        origin.tokens,
        origin.reading,
        origin.cpu_seconds,
        origin.gaps,
        len(stored.body),
        stored.digest,
    )
