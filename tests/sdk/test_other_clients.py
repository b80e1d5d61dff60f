"""The official Anthropic and Google clients through a pipeline in their own process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from anthropic import Anthropic, AsyncAnthropic
from google import genai
from google.genai import types

from lichen.calls.transports import async_client, client

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.pipeline import Pipeline
    from lichen.testing.provider import ScriptedProvider

    Open = Callable[..., Pipeline]

COLD = {"temperature": 0}
ASK: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hello"}],
}


def strategies(pipeline: Pipeline) -> list[str]:
    pipeline.book.flush()
    return [entry.figures.strategy for entry in pipeline.book.store.entries()]


def test_a_message_again_is_answered_here(open_pipeline: Open, upstream: ScriptedProvider) -> None:
    pipeline = open_pipeline()
    claude = Anthropic(
        base_url=upstream.url, api_key="sk-ant", http_client=pipeline.client(), max_retries=0
    )

    first, again = (claude.messages.create(**ASK, extra_body=COLD) for _ in range(2))

    assert first.content == again.content
    assert len(upstream.calls) == 1
    assert strategies(pipeline) == ["none", "calls.exact"]


async def test_a_streamed_message_again_is_the_same_stream(
    open_pipeline: Open, upstream: ScriptedProvider
) -> None:
    pipeline = open_pipeline()
    said = []
    for _ in range(2):
        async with (
            AsyncAnthropic(
                base_url=upstream.url,
                api_key="sk-ant",
                http_client=pipeline.async_client(),
                max_retries=0,
            ) as claude,
            claude.messages.stream(**ASK, extra_body=COLD) as stream,
        ):
            said.append([text async for text in stream.text_stream])

    assert said[0] == said[1]
    assert said[0]
    assert len(upstream.calls) == 1


async def test_content_again_is_generated_once_sync_and_async(
    open_pipeline: Open, upstream: ScriptedProvider
) -> None:
    pipeline = open_pipeline()
    options = types.HttpOptions(
        base_url=upstream.url,
        httpx_client=client(pipeline, httpx),
        httpx_async_client=async_client(pipeline, httpx),
    )
    gemini = genai.Client(api_key="AIza-secret", http_options=options)
    cold = types.GenerateContentConfig(temperature=0)

    first = gemini.models.generate_content(model="gemini-2.5-flash", contents="Hello", config=cold)
    again = await gemini.aio.models.generate_content(
        model="gemini-2.5-flash", contents="Hello", config=cold
    )

    assert first.text == again.text
    assert len(upstream.calls) == 1
    assert strategies(pipeline) == ["none", "calls.exact"]
