"""Repeat: the same call of the same tenant within a few seconds is one call.

A double click, a retry of an impatient client: the second gets the first one's answer, streams
too, while it comes and for a few seconds after. Calls that the exact store serves need none of
this; it is for sampled ones, which it leaves alone. A first call that fails, or whose client leaves
it before it has ended, is nobody's.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.exchange import Answer
from lichen.calls.flight import Flight, Seat
from lichen.calls.gate.entries import GATE
from lichen.calls.gate.proof import REPEATED
from lichen.calls.keeping import forbids_keeping, lasting
from lichen.calls.key import is_exact, key_of
from lichen.calls.level import level_of
from lichen.calls.tap import Tap
from lichen.ledger.errors import UpstreamError
from lichen.ledger.ids import new_id

if TYPE_CHECKING:
    from lichen.calls.booking import Booker
    from lichen.calls.exchange import Exchange, Onward, Record
    from lichen.calls.gate.rulebook import Ready

# Calls remembered at once, and bytes of each one's answer.
_MOST, _LONGEST = 512, 256e3


class Repeats:
    """Remembers calls for as long as rules say; `upstream` names whose answers these are."""

    def __init__(self, booker: Booker, upstream: str) -> None:
        self._booker, self._upstream = booker, upstream
        self._flights: dict[bytes, tuple[Flight, float]] = {}
        self._seen: dict[bytes, float] = {}

    def would_share(self, key: bytes, seconds: float) -> bool:
        """Whether a dry rule sees a call again; remembers it for next time."""
        now = time.monotonic()
        if now < self._seen.get(key, 0.0):
            return True
        if len(self._seen) >= _MOST:
            self._seen.pop(next(iter(self._seen)))
        self._seen[key] = now + seconds
        return False

    def key(self, exchange: Exchange) -> bytes:
        """What is the same for a call repeated; empty where it may not share an answer."""
        call = exchange.call
        if call is None or exchange.key or not call.reusable or not is_exact(exchange.body):
            return b""
        return key_of(
            call,
            scope=exchange.tenant,
            upstream=self._upstream,
            target=exchange.target,
            headers=exchange.headers,
            level=level_of(call, exchange.rule, exchange.headers),
        )

    async def first(self, exchange: Exchange, key: bytes, onward: Onward, seconds: float) -> Answer:
        """Send a call that was not repeated, and remember it."""
        exchange.raw["call"] = key.hex()[:32]
        flight = Flight(exchange, onward, _LONGEST)
        if len(self._flights) >= _MOST:
            self._flights.pop(next(iter(self._flights)))
        self._flights[key] = (flight, time.monotonic() + seconds)
        asyncio.get_running_loop().call_later(seconds, self._forget, key, flight)
        seat = flight.board()
        try:
            answer = await flight.begun()
        except BaseException:
            seat.leave()
            self._forget(key, flight)
            raise
        if answer.stream is None:
            seat.leave()
            return answer
        return replace(answer, stream=seat)

    async def again(self, exchange: Exchange, key: bytes, ready: Ready) -> Answer | None:
        """The answer to the same call a moment ago; None where there is none to share."""
        flight, until = self._flights.get(key, (None, 0.0))
        if flight is None or time.monotonic() >= until or not flight.replayable:
            return None
        seat = flight.board()
        try:
            answer = await flight.begun()
        except UpstreamError:
            seat.leave()
            return None
        except BaseException:
            seat.leave()
            raise
        if not answer.ok or answer.record is None or forbids_keeping(exchange, answer):
            seat.leave()
            return None
        ready.met += 1
        exchange.raw["call"] = key.hex()[:32]
        return self._shared(exchange, answer, answer.record, seat, ready)

    def _shared(
        self, exchange: Exchange, answer: Answer, record: Record, seat: Seat, ready: Ready
    ) -> Answer:
        entry_id = new_id()
        shared = Answer(answer.status, lasting(answer.headers), answer.body, source="gate")
        shared.notes += [
            (b"x-lichen-gate", ready.rule.name.encode()),
            (b"x-lichen-id", entry_id.encode()),
        ]
        if answer.stream is not None:
            shared.stream = _Repeated(seat, self._booker, exchange, record, entry_id)
        else:
            seat.leave()
            shared.notes += self._booker.shared(
                exchange, record, entry_id, strategy=GATE, method=REPEATED
            )
        return shared

    def clear(self) -> int:
        """Forget all answers; how many there were."""
        count = len(self._flights)
        self._flights.clear()
        self._seen.clear()
        return count

    def _forget(self, key: bytes, flight: Flight) -> None:
        if self._flights.get(key, (None, 0.0))[0] is flight:
            del self._flights[key]


class _Repeated(Tap):
    """A repeated call's stream, booked when it has come to its end."""

    def __init__(
        self, seat: Seat, booker: Booker, exchange: Exchange, record: Record, entry_id: str
    ) -> None:
        super().__init__(seat)
        self._booker, self._exchange = booker, exchange
        self._record, self._entry_id = record, entry_id

    def finished(self) -> None:
        self._booker.shared(
            self._exchange, self._record, self._entry_id, strategy=GATE, method=REPEATED
        )
