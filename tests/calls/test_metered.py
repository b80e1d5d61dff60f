"""Metered: what each call used, however it ends; and accounting that breaks, breaking no call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from lichen.ledger.entry import NONE
from lichen.ledger.errors import UpstreamError
from lichen.ledger.memory import MemoryStore
from lichen.testing.shares import CpuShare
from lichen.testing.upstreams import (
    ScriptedUpstream,
    chat_answer,
    chat_frames,
    chat_usage,
    failed,
    response_answer,
    response_frames,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.testing.callers import House

    Build = Callable[..., House]

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
}
STREAM = ASK | {"stream": True}
FRAMES = chat_frames(usage=chat_usage())


class BrokenStore(MemoryStore):
    """A ledger that cannot be written."""

    def append(self, entries: object) -> None:
        raise OSError(28, f"no space left for {entries}")


def gaps(house: House) -> set[str]:
    """What could not be known of the last call, but for its zone, which nobody set."""
    return set(house.last.figures.gaps) - {"zone-assumed"}


async def test_a_whole_answer_is_booked_with_its_tokens_and_its_headers_say_so(
    build: Build,
) -> None:
    house = build(whole(chat_answer(usage=chat_usage(100, 20))))

    heard = (await house.ask(ASK)).answer_headers

    entry = house.last
    assert entry.id == heard["x-lichen-id"]
    assert entry.figures.tokens.input == 100
    assert entry.figures.tokens.output == 20
    assert entry.figures.strategy == NONE
    assert float(heard["x-lichen-energy-wh"].partition(";")[0]) == pytest.approx(
        entry.figures.footprint.energy.value.in_wh, rel=1e-3
    )


async def test_a_stream_is_booked_when_it_has_ended(build: Build) -> None:
    house = build(streamed(*FRAMES))

    heard = await house.ask(STREAM)

    assert heard.answer == b"".join(FRAMES)
    assert house.last.id == heard.answer_headers["x-lichen-id"]
    assert house.last.figures.tokens.total == 17
    assert gaps(house) == set()


async def test_a_streamed_response_is_booked_with_its_usage(build: Build) -> None:
    house = build(streamed(*response_frames()))

    await house.ask(
        {"model": "gpt-4o-mini", "input": "Hello", "stream": True}, target=b"/v1/responses"
    )

    assert house.last.figures.tokens.total == 17
    assert house.last.figures.name == "responses"


async def test_usage_at_the_end_of_a_very_long_stream_is_found(build: Build) -> None:
    frames = [b": %b\n\n" % (1000 * b"x") for _ in range(400)]
    house = build(streamed(*frames, *FRAMES))

    await house.ask(STREAM)

    assert house.last.figures.tokens.total == 17


async def test_a_stream_without_usage_is_estimated_and_says_so(build: Build) -> None:
    house = build(streamed(*chat_frames(["a"] * 50)))

    await house.ask(STREAM)

    assert house.last.figures.tokens.output > 0
    assert gaps(house) == {"tokens-estimated"}


async def test_rubbish_is_passed_on_estimated_and_named(build: Build) -> None:
    house = build(whole(b"<html>busy</html>"))

    heard = await house.ask(ASK)

    assert (heard.status, heard.answer) == (200, b"<html>busy</html>")
    assert gaps(house) == {"answer-unreadable", "tokens-estimated"}


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("act", [whole, streamed])
async def test_an_error_is_passed_on_and_counts_as_a_gap_and_no_work(
    build: Build, act: Callable[..., Any], status: int
) -> None:
    house = build(act(b'{"error": {}}', status=status))

    heard = await house.ask(ASK)

    assert (heard.status, heard.answer) == (status, b'{"error": {}}')
    assert house.last.figures.gaps == (f"upstream-answered:{status}",)
    assert house.last.figures.work.amount == 0


async def test_an_upstream_that_fails_is_named_in_the_gap(build: Build) -> None:
    house = build(failed(code="upstream_timeout", status=504))

    heard = await house.ask(ASK)

    assert (heard.status, heard.json["error"]["code"]) == (504, "upstream_timeout")
    assert house.last.figures.gaps == ("upstream-failed:upstream_timeout",)
    assert heard.answer_headers["x-lichen-id"] == house.last.id


async def test_a_stream_that_breaks_off_is_booked_with_what_came_and_a_gap(build: Build) -> None:
    house = build(streamed(*FRAMES[:3], UpstreamError("broke", code="upstream_broke_off")))

    heard = await house.ask(STREAM)

    assert heard.broken_off
    assert b'"code":"upstream_broke_off"' in heard.chunks[-1]
    assert gaps(house) == {"stream-broken-off", "tokens-estimated"}
    assert house.last.figures.tokens.output > 0


async def test_a_client_that_leaves_is_booked_with_a_gap(build: Build) -> None:
    house = build(whole(chat_answer(), after=asyncio.Event()))
    asking = asyncio.create_task(house.ask(ASK))
    await asyncio.sleep(0.01)

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await asyncio.sleep(0)

    assert house.last.figures.gaps == ("call-abandoned",)


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"HEAD"])
async def test_what_asks_no_model_is_passed_on_and_not_booked(build: Build, method: bytes) -> None:
    house = build(whole(b'{"data": []}'))

    heard = await house.ask(b"", target=b"/v1/models", method=method)

    assert heard.answer == b'{"data": []}'
    assert "x-lichen-cache" not in heard.answer_headers
    assert house.entries == []


@pytest.mark.parametrize("act", [whole, streamed])
async def test_a_call_that_cannot_be_read_is_a_gap_and_not_nothing(
    build: Build, act: Callable[..., Any]
) -> None:
    house = build(act(b"\x89PNG"))

    heard = await house.ask(b"anything", target=b"/v1/images/generations")

    assert heard.answer == b"\x89PNG"
    assert house.last.figures.gaps == ("not-modelled",)
    assert house.last.figures.work.amount == 0


@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_where_the_upstream_is_measured_the_measure_counts(
    build: Build, body: dict[str, Any]
) -> None:
    share = CpuShare()
    act = streamed(*FRAMES) if body is STREAM else whole(chat_answer())
    house = build(upstream=ScriptedUpstream(act, share=share, model="local"))

    await house.ask(body)

    figures = house.last.figures
    assert figures.raw["cpu_seconds"] == 1.0
    assert (figures.method, figures.model) == ("process/1", "local")
    assert (share.begun, share.ended) == (1, 1)


@pytest.mark.parametrize(
    "act", [failed(), streamed(FRAMES[0], UpstreamError("broke")), whole(b"{}", status=500)]
)
async def test_a_measure_is_ended_however_the_call_ends(build: Build, act: Any) -> None:
    share = CpuShare()
    house = build(upstream=ScriptedUpstream(act, share=share))

    await house.ask(STREAM)

    assert (share.begun, share.ended) == (1, 1)
    assert house.last.figures.footprint.energy.value.amount > 0


@pytest.mark.parametrize("share", [CpuShare(fails="begin"), CpuShare(fails="end")])
async def test_a_meter_that_breaks_breaks_no_call_and_the_call_is_modelled(
    build: Build, share: CpuShare
) -> None:
    house = build(upstream=ScriptedUpstream(whole(chat_answer()), share=share))

    heard = await house.ask(ASK)

    assert heard.answer == chat_answer()
    assert "the meter is unavailable" in str(house.troubles[0])
    assert house.last.figures.footprint.energy.value.amount > 0
    assert "cpu_seconds" not in house.last.figures.raw


async def test_what_the_meter_could_not_tell_this_time_is_modelled(build: Build) -> None:
    share = CpuShare(knows=False)
    house = build(upstream=ScriptedUpstream(whole(chat_answer()), share=share))

    await house.ask(ASK)

    assert house.troubles == []
    assert house.last.figures.footprint.energy.value.amount > 0


@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_a_ledger_that_breaks_breaks_no_call_and_no_hit(
    build: Build, body: dict[str, Any]
) -> None:
    act = streamed(*FRAMES) if body is STREAM else whole(chat_answer())
    house = build(act, store=BrokenStore())

    heard = [await house.ask(body) for _ in range(3)]

    assert {each.status for each in heard} == {200}
    assert len({each.answer for each in heard}) == 1
    assert [each.answer_headers["x-lichen-cache"] for each in heard] == ["miss", "hit", "hit"]
    assert len(house.troubles) == 3


async def test_the_same_goes_for_a_response(build: Build) -> None:
    house = build(whole(response_answer()), store=BrokenStore())

    heard = await house.ask({"model": "m", "input": "Hello"}, target=b"/v1/responses")

    assert heard.answer == response_answer()


@pytest.mark.parametrize("absurd", [9_000_000_000_000_000_000, 9_300_000_000_000_000_000, 400_000])
@pytest.mark.parametrize("stream", [False, True])
async def test_absurd_token_counts_are_estimated_and_a_gap(
    build: Build, absurd: int, *, stream: bool
) -> None:
    usage = chat_usage(absurd, 5)
    act = streamed(*chat_frames(usage=usage)) if stream else whole(chat_answer(usage=usage))
    house = build(act)

    await house.ask(ASK | {"stream": stream})

    assert gaps(house) == {"tokens-estimated", "usage-implausible"}
    assert 0 < house.last.figures.tokens.total < 1000


@pytest.mark.parametrize("stream", [False, True])
async def test_before_2024_calls_are_answered_and_counted_as_a_gap(
    build: Build, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    act = streamed(*FRAMES) if stream else whole(chat_answer())
    house = build(act, act, act)
    ask = ASK | {"stream": stream}
    kept = await house.ask(ask)
    monkeypatch.setattr("time.time_ns", lambda: 1_600_000_000 * 10**9)

    hit = await house.ask(ask)
    new = await house.ask(ask | {"top_p": 0.5})
    other = await asyncio.gather(*(house.ask(ask | {"top_p": 0.2}) for _ in range(2)))

    assert {heard.status for heard in (hit, new, *other)} == {200}
    assert {heard.answer for heard in (hit, new, *other)} == {kept.answer}
    assert len(house.entries) == 1
    [gap] = house.book.store.gaps()
    assert gap.what == "calls not booked: this machine's clock is before 2024"
    assert gap.count == 4
