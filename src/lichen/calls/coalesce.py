"""Coalesce: identical calls under way at once become one.

The first starts a flight (flight.py); it and all that follow read the flight's recording, streams
included. So a client that leaves, even the first, breaks nobody. A flight that fails before its
answer begins poisons nobody either: each waiting call starts over, the first of them as a new
flight; a call whose second flight failed too goes alone.

Who goes for itself, as the first of a flight or alone, pays the exchange's toll, if there is one:
a budget charges for calls that are made, and not for those that share one.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.exchange import Answer
from lichen.calls.flight import Flight, Seat
from lichen.calls.keeping import forbids_keeping, lasting
from lichen.calls.tap import Tap
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from lichen.calls.booking import Booker
    from lichen.calls.exchange import Exchange, Onward, Record
    from lichen.calls.steps import StepParts

# Flights of others that a call joins before it goes alone.
_TRIES = 2


def open_step(parts: StepParts) -> Coalesce:
    """The step, from what all steps are made from."""
    return Coalesce(parts.booker, limit=parts.entry_limit)


class Coalesce:
    """The step that lets identical calls share one flight; recordings beyond `limit` are let go."""

    def __init__(self, booker: Booker, *, limit: float = 8e6) -> None:
        self._booker = booker
        self._limit = limit
        self._flights: dict[bytes, Flight] = {}

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Join the flight of an identical call, or start one."""
        onward = _tolled(exchange, onward)
        if not self.may_share(exchange):
            return await onward(exchange)
        # A call that wants a new answer does not take one that began before it.
        for _ in range(0 if exchange.directives.no_cache else _TRIES):
            flight = self._flights.get(exchange.key)
            if flight is None or not flight.joinable:
                break
            if (answer := await self._follow(flight, exchange)) is not None:
                return answer
        return await self._lead(exchange, onward)

    def may_share(self, exchange: Exchange) -> bool:
        """Whether an exchange may share a call with identical ones."""
        return bool(exchange.key) and not exchange.directives.no_store

    async def _lead(self, exchange: Exchange, onward: Onward) -> Answer:
        flight = Flight(exchange, onward, self._limit)
        self._flights[exchange.key] = flight
        flight.when_ended(lambda: self._forget(exchange.key, flight))
        seat = flight.board()
        answer = await _begun(flight, seat)
        if answer.stream is None:
            seat.leave()
            return answer
        return replace(answer, stream=seat)

    async def _follow(self, flight: Flight, exchange: Exchange) -> Answer | None:
        """The shared answer; None where the flight failed and this call should start over."""
        seat = flight.board()
        try:
            answer = await _begun(flight, seat)
        except UpstreamError:
            return None
        if not answer.ok or answer.record is None or forbids_keeping(exchange, answer):
            seat.leave()
            return None
        entry_id = self._booker.new_id(time.time_ns() // 1000)
        shared = Answer(answer.status, lasting(answer.headers), answer.body, source="coalesced")
        if entry_id is None:
            # The clock is wrong, which is counted as a gap: the call is answered all the same.
            return _given(shared, answer, seat)
        shared.notes.append((b"x-lichen-id", entry_id.encode()))
        if answer.stream is not None:
            shared.stream = _Shared(seat, self._booker, exchange, answer.record, entry_id)
        else:
            seat.leave()
            shared.notes += self._booker.shared(exchange, answer.record, entry_id)
        return shared

    def _forget(self, key: bytes, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


def _tolled(exchange: Exchange, onward: Onward) -> Onward:
    """Onward by way of the toll."""
    toll = exchange.toll
    return onward if toll is None else lambda going: toll(going, onward)


def _given(shared: Answer, answer: Answer, seat: Seat) -> Answer:
    """The shared answer with nothing booked for it."""
    if answer.stream is not None:
        shared.stream = seat
    else:
        seat.leave()
    return shared


async def _begun(flight: Flight, seat: Seat) -> Answer:
    try:
        return await flight.begun()
    except BaseException:
        seat.leave()
        raise


class _Shared(Tap):
    """A follower's stream, booked when it has come to its end."""

    def __init__(
        self, seat: Seat, booker: Booker, exchange: Exchange, record: Record, entry_id: str
    ) -> None:
        super().__init__(seat)
        self._booker, self._exchange = booker, exchange
        self._record, self._entry_id = record, entry_id

    def finished(self) -> None:
        self._booker.shared(self._exchange, self._record, self._entry_id)
