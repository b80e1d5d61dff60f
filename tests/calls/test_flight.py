"""Flight: one call under way, read by many at their own pace."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from lichen.calls.directives import NO_WISHES
from lichen.calls.exchange import Answer, Exchange
from lichen.calls.flight import Flight
from lichen.ledger.errors import UpstreamError
from lichen.testing.upstreams import ScriptedStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lichen.calls.flight import Seat
    from lichen.testing.upstreams import Part

EXCHANGE = Exchange("POST", "/v1/chat/completions", [], b"{}", "tenant", 0, NO_WISHES)
PIECE = 100 * b"x"


def take_off(*parts: Part, limit: float = 1e6) -> tuple[Flight, ScriptedStream]:
    """A flight whose answer is a stream of these parts, and that stream."""
    stream = ScriptedStream(parts)

    async def onward(_exchange: Exchange) -> Answer:
        return Answer(200, [], stream=stream)

    return Flight(EXCHANGE, onward, limit), stream


def fail_with(error: BaseException) -> Callable[[Exchange], Awaitable[Answer]]:
    async def onward(_exchange: Exchange) -> Answer:
        raise error

    return onward


async def read(seat: Seat) -> bytes:
    async with asyncio.timeout(5):
        return b"".join([chunk async for chunk in seat])


async def let_run() -> None:
    """Let every task come to where it waits."""
    for _ in range(200):
        await asyncio.sleep(0)


async def test_all_readers_read_the_same() -> None:
    flight, _ = take_off(b"a", 0.0, b"b", b"c")
    seats = [flight.board() for _ in range(3)]

    heard = await asyncio.gather(*(read(seat) for seat in seats))

    assert heard == [b"abc"] * 3


async def test_who_boards_late_reads_from_the_start() -> None:
    rest = asyncio.Event()
    flight, _ = take_off(b"a", b"b", rest, b"c")
    early = flight.board()
    assert [await anext(early), await anext(early)] == [b"a", b"b"]

    late = flight.board()
    rest.set()

    assert await read(late) == b"abc"
    assert await read(early) == b"c"


async def test_a_chunk_is_read_as_soon_as_it_has_come() -> None:
    rest = asyncio.Event()
    flight, _ = take_off(b"a", rest, b"b")
    seat = flight.board()

    first = await asyncio.wait_for(anext(seat), 1)

    assert first == b"a"
    assert not rest.is_set()
    seat.leave()


async def test_it_goes_on_when_the_first_reader_leaves() -> None:
    rest = asyncio.Event()
    flight, stream = take_off(b"a", rest, b"b")
    first, second = flight.board(), flight.board()
    await anext(first)

    await first.aclose()
    rest.set()

    assert await read(second) == b"ab"
    assert stream.given == 2


async def test_it_ends_when_its_last_reader_leaves() -> None:
    flight, stream = take_off(b"a", asyncio.Event(), b"b")
    first, second = flight.board(), flight.board()
    await anext(first)

    first.leave()
    still_open = not stream.closed
    second.leave()
    await let_run()

    assert still_open
    assert stream.closed
    assert not flight.joinable


async def test_leaving_twice_or_after_the_end_is_fine() -> None:
    flight, _ = take_off(b"a")
    seat = flight.board()
    await read(seat)

    await seat.aclose()
    seat.leave()

    with pytest.raises(StopAsyncIteration):
        await anext(seat)


async def test_a_failure_before_the_answer_is_told_to_every_reader() -> None:
    flight = Flight(EXCHANGE, fail_with(UpstreamError("gone", status=503, code="busy")), 1e6)

    told = await asyncio.gather(*(flight.begun() for _ in range(3)), return_exceptions=True)

    assert [(type(e), str(e)) for e in told] == [(UpstreamError, "gone")] * 3
    assert {(e.status, e.code) for e in told if isinstance(e, UpstreamError)} == {(503, "busy")}
    assert len({id(error) for error in told}) == 3


async def test_a_fault_of_ours_is_told_as_one_that_may_be_tried_again() -> None:
    flight = Flight(EXCHANGE, fail_with(ZeroDivisionError()), 1e6)

    with pytest.raises(UpstreamError, match=r"ZeroDivisionError.*send it again") as caught:
        await flight.begun()

    assert caught.value.code == "shared_call_failed"


async def test_a_stream_that_breaks_off_does_so_for_all_after_what_came() -> None:
    flight, _ = take_off(b"a", UpstreamError("broke", code="upstream_broke_off"), b"never")
    seats = [flight.board(), flight.board()]

    for seat in seats:
        assert await anext(seat) == b"a"
        with pytest.raises(UpstreamError, match="broke"):
            await anext(seat)
    assert not flight.joinable


async def test_who_waits_is_told_when_it_has_ended() -> None:
    flight, _ = take_off(b"a")
    ended = asyncio.Event()

    flight.when_ended(ended.set)

    await asyncio.wait_for(ended.wait(), 1)


async def test_a_recording_beyond_its_limit_lets_go_of_what_all_have_read() -> None:
    flight, stream = take_off(*(PIECE for _ in range(100)), limit=1000)
    seat = flight.board()
    heard = b""
    most = 0

    async for chunk in seat:
        heard += chunk
        most = max(most, flight._held)

    assert len(heard) == 10_000
    assert most <= 1000 + len(PIECE)
    assert stream.closed


async def test_nobody_may_board_once_the_start_is_gone() -> None:
    flight, _ = take_off(*(PIECE for _ in range(100)), limit=1000)
    seat = flight.board()

    await let_run()

    assert not flight.joinable
    seat.leave()


async def test_a_lone_slow_reader_holds_the_upstream_up_and_loses_nothing() -> None:
    flight, stream = take_off(*(PIECE for _ in range(100)), limit=1000)
    seat = flight.board()
    await let_run()
    given = stream.given

    heard = await read(seat)

    assert given == 11
    assert len(heard) == 10_000


async def test_a_reader_far_behind_is_put_off_and_the_others_read_on() -> None:
    flight, _ = take_off(*(PIECE for _ in range(100)), limit=1000)
    quick, slow = flight.board(), flight.board()
    await anext(slow)

    heard = await read(quick)

    assert len(heard) == 10_000
    with pytest.raises(UpstreamError, match="send it again") as caught:
        await anext(slow)
    assert (caught.value.status, caught.value.code) == (503, "reader_too_slow")


async def test_readers_who_keep_pace_are_all_kept() -> None:
    flight, _ = take_off(*(PIECE for _ in range(100)), limit=1000)
    seats = [flight.board() for _ in range(5)]

    heard = await asyncio.gather(*(read(seat) for seat in seats))

    assert [len(each) for each in heard] == [10_000] * 5


async def test_a_whole_answer_needs_no_reading() -> None:
    async def onward(_exchange: Exchange) -> Answer:
        return Answer(200, [], b"whole")

    flight = Flight(EXCHANGE, onward, 1e6)

    assert (await flight.begun()).body == b"whole"
    assert (await flight.begun()).body == b"whole"


async def test_it_is_cancelled_before_its_answer_when_nobody_waits() -> None:
    cancelled = asyncio.Event()

    async def onward(_exchange: Exchange) -> Answer:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    flight = Flight(EXCHANGE, onward, 1e6)
    seat = flight.board()
    waiting = asyncio.create_task(flight.begun())
    await let_run()

    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    seat.leave()

    await asyncio.wait_for(cancelled.wait(), 1)
