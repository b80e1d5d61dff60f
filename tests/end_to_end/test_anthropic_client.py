"""The official Anthropic client, pointed at a real `lichen serve` by its base URL alone."""

from __future__ import annotations

import base64
import json
import threading
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic

from lichen.ledger.tokens import Tokens
from lichen.testing.anthropic_answers import (
    ERROR,
    anthropic_answer,
    asked_tool,
    event_frame,
    message,
    message_frames,
    message_object,
    message_usage,
)
from lichen.testing.provider import by_kind, usual
from lichen.testing.provider_answers import Reply
from lichen.testing.service import RunningService
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.testing.provider import Received, ScriptedProvider

KEY = "sk-ant-secret-of-the-user"
EVENTS = (("content-type", "text/event-stream"),)
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n one pixel").decode()
WEATHER: Any = {
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
BATCH: dict[str, Any] = anthropic_answer("/v1/messages/batches", {}, "")[0]
# The client has no argument for it: newer models take none.
COLD = {"temperature": 0}


@pytest.fixture(scope="module")
def module_service(
    tmp_path_factory: pytest.TempPathFactory, module_upstream: ScriptedProvider
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    environ = {"LICHEN_ANTHROPIC_UPSTREAM": module_upstream.url, "LICHEN_ANTHROPIC_ZONE": "SE-SE3"}
    with RunningService(folder, environ=environ, upstream="http://127.0.0.1:9") as running:
        yield running


@pytest.fixture
def claude(service: RunningService) -> Iterator[Anthropic]:
    with Anthropic(base_url=service.url, api_key=KEY, max_retries=0) as made:
        yield made


def ask(text: str = "Hello", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": messages, **more}


def test_a_message_is_answered_and_booked(claude: Anthropic, service: RunningService) -> None:
    made = claude.messages.create(**ask(model="claude-first"))

    assert made.content[0].type == "text"
    assert made.content[0].text.startswith("answer ")
    entry = service.booked("claude-first").figures
    assert (entry.name, entry.zone) == ("messages", "SE-SE3")
    assert entry.tokens == Tokens(prefill=12, decode=5)


def test_the_request_goes_on_byte_for_byte(claude: Anthropic, upstream: ScriptedProvider) -> None:
    claude.messages.create(**ask(), extra_body={"new_field": [1.50]})

    call = upstream.calls[0]
    assert call.target == "/v1/messages"
    assert json.loads(call.body)["new_field"] == [1.5]
    assert call.header("authorization") == f"Bearer {KEY}"
    assert call.header("anthropic-version")


def test_the_second_identical_call_at_temperature_0_is_a_hit(
    claude: Anthropic, upstream: ScriptedProvider
) -> None:
    first = claude.messages.with_raw_response.create(**ask("twice"), extra_body=COLD)

    second = claude.messages.with_raw_response.create(**ask("twice"), extra_body=COLD)

    assert second.http_response.content == first.http_response.content
    assert second.headers["x-lichen-cache"] == "hit"
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"extra_headers": {"anthropic-version": "2024-01-01"}},
        {"extra_headers": {"anthropic-beta": "context-1m-2025-08-07"}},
        {"system": "Be terse."},
        {"max_tokens": 65},
        {"tools": [WEATHER], "tool_choice": {"type": "none"}},
    ],
)
def test_what_changes_the_answer_makes_another_call(
    claude: Anthropic, upstream: ScriptedProvider, other: dict[str, Any]
) -> None:
    text = f"another {other}"
    claude.messages.create(**ask(text), extra_body=COLD)

    claude.messages.create(**{**ask(text), **other}, extra_body=COLD)

    assert len(upstream.calls) == 2


def test_another_key_gets_an_answer_of_its_own(
    claude: Anthropic, service: RunningService, upstream: ScriptedProvider
) -> None:
    claude.messages.create(**ask("mine"), extra_body=COLD)
    with Anthropic(base_url=service.url, api_key="sk-ant-other", max_retries=0) as other:
        other.messages.create(**ask("mine"), extra_body=COLD)

    assert len(upstream.calls) == 2


