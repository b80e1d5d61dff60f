"""Pipeline: the official clients, unchanged but for their HTTP client, without a server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

import lichen
from lichen.calls.transports import async_transport, client, transport
from lichen.ledger.errors import InputError
from lichen.testing.provider import usual
from lichen.testing.provider_answers import answer, failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.calls.pipeline import Pipeline
    from lichen.ledger.entry import Entry
    from lichen.testing.provider import ScriptedProvider

    Open = Callable[..., Pipeline]

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
}


def entries(pipeline: Pipeline) -> list[Entry]:
    pipeline.book.flush()
    return [e for e in pipeline.book.store.entries() if e.figures.strategy != "lichen"]


def speak(pipeline: Pipeline, url: str, key: str = "sk-one") -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key=key, http_client=pipeline.client(), max_retries=0)


def test_the_same_call_again_is_answered_here(
    open_pipeline: Open, upstream: ScriptedProvider
) -> None:
    pipeline = open_pipeline()
    openai_client = speak(pipeline, upstream.url)

    first, again = (openai_client.chat.completions.create(**ASK) for _ in range(2))

    assert first.choices[0].message.content == again.choices[0].message.content
    assert len(upstream.calls) == 1
    assert [e.figures.strategy for e in entries(pipeline)] == ["none", "calls.exact"]


def test_what_was_spared_stands_in_the_headers_and_is_proved(
    open_pipeline: Open, upstream: ScriptedProvider
) -> None:
    pipeline = open_pipeline()
    raw = speak(pipeline, upstream.url).chat.completions.with_raw_response
    raw.create(**ASK)

    heard = raw.create(**ASK)

    assert heard.headers["x-lichen-cache"] == "hit"
    pipeline.book.flush()
    assert pipeline.book.prove(heard.headers["x-lichen-id"]).holds


def test_a_stream_is_replayed_as_a_stream(open_pipeline: Open, upstream: ScriptedProvider) -> None:
    openai_client = speak(open_pipeline(), upstream.url)

    said = [
        [
            chunk.choices[0].delta.content
            for chunk in openai_client.chat.completions.create(**ASK, stream=True)
            if chunk.choices
        ]
        for _ in range(2)
    ]

    assert said[0] == said[1]
    assert len(said[0]) > 2
    assert len(upstream.calls) == 1


async def test_async_clients_of_several_loops_and_threads_share_one_answer(
    open_pipeline: Open, upstream: ScriptedProvider
) -> None:
    go = threading.Event()
    upstream.script = lambda call: usual(call, before=go)
    pipeline = open_pipeline()

    async def ask() -> str | None:
        async with AsyncOpenAI(
            base_url=f"{upstream.url}/v1",
            api_key="sk-one",
            http_client=pipeline.async_client(),
            max_retries=0,
        ) as speaking:
            made = await speaking.chat.completions.create(**ASK)
            text: str | None = made.choices[0].message.content
            return text

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(asyncio.run, ask()) for _ in range(3)]
        here = asyncio.create_task(ask())
        await asyncio.sleep(0.5)  # all four are under way, whichever came first
        go.set()
        said = {await here, *(await asyncio.gather(*map(asyncio.wrap_future, waiting)))}

    assert len(said) == 1
    assert len(upstream.calls) == 1
    strategies = sorted(e.figures.strategy for e in entries(pipeline))
    assert strategies == ["calls.coalesce"] * 3 + ["none"]


def test_two_credentials_and_two_services_share_nothing(
    open_pipeline: Open, upstream: ScriptedProvider
) -> None:
    pipeline = open_pipeline()
    elsewhere = upstream.url.replace("127.0.0.1", "localhost")

    for url, key in ((upstream.url, "sk-one"), (upstream.url, "sk-two"), (elsewhere, "sk-one")):
        speak(pipeline, url, key).chat.completions.create(**ASK)

    assert len(upstream.calls) == 3
    assert all(call.header("lichen-origin") is None for call in upstream.calls)
    assert [call.header("authorization") for call in upstream.calls] == [
        "Bearer sk-one",
        "Bearer sk-two",
        "Bearer sk-one",
    ]


def test_an_api_below_a_path_of_its_own_is_read_too(
    open_pipeline: Open, upstream: ScriptedProvider
) -> None:
    pipeline = open_pipeline()
    upstream.script = lambda call: answer("/v1/chat/completions", call.body)

    speak(pipeline, f"{upstream.url}/api").chat.completions.create(**ASK)

    assert upstream.calls[0].target == "/api/v1/chat/completions"
    [entry] = entries(pipeline)
    assert entry.figures.name == "chat.completions"


def test_an_error_of_the_service_is_the_client_s_own_exception(
    open_pipeline: Open, upstream: ScriptedProvider
) -> None:
    upstream.script = lambda _call: failure(429, retry_after="7")

    with pytest.raises(openai.RateLimitError) as caught:
        speak(open_pipeline(), upstream.url).chat.completions.create(**ASK)

    assert caught.value.response.headers["retry-after"] == "7"


def test_a_service_that_cannot_be_reached_is_told_as_one(open_pipeline: Open) -> None:
    with pytest.raises(openai.InternalServerError, match="cannot be reached"):
        speak(open_pipeline(), "http://127.0.0.1:9").chat.completions.create(**ASK)


def test_the_client_s_own_timeout_holds(open_pipeline: Open, upstream: ScriptedProvider) -> None:
    never = threading.Event()
    upstream.script = lambda call: usual(call, before=never)
    impatient = speak(open_pipeline(), upstream.url).with_options(timeout=0.3)
    began = time.monotonic()

    with pytest.raises(openai.APITimeoutError):
        impatient.chat.completions.create(**ASK)

    assert time.monotonic() - began < 5
    never.set()


def test_a_reader_that_leaves_a_stream_ends_its_call(
    open_pipeline: Open, upstream: ScriptedProvider
) -> None:
    pipeline = open_pipeline()
    go = threading.Event()
    upstream.script = lambda call: usual(call, between=go)

    with speak(pipeline, upstream.url).chat.completions.create(
        **{**ASK, "temperature": 1}, stream=True
    ) as stream:
        next(stream)

    assert upstream.calls[0].left.wait(10)
    go.set()


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_both_generations_of_the_http_library_go_this_way(
    open_pipeline: Open, upstream: ScriptedProvider, library: Any
) -> None:
    pipeline = open_pipeline()
    url = f"{upstream.url}/v1/chat/completions"

    with client(pipeline, library) as speaking:
        heard = [speaking.post(url, json=ASK) for _ in range(2)]
        models = speaking.get(f"{upstream.url}/v1/models")

    assert [one.headers["x-lichen-cache"] for one in heard] == ["miss", "hit"]
    assert heard[0].json() == heard[1].json()
    assert models.status_code == 200
    assert transport(pipeline, library)
    assert async_transport(pipeline, library)


def test_a_closed_pipeline_says_so(open_pipeline: Open, upstream: ScriptedProvider) -> None:
    pipeline = open_pipeline()
    speaking = pipeline.client()
    pipeline.close()
    pipeline.close()

    with pytest.raises(InputError, match="this pipeline is closed"):
        speaking.post(f"{upstream.url}/v1/chat/completions", json=ASK)


def test_closing_writes_what_was_booked(open_pipeline: Open, upstream: ScriptedProvider) -> None:
    pipeline = open_pipeline()
    speak(pipeline, upstream.url).chat.completions.create(**ASK)

    pipeline.close()

    with lichen.open("lichen.db") as book:
        assert [e.figures.strategy for e in book.store.entries()][:1] == ["none"]


@pytest.mark.parametrize("url", ["/v1/models", "ftp://host/v1", ""])
def test_an_address_that_is_none_is_refused(open_pipeline: Open, url: str) -> None:
    with pytest.raises(InputError, match="absolute http and https addresses"):
        open_pipeline().ask("GET", url, [])


FORGETFUL = """
import sys, lichen
from openai import OpenAI

pipeline = lichen.pipeline("lichen.db", zone="SE-SE3")
client = OpenAI(base_url=sys.argv[1], api_key="sk-one", http_client=pipeline.client())
ask = client.chat.completions.with_raw_response.create
words = [{"role": "user", "content": "Hello"}]
print(ask(model="m", messages=words, temperature=0).headers["x-lichen-cache"])
"""


def test_a_program_that_closes_nothing_loses_nothing(
    upstream: ScriptedProvider, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(FORGETFUL)

    runs = [
        subprocess.run(
            [sys.executable, "program.py", f"{upstream.url}/v1"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        for _ in range(2)
    ]

    assert [run.stdout.strip() for run in runs] == ["miss", "hit"]
    assert [run.stderr for run in runs] == ["", ""]
    assert not list(tmp_path.glob("*-wal"))
