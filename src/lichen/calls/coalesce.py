"""Coalesce: identical calls under way at once become one.

The first starts a flight, a task of its own; it and all that follow read the flight's recording,
each at its own pace, streams included. So a client that leaves, even the first, breaks nobody: the
flight ends early only when its last reader has gone. A flight that fails before its answer begins
poisons nobody either: each waiting call starts over, the first of them as a new flight.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.booking import Booker, origin_of
from lichen.calls.exchange import Answer
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from lichen.calls.exchange import Exchange, Headers, Onward, Record

# Chunks a flight may be ahead of its slowest reader once its recording has grown past the limit.
_AHEAD = 64


class Flight:
    """One call under way, its recording, and who reads it."""

    def __init__(self, exchange: Exchange, onward: Onward, limit: float) -> None:
        self.answer: Answer | None = None
        self.failure: BaseException | None = None
        self.joinable = True
        self._limit = limit
        self._chunks: list[bytes] = []
        self._first_kept = 0
        self._size = 0
        self._ended = False
        self._places: dict[object, int] = {}
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._task = asyncio.create_task(self._fly(exchange, onward))

    async def _fly(self, exchange: Exchange, onward: Onward) -> None:
        try:
            answer = await onward(exchange)
            self.answer = answer
            self._tell()
            if answer.stream is not None:
                async with aclosing(answer.stream) as chunks:
                    async for chunk in chunks:
                        await self._record(chunk)
        except BaseException as error:  # noqa: BLE001 (told to every reader, who raises it)
            self.failure = error
        finally:
            self._ended = True
            self.joinable = False
            self._tell()

    async def _record(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._tell()
        while self._size > self._limit and self._places:
            # Too long to keep whole: nobody may join any more, and read chunks are let go.
            self.joinable = False
            slowest = min(self._places.values())
            for place in range(self._first_kept, slowest):
                self._chunks[place] = b""
            self._first_kept = max(self._first_kept, slowest)
            if len(self._chunks) - slowest <= _AHEAD:
                return
            self._room.clear()
            await self._room.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def board(self) -> object:
        """Become a reader; the ticket is given back with `leave`."""
        ticket = object()
        self._places[ticket] = 0
        return ticket

    def leave(self, ticket: object) -> None:
        """Stop reading; the last to leave ends a flight that is still under way."""
        self._places.pop(ticket, None)
        self._room.set()
        if not self._places and not self._ended:
            self.joinable = False
            self._task.cancel()

    async def begun(self) -> Answer:
        """The answer, as soon as its head has come.

        Raises:
            UpstreamError: the flight failed before that.
        """
        while self.answer is None and not self._ended:
            await self._news.wait()
        if self.answer is None:
            raise _failure(self.failure)
        return self.answer

    async def chunks(self, ticket: object) -> AsyncGenerator[bytes, None]:
        """The recording from its start, then live; gives the ticket back at the end.

        Raises:
            UpstreamError: the flight broke off.
        """
        place = 0
        try:
            while place < len(self._chunks) or not self._ended:
                while place < len(self._chunks):
                    chunk = self._chunks[place]
                    place += 1
                    self._places[ticket] = place
                    self._room.set()
                    yield chunk
                if not self._ended:
                    await self._news.wait()
        finally:
            self.leave(ticket)
        if self.failure is not None:
            raise _failure(self.failure)

    def when_ended(self, told: Callable[[], None]) -> None:
        """Call `told` once the flight has ended."""
        self._task.add_done_callback(lambda _task: told())


def _failure(error: BaseException | None) -> UpstreamError:
    if isinstance(error, UpstreamError):
        return UpstreamError(str(error), status=error.status, code=error.code)
    return UpstreamError(
        f"the call this one waited for failed ({type(error).__name__}); send it again",
        code="shared_call_failed",
    )


class Coalesce:
    """The step that lets identical calls share one flight; recordings beyond `limit` are let go."""

    def __init__(self, booker: Booker, *, limit: float = 8e6) -> None:
        self._booker = booker
        self._limit = limit
        self._flights: dict[bytes, Flight] = {}

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Join the flight of an identical call, or start one."""
        if not exchange.key or exchange.directives.no_store:
            return await onward(exchange)
        for _ in range(2):
            flight = self._flights.get(exchange.key)
            if flight is None or not flight.joinable:
                break
            if (answer := await self._follow(flight, exchange)) is not None:
                return answer
        return await self._lead(exchange, onward)

    async def _lead(self, exchange: Exchange, onward: Onward) -> Answer:
        flight = Flight(exchange, onward, self._limit)
        self._flights[exchange.key] = flight
        flight.when_ended(lambda: self._forget(exchange.key, flight))
        ticket = flight.board()
        answer = await self._boarded(flight, ticket)
        if answer.stream is None:
            flight.leave(ticket)
            return answer
        return replace(answer, stream=flight.chunks(ticket))

    async def _follow(self, flight: Flight, exchange: Exchange) -> Answer | None:
        """The shared answer; None where the flight failed and this call should start over."""
        ticket = flight.board()
        try:
            answer = await self._boarded(flight, ticket)
        except UpstreamError:
            return None
        if not answer.ok or answer.record is None:
            flight.leave(ticket)
            return None
        shared = Answer(answer.status, list(answer.headers), answer.body, source="coalesced")
        if answer.stream is None:
            flight.leave(ticket)
            shared.notes = self._book(exchange, answer.record)
        else:
            shared.stream = self._shared(flight, ticket, exchange, answer.record)
        return shared

    async def _boarded(self, flight: Flight, ticket: object) -> Answer:
        try:
            return await flight.begun()
        except BaseException:
            flight.leave(ticket)
            raise

    async def _shared(
        self, flight: Flight, ticket: object, exchange: Exchange, record: Record
    ) -> AsyncGenerator[bytes, None]:
        async with aclosing(flight.chunks(ticket)) as chunks:
            async for chunk in chunks:
                yield chunk
        self._book(exchange, record)

    def _book(self, exchange: Exchange, record: Record) -> Headers:
        origin = origin_of(exchange, record)
        return self._booker.shared(exchange, origin) if origin is not None else []

    def _forget(self, key: bytes, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
