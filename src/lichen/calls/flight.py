"""Flight: one call under way, its recording, and who reads it.

The call runs in a task of its own; each reader takes a `Seat` and reads the recording at its own
pace. The flight ends early only when its last reader has gone. Its recording is bounded: once it
holds more than the limit, what all have read is let go, nobody may join any more, and a reader that
lags behind the others by the whole limit is put off rather than hold them up. A lone slow reader
holds up the upstream, as it would have without lichen.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Self

from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Answer, Exchange, Onward

# Chunks the quickest reader may be behind before the upstream waits for it.
_AHEAD = 64


class Flight:
    """One call under way; `board` it to read it."""

    def __init__(self, exchange: Exchange, onward: Onward, limit: float) -> None:
        self.answer: Answer | None = None
        self.joinable = True
        self._failure: UpstreamError | None = None
        self._limit = limit
        self._chunks: list[bytes] = []
        self._first = 0  # the place of the first chunk still held
        self._held = 0  # bytes
        self._ended = False
        self._seats: set[Seat] = set()
        self._listening: list[asyncio.Future[None]] = []
        self._room = asyncio.Event()
        self._task = asyncio.create_task(self._fly(exchange, onward))

    async def _fly(self, exchange: Exchange, onward: Onward) -> None:
        try:
            self.answer = await onward(exchange)
            self._tell()
            if self.answer.stream is not None:
                async with aclosing(self.answer.stream) as chunks:
                    async for chunk in chunks:
                        self._chunks.append(chunk)
                        self._held += len(chunk)
                        self._tell()
                        if self._held > self._limit:
                            await self._make_room()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (every reader raises it)
            # Without its traceback, whose frames would hold this flight in a circle.
            self._failure = _failure(error)
        finally:
            self._ended = True
            self.joinable = False
            self._tell()

    async def _make_room(self) -> None:
        """Let go of what all have read; then of a reader far behind; then wait."""
        self.joinable = False
        while self._seats:
            slowest = min(self._seats, key=lambda seat: seat.place)
            self._let_go(slowest.place)
            if self._held <= self._limit:
                return
            foremost = max(seat.place for seat in self._seats)
            if slowest.place < foremost and self._end - foremost <= _AHEAD:
                slowest.put_off()
                continue
            self._room.clear()
            await self._room.wait()

    def _let_go(self, place: int) -> None:
        read = place - self._first
        self._held -= sum(map(len, self._chunks[:read]))
        del self._chunks[:read]
        self._first = place

    @property
    def _end(self) -> int:
        """The place after the last chunk."""
        return self._first + len(self._chunks)

    def _tell(self) -> None:
        """There is news: whoever listens goes on."""
        if self._listening:
            listening, self._listening = self._listening, []
            for one in listening:
                if not one.done():
                    one.set_result(None)

    def _news(self) -> asyncio.Future[None]:
        """Done once there is news."""
        heard = asyncio.get_running_loop().create_future()
        self._listening.append(heard)
        return heard

    @property
    def replayable(self) -> bool:
        """Whether all of it is still held, so that it can be read from its start."""
        return self._first == 0 and self._failure is None

    def board(self) -> Seat:
        """Become a reader."""
        seat = Seat(self)
        self._seats.add(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Stop reading; the last to leave ends a flight that is still under way."""
        self._seats.discard(seat)
        self._room.set()
        if not self._seats and not self._ended:
            self.joinable = False
            self._task.cancel()

    async def begun(self) -> Answer:
        """The answer, as soon as its head has come.

        Raises:
            UpstreamError: the flight failed before that.
        """
        while self.answer is None and not self._ended:
            await self._news()
        if self.answer is None:
            raise _failure(self._failure)
        return self.answer

    async def read(self, seat: Seat) -> bytes:
        """The chunk at a seat's place, when it has come.

        Raises:
            StopAsyncIteration: there is none: the flight has come to its end.
            UpstreamError: it broke off.
        """
        while seat.place >= self._end:
            if self._ended:
                self.leave(seat)
                if self._failure is not None:
                    raise _failure(self._failure)
                raise StopAsyncIteration
            await self._news()
        chunk = self._chunks[seat.place - self._first]
        seat.place += 1
        self._room.set()
        return chunk

    def when_ended(self, told: Callable[[], None]) -> None:
        """Call `told` once the flight has ended."""
        self._task.add_done_callback(lambda _task: told())


class Seat:
    """A reader's place: the flight's recording from its start, then live, as a stream."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._is_off = False
        self.place = 0

    def put_off(self) -> None:
        """Too far behind: whoever reads here learns of it at the next chunk."""
        self._is_off = True
        self._flight.leave(self)

    def leave(self) -> None:
        """Stop reading."""
        self._flight.leave(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._is_off:
            raise UpstreamError(
                "this client read too slowly for a call it shared with others; send it again",
                status=503,
                code="reader_too_slow",
            )
        return await self._flight.read(self)

    async def aclose(self) -> None:
        """Stop reading."""
        self._flight.leave(self)


def _failure(error: BaseException | None) -> UpstreamError:
    if isinstance(error, UpstreamError):
        made = UpstreamError(
            str(error), status=error.status, code=error.code, wait_s=error.wait_s, sent=error.sent
        )
        made.entry_id = error.entry_id
        return made
    return UpstreamError(
        f"the call failed ({type(error).__name__}); send it again", code="shared_call_failed"
    )
