"""What book and store know of calls that were tried again, held back, or answered by another.

The whole pipeline, with a resilient upstream around scripted ones.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.resilience.breaker import Trip
from lichen.calls.resilience.resilient import Bounds, Resilient
from lichen.calls.resilience.standby import Standby
from lichen.ledger.errors import UpstreamError
from lichen.testing.upstreams import ScriptedUpstream, chat_answer, chat_frames, streamed, whole

if TYPE_CHECKING:
    from lichen.calls.exchange import Answer, Exchange
    from lichen.testing.upstreams import Act
    from tests.calls.conftest import Build

ASKED: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
ALWAYS: dict[str, Any] = {**ASKED, "temperature": 0}
DOWN = whole(b'{"error": {"message": "down"}}', status=503)
QUICK = Bounds(retries=2, first=0.001, longest=0.01, total=5)
TRIP = Trip(most=0.5, least=4, hold=0.05, longest=1)


def resilient(
    *script: Act, other: ScriptedUpstream | None = None, trip: Trip | None = TRIP
) -> tuple[Resilient, ScriptedUpstream]:
    upstream = ScriptedUpstream(*script)
    standby = Standby(other, (("gpt-4o*", "llama-3"),)) if other is not None else None
    return Resilient(upstream, QUICK, trip, standby=standby), upstream


def another(*script: Act) -> ScriptedUpstream:
    made = ScriptedUpstream(*script)
    made.url, made.zone = "http://another.example", "SE-SE3"
    return made


async def test_a_call_that_took_three_tries_is_booked_once_with_their_number(build: Build) -> None:
    upstream, _ = resilient(DOWN, DOWN, whole(chat_answer()))
    house = build(upstream=upstream)

    heard = await house.ask(ALWAYS)

    [entry] = house.entries
    assert heard.status == 200
    assert entry.figures.raw["attempts"] == 3
    assert "earlier-tries-not-metered" in entry.figures.gaps
    assert entry.figures.work.amount == 1


async def test_a_call_that_was_answered_at_once_says_nothing_of_tries(build: Build) -> None:
    upstream, _ = resilient(whole(chat_answer()))
    house = build(upstream=upstream)

    await house.ask(ALWAYS)

    [entry] = house.entries
    assert "attempts" not in entry.figures.raw
    assert "earlier-tries-not-metered" not in entry.figures.gaps


async def test_a_call_all_of_whose_tries_failed_is_one_gap(build: Build) -> None:
    upstream, scripted = resilient(DOWN)
    house = build(upstream=upstream)

    heard = await house.ask(ALWAYS)

    [entry] = house.entries
    assert (heard.status, scripted.count) == (503, 3)
    assert entry.figures.gaps[0] == "upstream-answered:503"
    assert entry.figures.work.amount == 0


async def test_a_call_that_was_held_back_used_nothing_and_is_not_booked(build: Build) -> None:
    upstream, _ = resilient(DOWN)
    house = build(upstream=upstream)
    for seed in range(2):
        await house.ask({**ALWAYS, "seed": seed})
    before = len(house.entries)

    refused = await house.ask({**ALWAYS, "seed": 99})

    assert refused.status == 503
    assert refused.json["error"]["code"] == "upstream_failing"
    assert int(refused.answer_headers["retry-after"]) >= 1
    assert len(house.entries) == before
    assert house.troubles == []


async def test_another_s_answer_is_booked_as_its_own(build: Build) -> None:
    other = another(whole(chat_answer()))
    upstream, _ = resilient(DOWN, other=other)
    house = build(upstream=upstream)

    heard = await house.ask(ALWAYS)

    [entry] = house.entries
    assert heard.answer_headers["x-lichen-upstream"] == "fallback"
    assert (entry.figures.zone, entry.figures.model) == ("SE-SE3", "llama-3")
    assert "upstream-answered:503" in entry.figures.gaps
    assert entry.figures.tokens is not None


async def test_another_s_stream_is_booked_as_its_own(build: Build) -> None:
    other = another(streamed(*chat_frames()))
    upstream, _ = resilient(DOWN, other=other)
    house = build(upstream=upstream)

    heard = await house.ask({**ALWAYS, "stream": True})

    [entry] = house.entries
    assert heard.answer_headers["x-lichen-upstream"] == "fallback"
    assert heard.answer == b"".join(chat_frames())
    assert (entry.figures.zone, entry.figures.model) == ("SE-SE3", "llama-3")


async def test_another_s_answer_is_never_given_for_the_upstream_s(build: Build) -> None:
    other = another(whole(chat_answer("From another.")))
    upstream, _ = resilient(*[DOWN] * 3, whole(chat_answer("From the upstream.")), other=other)
    house = build(upstream=upstream)
    first = await house.ask(ALWAYS)

    second = await house.ask(ALWAYS)
    third = await house.ask(ALWAYS)

    assert b"From another." in first.answer
    assert b"From the upstream." in second.answer
    assert second.answer_headers["x-lichen-cache"] == "miss"
    assert third.answer_headers["x-lichen-cache"] == "hit"
    assert "x-lichen-upstream" not in third.answer_headers


async def test_while_another_stands_in_its_stored_answers_serve_and_say_so(build: Build) -> None:
    other = another(whole(chat_answer("From another.")))
    upstream, _ = resilient(DOWN, other=other)
    house = build(upstream=upstream)
    for seed in range(2):
        await house.ask({**ALWAYS, "seed": seed})
    asked = other.count

    again = await house.ask({**ALWAYS, "seed": 0})

    assert again.answer_headers["x-lichen-cache"] == "hit"
    assert again.answer_headers["x-lichen-upstream"] == "fallback"
    assert other.count == asked
    assert house.last.figures.strategy == "calls.exact"
    assert house.last.figures.zone == "SE-SE3"


async def test_calls_that_share_another_s_answer_are_told_who_gave_it(build: Build) -> None:
    other = another(whole(chat_answer(), after=0.05))
    upstream, _ = resilient(DOWN, other=other)
    house = build(upstream=upstream)

    heard = await asyncio.gather(*(house.ask(ALWAYS) for _ in range(5)))

    assert {one.answer_headers["x-lichen-upstream"] for one in heard} == {"fallback"}
    assert sorted(one.answer_headers["x-lichen-cache"] for one in heard) == [
        *["coalesced"] * 4,
        "miss",
    ]
    assert other.count == 1


async def test_a_failing_upstream_fails_all_who_share_its_call_with_when_to_come_again(
    build: Build,
) -> None:
    upstream, _ = resilient(DOWN)
    house = build(upstream=upstream)
    for seed in range(2):
        await house.ask({**ALWAYS, "seed": seed})

    heard = await asyncio.gather(*(house.ask({**ALWAYS, "seed": 5}) for _ in range(4)))

    assert {one.status for one in heard} == {503}
    assert all("retry-after" in one.answer_headers for one in heard)


@pytest.mark.parametrize("failure", ["unreachable", "answers 529", "held back"])
async def test_a_rule_lets_answers_past_their_time_serve_while_the_upstream_fails(
    build: Build, failure: str
) -> None:
    acts = {
        "unreachable": _broken,
        "answers 529": whole(b"{}", status=529),
        "held back": DOWN,
    }
    upstream, _ = resilient(whole(chat_answer("Kept.")), acts[failure])
    rule = {"route": "*", "ttl": 0.05, "stale_if_error": "10m"}
    house = build(upstream=upstream, route=[rule])
    await house.ask(ALWAYS)
    if failure == "held back":
        for seed in range(4):
            await house.ask({**ALWAYS, "seed": seed})
    await asyncio.sleep(0.06)

    stale = await house.ask(ALWAYS)

    assert (stale.status, stale.answer_headers["x-lichen-cache"]) == (200, "stale")
    assert b"Kept." in stale.answer


async def test_a_client_that_asks_anew_gets_no_answer_past_its_time_by_a_rule(build: Build) -> None:
    upstream, _ = resilient(whole(chat_answer("Kept.")), DOWN)
    rule = {"route": "*", "ttl": 0.01, "stale_if_error": "10m"}
    house = build(upstream=upstream, route=[rule])
    await house.ask(ALWAYS)
    await asyncio.sleep(0.02)

    refused = [
        await house.ask(ALWAYS, cache_control=wish)
        for wish in ("no-cache", "no-store", "stale-if-error=0")
    ]

    assert {one.status for one in refused} == {503}


async def _broken(_exchange: Exchange) -> Answer:
    raise UpstreamError("it is gone", sent=False)
