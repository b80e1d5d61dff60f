"""The official OpenAI client, pointed at a real `lichen serve` by its base URL and nothing else."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from lichen.testing.provider import usual
from lichen.testing.questions import question
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from lichen.testing.provider import ScriptedProvider
    from lichen.testing.service import RunningService


def test_a_chat_is_answered(client: OpenAI) -> None:
    made = client.chat.completions.create(**question())

    assert (made.choices[0].message.content or "").startswith("answer ")
    assert made.usage is not None
    assert made.usage.total_tokens == 15


def test_the_second_identical_call_is_a_hit_and_equal_byte_for_byte(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked = question()
    first = client.chat.completions.with_raw_response.create(**asked)

    second = client.chat.completions.with_raw_response.create(**asked)

    assert second.content == first.content
    assert (first.headers["x-lichen-cache"], second.headers["x-lichen-cache"]) == ("miss", "hit")
    assert len(upstream.calls) == 1


def test_a_raw_response_tells_what_the_call_used(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(**question())

    value, low, high = (
        float(part.rpartition("=")[2]) for part in raw.headers["x-lichen-energy-wh"].split(";")
    )
    assert 0 < low < value < high
    assert len(raw.headers["x-lichen-id"]) == 16
    assert raw.headers["content-type"] == "application/json"


def test_a_hit_tells_what_it_spared_and_its_age(client: OpenAI) -> None:
    asked = question()
    used = client.chat.completions.with_raw_response.create(**asked).headers["x-lichen-energy-wh"]

    hit = client.chat.completions.with_raw_response.create(**asked).headers

    assert hit["x-lichen-energy-wh"].startswith("0;")
    assert hit["x-lichen-avoided-energy-wh"].partition(";")[0] == used.partition(";")[0]
    assert int(hit["age"]) >= 0


def test_a_sampled_call_is_answered_anew_each_time(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked = question(temperature=1)
    first = client.chat.completions.create(**asked)

    second = client.chat.completions.create(**asked)

    assert second.choices[0].message.content != first.choices[0].message.content
    assert len(upstream.calls) == 2


def test_another_credential_gets_an_answer_of_its_own(
    service: RunningService, client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked = question()
    client.chat.completions.create(**asked)

    with OpenAI(base_url=service.base_url, api_key="sk-other") as other:
        raw = other.chat.completions.with_raw_response.create(**asked)

    assert raw.headers["x-lichen-cache"] == "miss"
    assert len(upstream.calls) == 2


def test_a_stream_comes_word_by_word_and_is_replayed_as_a_stream(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked = question(stream=True, stream_options={"include_usage": True})
    first = [chunk.model_dump() for chunk in client.chat.completions.create(**asked)]

    again = [chunk.model_dump() for chunk in client.chat.completions.create(**asked)]

    words = [c["choices"][0]["delta"]["content"] for c in first if c["choices"]]
    assert "".join(filter(None, words)).startswith("answer ")
    assert first[-1]["usage"]["total_tokens"] == 15
    assert again == first
    assert len(upstream.calls) == 1


def test_the_first_word_of_a_stream_does_not_wait_for_the_last(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    rest = threading.Event()
    upstream.script = lambda call: usual(call, between=rest)

    with client.chat.completions.create(**question(stream=True)) as stream:
        first = next(iter(stream))
        rest.set()
        others = list(stream)

    assert first.choices[0].delta.role == "assistant"
    assert others[-1].choices[0].finish_reason == "stop"


def test_embeddings_are_answered_and_stored(client: OpenAI, upstream: ScriptedProvider) -> None:
    asked: dict[str, Any] = {
        "model": "text-embedding-3-small",
        "input": question()["messages"][0]["content"],
    }
    first = client.embeddings.create(**asked)

    second = client.embeddings.create(**asked)

    assert first.data[0].embedding[:2] == pytest.approx([0.6, 0.8])
    assert second == first
    assert len(upstream.calls) == 1


def test_text_completions_are_answered_and_stored(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked: dict[str, Any] = {
        "model": "gpt-3.5-turbo-instruct",
        "prompt": str(question()),
        "seed": 7,
    }
    first = client.completions.create(**asked)

    second = client.completions.create(**asked)

    assert first.choices[0].text.startswith("answer ")
    assert second == first
    assert len(upstream.calls) == 1


def test_responses_are_answered_and_stored(client: OpenAI, upstream: ScriptedProvider) -> None:
    asked: dict[str, Any] = {"model": "gpt-5", "input": str(question()), "temperature": 0}
    first = client.responses.create(**asked)

    second = client.responses.create(**asked)

    assert first.output_text.startswith("answer ")
    assert second == first
    assert len(upstream.calls) == 1


def test_a_streamed_response_is_replayed_event_by_event(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked: dict[str, Any] = {"model": "gpt-5", "input": str(question()), "temperature": 0}
    first = [event.type for event in client.responses.create(**asked, stream=True)]

    again = [event.type for event in client.responses.create(**asked, stream=True)]

    assert first[0] == "response.created"
    assert first[-1] == "response.completed"
    assert again == first
    assert len(upstream.calls) == 1


def test_the_models_of_the_upstream_are_listed(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["gpt-4o-mini"]


async def test_the_async_client_is_answered_from_the_store(
    async_client: AsyncOpenAI, upstream: ScriptedProvider
) -> None:
    asked = question()
    first = await async_client.chat.completions.create(**asked)

    second = await async_client.chat.completions.create(**asked)

    assert second == first
    assert len(upstream.calls) == 1


async def test_the_async_client_reads_a_replayed_stream(
    async_client: AsyncOpenAI, upstream: ScriptedProvider
) -> None:
    asked = question(stream=True)
    first = [chunk async for chunk in await async_client.chat.completions.create(**asked)]

    again = [chunk async for chunk in await async_client.chat.completions.create(**asked)]

    assert again == first
    assert len(upstream.calls) == 1


async def test_fifty_identical_calls_under_way_become_one(
    async_client: AsyncOpenAI, upstream: ScriptedProvider, service: RunningService
) -> None:
    go = threading.Event()
    upstream.script = lambda call: usual(call, before=go)
    asked = question()

    async def ask() -> Any:
        return await async_client.chat.completions.with_raw_response.create(**asked)

    calls = [asyncio.create_task(ask()) for _ in range(50)]
    await asyncio.to_thread(until, lambda: upstream.calls)

    go.set()
    answers = await asyncio.gather(*calls)

    assert len({made.content for made in answers}) == 1
    assert len(upstream.calls) == 1
    assert {made.headers["x-lichen-cache"] for made in answers} <= {"miss", "coalesced", "hit"}
    assert service.get("/healthz")[0] == 200


async def test_fifty_identical_streams_under_way_become_one(
    async_client: AsyncOpenAI, upstream: ScriptedProvider
) -> None:
    rest = threading.Event()
    upstream.script = lambda call: usual(call, between=rest)
    asked = question(stream=True)

    async def read() -> list[Any]:
        return [chunk async for chunk in await async_client.chat.completions.create(**asked)]

    reading = [asyncio.create_task(read()) for _ in range(50)]
    await asyncio.to_thread(until, lambda: upstream.calls)
    rest.set()
    streams = await asyncio.gather(*reading)

    assert all(stream == streams[0] for stream in streams)
    assert len(upstream.calls) == 1


def test_an_unknown_path_is_the_client_s_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.get("/no/such/path", cast_to=object)


def test_a_base_url_without_v1_says_what_it_should_be(service: RunningService) -> None:
    with (
        OpenAI(base_url=service.url, api_key="sk-test", max_retries=0) as lost,
        pytest.raises(openai.NotFoundError, match="set the base URL to http://HOST:PORT/v1"),
    ):
        lost.chat.completions.create(**question())


def test_malformed_json_is_the_client_s_bad_request(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    with pytest.raises(openai.BadRequestError, match="not valid JSON") as caught:
        client.post("/chat/completions", cast_to=object, content=b'{"model": "x", ')

    assert caught.value.code == "invalid_body"
    assert upstream.calls == []


def test_two_calls_that_differ_in_one_word_have_two_answers(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked = question()
    client.chat.completions.create(**asked)

    client.chat.completions.create(**{**asked, "max_tokens": 7})

    assert len(upstream.calls) == 2