def test_a_stream_comes_event_by_event_and_a_second_one_from_the_store(
    claude: Anthropic, upstream: ScriptedProvider
) -> None:
    with claude.messages.stream(**ask("stream"), extra_body=COLD) as first:
        text = "".join(first.text_stream)
    with claude.messages.stream(**ask("stream"), extra_body=COLD) as second:
        again = second.get_final_message()

    assert again.content[0].type == "text"
    assert again.content[0].text == text
    assert again.usage.output_tokens == 5
    assert len(upstream.calls) == 1


def test_cached_and_thought_tokens_are_told_apart(
    claude: Anthropic, service: RunningService, upstream: ScriptedProvider
) -> None:
    usage = message_usage(10, 30, kept=2000, cached=5000, thought=12)
    upstream.script = lambda _call: Reply(chunks=(message("Hello.", usage=usage),))
    claude.messages.create(**ask(model="claude-whole"))
    upstream.script = lambda _call: Reply(
        headers=EVENTS, chunks=message_frames("Hello.", usage=usage)
    )

    with claude.messages.stream(**ask(model="claude-stream")) as stream:
        stream.until_done()

    told = Tokens(10, cache_read=5000, cache_write=2000, decode=18, reasoning=12)
    assert service.booked("claude-whole").figures.tokens == told
    assert service.booked("claude-stream").figures.tokens == told


def test_a_tool_is_asked_for_and_its_result_given_back(claude: Anthropic) -> None:
    first = claude.messages.create(**ask("Weather?", tools=[WEATHER]))
    asked = first.content[0]
    assert asked.type == "tool_use"
    result: Any = [{"type": "tool_result", "tool_use_id": asked.id, "content": "sunny"}]

    second = claude.messages.create(
        model="claude-haiku-4-5",
        max_tokens=64,
        tools=[WEATHER],
        messages=[
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": result},
        ],
    )

    assert asked.input == {"city": "Lisbon"}
    assert second.stop_reason == "end_turn"


def test_an_answer_that_asks_for_a_tool_is_not_stored(
    claude: Anthropic, upstream: ScriptedProvider
) -> None:
    asked = ask("Which tool?", tools=[WEATHER])
    claude.messages.create(**asked, extra_body=COLD)
    claude.messages.create(**asked, extra_body=COLD)
    with claude.messages.stream(**asked, extra_body=COLD) as stream:
        final = stream.get_final_message()
    with claude.messages.stream(**asked, extra_body=COLD) as stream:
        stream.until_done()

    assert final.content == [final.content[0]]
    assert final.stop_reason == "tool_use"
    assert len(upstream.calls) == 4


def test_an_image_and_another_one_are_two_calls(
    claude: Anthropic, upstream: ScriptedProvider
) -> None:
    def look(data: str) -> None:
        source = {"type": "base64", "media_type": "image/png", "data": data}
        content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "What?"}]
        claude.messages.create(**{**ask(), "messages": [{"role": "user", "content": content}]})

    look(PIXEL)
    look(PIXEL[:-4] + "AAAA")

    assert len({call.body for call in upstream.calls}) == 2


def test_structured_output_comes_as_asked(claude: Anthropic) -> None:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}

    output = {"format": {"type": "json_schema", "schema": schema}}

    made = claude.messages.create(**ask(output_config=output))

    assert made.content[0].type == "text"
    assert json.loads(made.content[0].text)["text"].startswith("answer ")


def test_tokens_are_counted_and_batches_made_without_an_entry_for_a_call(
    claude: Anthropic, service: RunningService
) -> None:
    messages: Any = ask()["messages"]
    requests: Any = [{"custom_id": "a", "params": ask()}]

    counted = claude.messages.count_tokens(model="claude-haiku-4-5", messages=messages)
    batch = claude.messages.batches.create(requests=requests)

    assert counted.input_tokens == 14
    assert batch.processing_status == "in_progress"
    [entry] = until(lambda: [e for e in service.entries() if e.figures.name == "other"])
    assert entry.figures.gaps == ("batch-answered-later",)


