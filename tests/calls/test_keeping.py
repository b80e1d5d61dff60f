"""Keeping: which answers are kept for the exact cache."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.keeping import lasting
from lichen.ledger.errors import UpstreamError
from lichen.testing.upstreams import (
    DONE,
    chat_answer,
    chat_chunk,
    chat_frames,
    chat_usage,
    response_answer,
    response_frames,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.testing.callers import House
    from lichen.testing.upstreams import Act

    Build = Callable[..., House]

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
}
STREAM = ASK | {"stream": True}
RESPONSE: dict[str, Any] = {"model": "gpt-4o-mini", "input": "Hello", "temperature": 0}
RESPONSES = b"/v1/responses"
FRAMES = chat_frames(usage=chat_usage())
GOOD = whole(chat_answer("good"))


async def second(house: House, body: dict[str, Any], **how: Any) -> str:
    """How a call is answered after it was answered once."""
    await house.ask(body, **how)
    return (await house.ask(body, **how)).answer_headers["x-lichen-cache"]


async def test_a_good_answer_is_kept(build: Build) -> None:
    assert await second(build(GOOD), ASK) == "hit"


@pytest.mark.parametrize("status", [201, 206])
async def test_an_answer_keeps_its_status(build: Build, status: int) -> None:
    house = build(whole(chat_answer(), status=status))

    await house.ask(ASK)

    assert (await house.ask(ASK)).status == status


@pytest.mark.parametrize("status", [300, 400, 401, 404, 408, 429, 500, 502, 529])
@pytest.mark.parametrize("act", [whole, streamed])
async def test_an_error_is_never_kept(build: Build, act: Callable[..., Act], status: int) -> None:
    house = build(act(b'{"error": {"message": "no"}}', status=status), GOOD)

    assert await second(house, ASK) == "miss"


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"cut',
        chat_answer(error={"message": "overloaded"}),
        chat_answer(choices=[{"index": 0, "error": {"code": 502}}]),
    ],
)
async def test_rubbish_that_calls_itself_well_is_not_kept(build: Build, rubbish: bytes) -> None:
    assert await second(build(whole(rubbish), GOOD), ASK) == "miss"


async def test_a_response_that_did_not_complete_is_not_kept(build: Build) -> None:
    house = build(whole(response_answer(status="incomplete")), whole(response_answer()))

    assert await second(house, RESPONSE, target=RESPONSES) == "miss"
    assert await second(house, RESPONSE, target=RESPONSES) == "hit"


async def test_a_stream_is_kept_when_it_has_ended(build: Build) -> None:
    assert await second(build(streamed(*FRAMES)), STREAM) == "hit"


async def test_a_streamed_response_is_kept_when_it_has_ended(build: Build) -> None:
    house = build(streamed(*response_frames()))

    assert await second(house, RESPONSE | {"stream": True}, target=RESPONSES) == "hit"


@pytest.mark.parametrize(
    "parts",
    [
        FRAMES[:-1],
        [*FRAMES[:2], UpstreamError("broke off")],
        [FRAMES[0], b'data: {"error": {"message": "overloaded"}}\n\n', DONE],
        [b""],
        [b"<html>"],
    ],
)
async def test_a_stream_that_did_not_end_well_is_not_kept(build: Build, parts: list[Any]) -> None:
    house = build(streamed(*parts), streamed(*FRAMES))

    assert await second(house, STREAM) == "miss"


async def test_a_stream_whose_only_reader_leaves_is_not_kept(build: Build) -> None:
    house = build(streamed(*FRAMES[:2], asyncio.Event(), *FRAMES[2:]), streamed(*FRAMES))
    reading = asyncio.create_task(house.ask(STREAM))
    await asyncio.sleep(0.01)

    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert (await house.ask(STREAM)).answer_headers["x-lichen-cache"] == "miss"


async def test_a_reader_that_leaves_after_the_last_frame_loses_nothing(build: Build) -> None:
    # The official client closes the connection at [DONE] and does not wait for the body's end.
    house = build(streamed(*FRAMES, asyncio.Event()))
    reading = asyncio.create_task(house.ask(STREAM))
    await asyncio.sleep(0.01)

    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    again = await asyncio.wait_for(house.ask(STREAM), 5)

    assert again.answer_headers["x-lichen-cache"] == "hit"
    assert again.answer == b"".join(FRAMES)
    assert "stream-broken-off" not in house.entries[0].figures.gaps
    assert house.entries[0].figures.tokens.total == 17


async def test_an_answer_larger_than_the_limit_is_given_and_not_kept(build: Build) -> None:
    long = chat_answer(2000 * "x")
    house = build(whole(long), cache_entry_limit=1000)

    first = await house.ask(ASK)

    assert first.answer == long
    assert (await house.ask(ASK)).answer_headers["x-lichen-cache"] == "miss"


async def test_a_stream_larger_than_the_limit_is_given_and_not_kept(build: Build) -> None:
    frames = [chat_chunk(500 * "x") for _ in range(10)] + [DONE]
    house = build(streamed(*frames), cache_entry_limit=1000)

    first = await house.ask(STREAM)

    assert first.answer == b"".join(frames)
    assert (await house.ask(STREAM)).answer_headers["x-lichen-cache"] == "miss"


async def test_an_answer_whose_use_nobody_can_price_is_not_kept(build: Build) -> None:
    # Its saving could not be told.
    house = build(GOOD, pricer=Unpriced())

    first, again = await house.ask(ASK), await house.ask(ASK)

    assert first.status == again.status == 200
    assert again.answer_headers["x-lichen-cache"] == "miss"
    assert [entry.figures.gaps for entry in house.entries] == [("not-priced",)] * 2


class Unpriced:
    """A price list that fails, as a broken plug-in's would."""

    @property
    def calls(self) -> Any:
        raise RuntimeError("no prices today")


async def test_headers_that_speak_of_one_exchange_do_not_last() -> None:
    given = [
        (b"content-type", b"application/json"),
        (b"openai-version", b"2020-10-01"),
        (b"date", b"Tue"),
        (b"age", b"7"),
        (b"set-cookie", b"a=b"),
        (b"x-request-id", b"req_1"),
        (b"retry-after", b"1"),
        (b"x-ratelimit-remaining-tokens", b"5"),
    ]

    assert lasting(given) == given[:2]
