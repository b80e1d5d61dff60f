"""The exact cache: who is answered from the store, with what, and for how long."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from lichen.testing.callers import HeardRequest, House, answered, request
from lichen.testing.upstreams import (
    ScriptedUpstream,
    chat_answer,
    chat_frames,
    chat_usage,
    embedding_answer,
    response_answer,
    response_frames,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.testing.upstreams import Act

    Build = Callable[..., House]

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
}
SAMPLED = {name: value for name, value in ASK.items() if name != "temperature"}
NEW = (whole(chat_answer("first")), whole(chat_answer("second")), whole(chat_answer("third")))


def cache(heard: HeardRequest) -> str:
    return heard.answer_headers["x-lichen-cache"]


def count(house: House) -> int:
    assert isinstance(house.upstream, ScriptedUpstream)
    return house.upstream.count


async def test_the_same_call_again_is_answered_without_the_upstream(build: Build) -> None:
    house = build(*NEW)

    first, second = await house.ask(ASK), await house.ask(ASK)

    assert (cache(first), cache(second)) == ("miss", "hit")
    assert second.answer == first.answer == chat_answer("first")
    assert count(house) == 1


async def test_a_hit_is_answered_at_once_without_a_task(build: Build) -> None:
    house = build()
    await house.ask(ASK)

    again = request(ASK)

    assert house.gateway.handle(again) is None
    assert again.ended


async def test_fields_in_another_order_are_the_same_call(build: Build) -> None:
    house = build(*NEW)
    await house.ask(ASK)

    assert cache(await house.ask(dict(reversed(ASK.items())))) == "hit"


async def test_an_answer_serves_only_who_paid_for_it(build: Build) -> None:
    house = build(*NEW)
    await house.ask(ASK, key="sk-one")

    other = await house.ask(ASK, key="sk-two")

    assert cache(other) == "miss"
    assert other.json["choices"][0]["message"]["content"] == "second"


async def test_a_credential_in_another_header_is_another_tenant(build: Build) -> None:
    house = build(*NEW)
    await house.ask(ASK, key="", api_key="one")

    assert cache(await house.ask(ASK, key="", api_key="two")) == "miss"


async def test_two_credentials_are_not_one_written_together(build: Build) -> None:
    house = build(*NEW)
    await house.ask(ASK, key="", api_key="a", x_api_key="bc")

    assert cache(await house.ask(ASK, key="", api_key="ab", x_api_key="c")) == "miss"


async def test_a_shared_scope_serves_everybody(build: Build) -> None:
    house = build(*NEW, scope="shared")
    await house.ask(ASK, key="sk-one")

    assert cache(await house.ask(ASK, key="sk-two")) == "hit"


async def test_the_query_string_is_part_of_the_call(build: Build) -> None:
    house = build(*NEW)
    await house.ask(ASK, target=b"/v1/chat/completions?api-version=1")

    assert cache(await house.ask(ASK, target=b"/v1/chat/completions?api-version=2")) == "miss"
    assert cache(await house.ask(ASK, target=b"/v1/chat/completions?api-version=1")) == "hit"


async def test_another_project_is_another_call(build: Build) -> None:
    house = build(*NEW)
    await house.ask(ASK, openai_project="a")

    assert cache(await house.ask(ASK, openai_project="b")) == "miss"


async def test_a_stream_is_replayed_byte_for_byte(build: Build) -> None:
    frames = chat_frames(usage=chat_usage())
    house = build(streamed(*frames))

    first, second = await house.ask(ASK | {"stream": True}), await house.ask(ASK | {"stream": True})

    assert cache(second) == "hit"
    assert second.answer == first.answer == b"".join(frames)
    assert second.answer_headers["content-type"] == "text/event-stream"


async def test_a_stream_is_replayed_the_same_however_it_was_cut(build: Build) -> None:
    body = b"".join(chat_frames())
    house = build(streamed(*(body[i : i + 7] for i in range(0, len(body), 7))))
    await house.ask(ASK | {"stream": True})

    assert (await house.ask(ASK | {"stream": True})).answer == body


async def test_a_stream_and_a_whole_answer_are_two_calls(build: Build) -> None:
    house = build(whole(chat_answer()), streamed(*chat_frames()))
    await house.ask(ASK)

    assert cache(await house.ask(ASK | {"stream": True})) == "miss"


async def test_a_streamed_response_is_replayed(build: Build) -> None:
    house = build(streamed(*response_frames()))
    asked = {"model": "m", "input": "Hello", "temperature": 0, "stream": True}
    await house.ask(asked, target=b"/v1/responses")

    again = await house.ask(asked, target=b"/v1/responses")

    assert cache(again) == "hit"
    assert again.answer == b"".join(response_frames())


async def test_embeddings_are_kept_without_being_asked_to(build: Build) -> None:
    house = build(whole(embedding_answer()))
    asked = {"model": "embed-1", "input": "text"}
    await house.ask(asked, target=b"/v1/embeddings")

    assert cache(await house.ask(asked, target=b"/v1/embeddings")) == "hit"


@pytest.mark.parametrize("fields", [{"seed": 7, "temperature": 1}, {"temperature": 0.0}])
async def test_deterministic_calls_are_kept(build: Build, fields: dict[str, Any]) -> None:
    house = build(*NEW)
    await house.ask(SAMPLED | fields)

    assert cache(await house.ask(SAMPLED | fields)) == "hit"


async def test_a_sampled_call_wants_a_new_answer_each_time(build: Build) -> None:
    house = build(*NEW)

    heard = [await house.ask(SAMPLED) for _ in range(3)]

    assert [cache(one) for one in heard] == ["bypass"] * 3
    assert len({one.answer for one in heard}) == 3


async def test_what_the_policy_withheld_is_counted_from_the_second_call_on(build: Build) -> None:
    house = build(*NEW)
    for _ in range(3):
        await house.ask(SAMPLED)
    await house.ask(SAMPLED | {"top_p": 0.5})

    strategies = [entry.figures.strategy for entry in house.entries]

    assert strategies == ["none", "none.sampled", "none.sampled", "none"]


@pytest.mark.parametrize(
    "nothing",
    [
        whole(b'{"error": {"message": "bad gateway"}}', status=502),
        whole(b"rubbish"),
        streamed(b'data: {"choices": []}\n\n'),
    ],
)
async def test_an_answer_that_never_came_was_not_withheld(build: Build, nothing: Act) -> None:
    house = build(nothing, whole(chat_answer()), whole(chat_answer()))
    for _ in range(3):
        await house.ask(SAMPLED)

    strategies = [entry.figures.strategy for entry in house.entries]

    assert strategies == ["none", "none", "none.sampled"]


async def test_a_stream_that_came_to_its_end_would_have_served(build: Build) -> None:
    frames = chat_frames(usage=chat_usage())
    house = build(streamed(*frames), streamed(*frames))
    for _ in range(2):
        await house.ask(SAMPLED | {"stream": True})

    assert house.last.figures.strategy == "none.sampled"


async def test_an_answer_past_its_time_was_not_withheld(build: Build) -> None:
    house = build(*NEW, route=[{"ttl": "0.05s"}])
    await house.ask(SAMPLED)
    await asyncio.sleep(0.06)

    await house.ask(SAMPLED)

    assert house.last.figures.strategy == "none"


async def test_an_answer_too_long_to_keep_was_not_withheld(build: Build) -> None:
    house = build(*NEW, cache_entry_limit="100B")
    for _ in range(2):
        await house.ask(SAMPLED)

    assert house.last.figures.strategy == "none"


async def test_an_answer_that_its_service_forbids_to_keep_was_not_withheld(build: Build) -> None:
    forbidden = whole(chat_answer(), headers=[(b"cache-control", b"no-store")])
    house = build(forbidden, forbidden)
    for _ in range(2):
        await house.ask(SAMPLED)

    assert house.last.figures.strategy == "none"


async def test_a_call_that_forbids_the_store_was_not_withheld_by_the_policy(build: Build) -> None:
    house = build(*NEW)
    for _ in range(3):
        await house.ask(SAMPLED, cache_control="no-store")

    assert {entry.figures.strategy for entry in house.entries} == {"none"}


async def test_another_tenants_call_is_not_one_withheld(build: Build) -> None:
    house = build(*NEW)
    await house.ask(SAMPLED, key="sk-one")
    await house.ask(SAMPLED, key="sk-two")

    assert {entry.figures.strategy for entry in house.entries} == {"none"}


async def test_a_route_may_reuse_sampled_answers(build: Build) -> None:
    house = build(*NEW, route=[{"route": "chat.*", "model": "gpt-4o*", "sampled": "reuse"}])
    await house.ask(SAMPLED)

    assert cache(await house.ask(SAMPLED)) == "hit"


@pytest.mark.parametrize(
    "rule",
    [{"route": "responses", "sampled": "reuse"}, {"model": "claude-*", "sampled": "reuse"}],
)
async def test_a_route_for_other_calls_changes_nothing(build: Build, rule: dict[str, str]) -> None:
    house = build(*NEW, route=[rule])
    await house.ask(SAMPLED)

    assert cache(await house.ask(SAMPLED)) == "bypass"


async def test_the_first_route_that_matches_holds(build: Build) -> None:
    rules = [{"model": "gpt-*", "sampled": "bypass"}, {"model": "*", "sampled": "reuse"}]
    house = build(*NEW, route=rules)
    await house.ask(SAMPLED)
    await house.ask(SAMPLED | {"model": "llama"})

    assert cache(await house.ask(SAMPLED)) == "bypass"
    assert cache(await house.ask(SAMPLED | {"model": "llama"})) == "hit"


@pytest.mark.parametrize("sampled", ["bypass", "reuse"])
async def test_a_stateful_response_is_never_answered_from_the_store(
    build: Build, sampled: str
) -> None:
    house = build(whole(response_answer()), sampled=sampled)
    asked = {"model": "m", "input": "Go on", "temperature": 0, "previous_response_id": "resp_1"}

    heard = [await house.ask(asked, target=b"/v1/responses") for _ in range(3)]

    assert [cache(one) for one in heard] == ["bypass"] * 3
    assert count(house) == 3
    assert {entry.figures.strategy for entry in house.entries} == {"none"}


async def test_calls_whose_numbers_cannot_be_read_exactly_never_share_an_answer(
    build: Build,
) -> None:
    house = build(*NEW)
    first = b'{"model":"m","seed":36893488147419103232}'
    second = b'{"model":"m","seed":36893488147419103233}'

    heard = [await house.ask(first), await house.ask(second), await house.ask(first)]

    assert [cache(one) for one in heard] == ["bypass"] * 3
    assert len({one.answer for one in heard}) == 3


async def test_numbers_that_cannot_be_read_exactly_are_not_coalesced(build: Build) -> None:
    gate = asyncio.Event()
    house = build(whole(chat_answer(), after=gate))
    bodies = [b'{"model":"m","seed":3689348814741910323%d}' % i for i in range(3)]

    asked = [asyncio.create_task(house.ask(body)) for body in bodies]
    await asyncio.sleep(0.01)
    gate.set()
    await asyncio.gather(*asked)

    assert count(house) == 3


async def test_an_answer_serves_for_its_time_and_no_longer(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(*NEW, ttl=60)
    await house.ask(ASK)
    start = time.time_ns()

    monkeypatch.setattr(time, "time_ns", lambda: start + 59 * 10**9)
    in_time = cache(await house.ask(ASK))
    monkeypatch.setattr(time, "time_ns", lambda: start + 61 * 10**9)
    too_late = await house.ask(ASK)

    assert in_time == "hit"
    assert cache(too_late) == "miss"
    assert too_late.json["choices"][0]["message"]["content"] == "second"


async def test_a_route_may_have_a_time_of_its_own(build: Build) -> None:
    house = build(*NEW, route=[{"model": "gpt-*", "ttl": "0s"}])
    await house.ask(ASK)

    assert cache(await house.ask(ASK)) == "miss"


async def test_a_hit_says_how_old_it_is(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    house = build()
    await house.ask(ASK)
    later = time.time_ns() + 42 * 10**9

    monkeypatch.setattr(time, "time_ns", lambda: later)

    assert (await house.ask(ASK)).answer_headers["age"] == "42"


async def test_a_hit_keeps_the_headers_that_last_and_drops_those_of_one_exchange(
    build: Build,
) -> None:
    house = build(
        whole(
            chat_answer(),
            headers=[
                (b"openai-version", b"2020-10-01"),
                (b"x-request-id", b"req_1"),
                (b"set-cookie", b"session=secret"),
                (b"date", b"Mon, 23 Nov 2026 12:00:00 GMT"),
                (b"x-ratelimit-remaining-tokens", b"7"),
            ],
        )
    )
    first, second = (await house.ask(ASK)).answer_headers, (await house.ask(ASK)).answer_headers

    assert first["x-request-id"] == "req_1"
    assert second["openai-version"] == "2020-10-01"
    assert second["content-type"] == "application/json"
    passing = {"x-request-id", "set-cookie", "date", "x-ratelimit-remaining-tokens"}
    assert passing.isdisjoint(second)


async def test_unknown_fields_tools_and_several_choices_pass_untouched_and_are_kept(
    build: Build,
) -> None:
    answer = chat_answer(
        choices=[
            {"index": i, "message": {"role": "assistant", "tool_calls": [{"id": "call_1"}]}}
            for i in range(2)
        ],
        a_field_nobody_knows={"deep": [1, 2.5, None]},
    )
    house = build(whole(answer), route=({"tool_calls": "keep"},))
    asked = request(ASK | {"n": 2, "tools": [{"type": "function"}], "unheard_of": {"x": [1.0]}})

    first = await answered(house.gateway, asked)
    second = await house.ask(asked.body)

    assert isinstance(house.upstream, ScriptedUpstream)
    assert house.upstream.calls[0].body == asked.body
    assert first.answer == second.answer == answer
    assert cache(second) == "hit"


async def test_an_answer_that_asks_for_a_tool_is_not_kept_unless_a_rule_says_so(
    build: Build,
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [{"id": "call_1"}]}}
    house = build(whole(chat_answer(choices=[choice])))

    first = await house.ask(ASK)
    second = await house.ask(ASK)

    assert (cache(first), cache(second)) == ("miss", "miss")