def test_the_results_of_a_batch_pass_line_by_line(
    claude: Anthropic, upstream: ScriptedProvider, service: RunningService
) -> None:
    result = {"type": "succeeded", "message": message_object("Hello.")}
    line = json.dumps({"custom_id": "a", "result": result}).encode() + b"\n"
    where = f"{service.url}/v1/messages/batches/msgbatch_1/results"
    ended = {**BATCH, "processing_status": "ended", "results_url": where}

    def script(call: Received) -> Reply:
        if call.target.endswith("/results"):
            return Reply(headers=(("content-type", "application/x-jsonl"),), chunks=(line, line))
        return Reply(chunks=(json.dumps(ended).encode(),))

    upstream.script = script

    results = list(claude.messages.batches.results("msgbatch_1"))

    assert [one.result.type for one in results] == ["succeeded", "succeeded"]
    assert upstream.calls[-1].target == "/v1/messages/batches/msgbatch_1/results"


def test_the_clients_own_list_of_models_is_asked_of_anthropic(
    claude: Anthropic, upstream: ScriptedProvider
) -> None:
    upstream.script = lambda _call: Reply(
        chunks=(b'{"data":[],"has_more":false,"first_id":null,"last_id":null}',)
    )

    claude.models.list()

    assert upstream.calls[0].target == "/v1/models"
    assert upstream.calls[0].header("anthropic-version")


def test_a_base_url_may_name_the_provider(
    service: RunningService, upstream: ScriptedProvider
) -> None:
    with Anthropic(base_url=f"{service.url}/anthropic", api_key=KEY, max_retries=0) as named:
        named.messages.create(**ask())

    assert upstream.calls[0].target == "/v1/messages"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, anthropic.BadRequestError),
        (429, anthropic.RateLimitError),
        (529, anthropic.APIStatusError),
    ],
)
def test_an_error_of_the_provider_is_the_clients_own_exception(
    claude: Anthropic, upstream: ScriptedProvider, status: int, kind: type[Exception]
) -> None:
    upstream.script = lambda _call: Reply(status=status, chunks=(json.dumps(ERROR).encode(),))

    with pytest.raises(kind, match="Overloaded"):
        claude.messages.create(**ask())


def test_an_error_of_lichens_own_is_the_clients_own_exception(service: RunningService) -> None:
    with (
        Anthropic(base_url=service.url, api_key=KEY, max_retries=0) as claude,
        pytest.raises(anthropic.BadRequestError, match="must be a JSON object") as told,
    ):
        claude.post("/v1/messages", body=["no object"], cast_to=object)

    assert told.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]


def test_an_upstream_that_cannot_be_reached_is_told_in_the_providers_shape(
    serve: Any, tmp_path: Any
) -> None:
    assert tmp_path
    environ = {"LICHEN_ANTHROPIC_UPSTREAM": "http://127.0.0.1:9"}
    service = serve(environ=environ)

    with (
        Anthropic(base_url=service.url, api_key=KEY, max_retries=0) as claude,
        pytest.raises(anthropic.InternalServerError, match="LICHEN_ANTHROPIC_UPSTREAM") as told,
    ):
        claude.messages.create(**ask())

    assert told.value.body["type"] == "error"  # type: ignore[index]


def test_a_stream_that_breaks_off_raises_and_is_not_stored(
    claude: Anthropic, upstream: ScriptedProvider
) -> None:
    frames = message_frames("Hello there.")
    upstream.script = lambda _call: Reply(headers=EVENTS, chunks=frames[:4], breaks=True)

    with (
        pytest.raises(anthropic.APIError, match="broke off"),
        claude.messages.stream(**ask("cut"), extra_body=COLD) as stream,
    ):
        stream.until_done()
    upstream.script = by_kind
    claude.messages.stream(**ask("cut"), extra_body=COLD).__enter__().close()

    assert len(upstream.calls) == 2


def test_an_error_in_the_midst_of_a_stream_is_raised_and_not_stored(
    claude: Anthropic, upstream: ScriptedProvider
) -> None:
    frames = (*message_frames("Hello there.")[:4], event_frame(ERROR))
    upstream.script = lambda _call: Reply(headers=EVENTS, chunks=frames)

    for _ in range(2):
        with (
            pytest.raises(anthropic.APIStatusError, match="Overloaded"),
            claude.messages.stream(**ask("late error"), extra_body=COLD) as stream,
        ):
            stream.until_done()

    assert len(upstream.calls) == 2


@pytest.mark.parametrize("stop", ["refusal", "pause_turn"])
def test_a_turn_that_is_no_answer_is_not_stored(
    claude: Anthropic, upstream: ScriptedProvider, stop: str
) -> None:
    upstream.script = lambda _call: Reply(chunks=(message("Not now.", stop=stop),))

    claude.messages.create(**ask(stop), extra_body=COLD)
    claude.messages.create(**ask(stop), extra_body=COLD)

    assert len(upstream.calls) == 2


def test_an_answer_that_its_own_limit_cut_is_the_whole_answer_to_that_call(
    claude: Anthropic, upstream: ScriptedProvider
) -> None:
    upstream.script = lambda _call: Reply(chunks=(message("Once upon a", stop="max_tokens"),))

    claude.messages.create(**ask("limit"), extra_body=COLD)
    claude.messages.create(**ask("limit"), extra_body=COLD)

    assert len(upstream.calls) == 1


@pytest.mark.parametrize(
    "state",
    [
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"container": "container_1"},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "url", "url": "https://x.example/a"}}
                    ],
                }
            ]
        },
    ],
)
def test_what_leans_on_a_state_elsewhere_is_never_reused(
    claude: Anthropic, upstream: ScriptedProvider, state: dict[str, Any]
) -> None:
    upstream.script = lambda _call: Reply(chunks=(message("Found."),))
    for _ in range(2):
        claude.messages.create(**{**ask(), **state}, extra_body=COLD)

    assert len(upstream.calls) == 2


def test_identical_calls_in_flight_become_one(
    claude: Anthropic, upstream: ScriptedProvider
) -> None:
    gate = threading.Event()
    upstream.script = lambda call: usual(call, before=gate)
    heard: list[str] = []

    def one() -> None:
        raw = claude.messages.with_raw_response.create(**ask("together"), extra_body=COLD)
        heard.append(raw.headers["x-lichen-cache"])

    threads = [threading.Thread(target=one) for _ in range(5)]
    for thread in threads:
        thread.start()
    threading.Timer(0.5, gate.set).start()
    for thread in threads:
        thread.join()

    assert len(upstream.calls) == 1
    assert heard.count("miss") == 1


async def test_the_asyncio_client_streams_too(service: RunningService) -> None:
    async with (
        AsyncAnthropic(base_url=service.url, api_key=KEY, max_retries=0) as claude,
        claude.messages.stream(**ask("async")) as stream,
    ):
        text = "".join([part async for part in stream.text_stream])

    assert text.startswith("answer ")


def test_neither_key_nor_prompt_is_written_anywhere(serve: Any, upstream: ScriptedProvider) -> None:
    service = serve(environ={"LICHEN_ANTHROPIC_UPSTREAM": upstream.url})
    with Anthropic(base_url=service.url, api_key=KEY, max_retries=0) as claude:
        claude.messages.create(**ask("my secret prompt"), extra_body=COLD)
        upstream.script = lambda _call: Reply(chunks=(message(asked_tool("weather")),))
        claude.messages.create(**ask("my secret prompt, again"))
    service.stop()

    for path in service.folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes()
            assert b"my secret prompt" not in path.read_bytes()
