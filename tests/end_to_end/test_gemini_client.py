"""The official Gemini client, pointed at a real `lichen serve` by its base URL alone."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import errors, types

from lichen.ledger.tokens import Tokens
from lichen.testing.gemini_answers import content, content_frames, content_usage
from lichen.testing.provider import by_kind
from lichen.testing.provider_answers import Reply
from lichen.testing.service import RunningService
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.testing.provider import Received, ScriptedProvider

KEY = "AIza-secret-of-the-user"
MODEL = "gemini-2.5-flash"
EVENTS = (("content-type", "text/event-stream"),)
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="weather",
            parameters=types.Schema(
                type=types.Type.OBJECT, properties={"city": types.Schema(type=types.Type.STRING)}
            ),
        )
    ]
)


@pytest.fixture(scope="module")
def module_service(
    tmp_path_factory: pytest.TempPathFactory, module_upstream: ScriptedProvider
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    environ = {"LICHEN_GEMINI_UPSTREAM": module_upstream.url, "LICHEN_GEMINI_ZONE": "SE-SE3"}
    with RunningService(folder, environ=environ, upstream="http://127.0.0.1:9") as running:
        yield running


def client_of(url: str, **how: Any) -> genai.Client:
    options = types.HttpOptions(base_url=url, api_version=how.get("api_version"))
    return genai.Client(api_key=how.get("key", KEY), http_options=options)


@pytest.fixture
def gemini(service: RunningService) -> Iterator[genai.Client]:
    made = client_of(service.url)
    yield made
    made.close()


def cold(**more: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(temperature=0, **more)


def test_content_is_generated_and_booked(gemini: genai.Client, service: RunningService) -> None:
    made = gemini.models.generate_content(model="gemini-first", contents="Hello")

    assert (made.text or "").startswith("answer ")
    entry = service.booked("gemini-first").figures
    assert (entry.name, entry.zone) == ("generate_content", "SE-SE3")
    assert entry.tokens == Tokens(prefill=12, decode=5)


def test_the_request_goes_on_byte_for_byte(
    gemini: genai.Client, upstream: ScriptedProvider
) -> None:
    config = types.GenerateContentConfig(
        http_options=types.HttpOptions(extra_body={"newField": [1.5]})
    )

    gemini.models.generate_content(model=MODEL, contents="Hello", config=config)

    call = upstream.calls[0]
    assert call.target == f"/v1/models/{MODEL}:generateContent"
    assert json.loads(call.body)["newField"] == [1.5]
    assert call.header("x-goog-api-key") == KEY


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_every_version_of_the_api_is_understood(
    service: RunningService, upstream: ScriptedProvider, version: str
) -> None:
    made = client_of(service.url, api_version=version)
    for _ in range(2):
        made.models.generate_content(model=MODEL, contents=version, config=cold())
    made.close()

    assert [call.target for call in upstream.calls] == [
        f"/{version}/models/{MODEL}:generateContent"
    ]


@pytest.mark.parametrize("more", [{"temperature": 0}, {"seed": 7, "temperature": 1}])
def test_the_second_identical_call_that_is_deterministic_is_a_hit(
    gemini: genai.Client, upstream: ScriptedProvider, more: dict[str, Any]
) -> None:
    config = types.GenerateContentConfig(**more)
    first = gemini.models.generate_content(model=MODEL, contents=f"{more}", config=config)

    second = gemini.models.generate_content(model=MODEL, contents=f"{more}", config=config)

    assert second.text == first.text
    assert second.sdk_http_response is not None
    assert (second.sdk_http_response.headers or {})["x-lichen-cache"] == "hit"
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"system_instruction": "Be terse."},
        {"max_output_tokens": 7},
        {"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]},
        {"response_mime_type": "application/json"},
    ],
)
def test_what_changes_the_answer_makes_another_call(
    gemini: genai.Client, upstream: ScriptedProvider, other: dict[str, Any]
) -> None:
    gemini.models.generate_content(model=MODEL, contents=f"{other}", config=cold())

    gemini.models.generate_content(model=MODEL, contents=f"{other}", config=cold(**other))

    assert len(upstream.calls) == 2


def test_another_model_makes_another_call(gemini: genai.Client, upstream: ScriptedProvider) -> None:
    for model in (MODEL, "gemini-2.5-pro"):
        gemini.models.generate_content(model=model, contents="which", config=cold())

    assert len(upstream.calls) == 2


def test_a_stream_comes_in_pieces_and_a_second_one_from_the_store(
    gemini: genai.Client, upstream: ScriptedProvider
) -> None:
    def heard() -> list[str]:
        stream = gemini.models.generate_content_stream(
            model=MODEL, contents="stream", config=cold()
        )
        return [piece.text or "" for piece in stream]

    first, second = heard(), heard()

    assert len(first) == 3
    assert second == first
    assert len(upstream.calls) == 1


def test_a_stream_that_is_one_array_is_understood(
    service: RunningService, upstream: ScriptedProvider
) -> None:
    def heard() -> tuple[list[Any], str]:
        asked = {"contents": [{"parts": [{"text": "array"}]}], "generationConfig": {"seed": 1}}
        request = urllib.request.Request(
            f"{service.url}/v1beta/models/gemini-array:streamGenerateContent",
            json.dumps(asked).encode(),
            {"x-goog-api-key": KEY, "content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read()), answer.headers["x-lichen-cache"]

    (first, missed), (second, hit) = heard(), heard()

    assert len(first) == 3
    assert second == first
    assert (missed, hit) == ("miss", "hit")
    assert len(upstream.calls) == 1
    booked = until(lambda: [e for e in service.entries() if e.figures.model == "gemini-array"])
    assert booked[0].figures.tokens == Tokens(prefill=12, decode=5)


def test_cached_thought_and_tool_tokens_are_told_apart(
    gemini: genai.Client, service: RunningService, upstream: ScriptedProvider
) -> None:
    usage = content_usage(6000, 18, cached=5000, thought=12, tools=40)
    upstream.script = lambda _call: Reply(chunks=(content("Hello.", usage=usage),))
    gemini.models.generate_content(model="gemini-whole", contents="Hello")
    upstream.script = lambda _call: Reply(
        headers=EVENTS, chunks=content_frames("Hello there.", usage=usage)
    )

    list(gemini.models.generate_content_stream(model="gemini-stream", contents="Hello"))

    told = Tokens(1040, cache_read=5000, decode=18, reasoning=12)
    assert service.booked("gemini-whole").figures.tokens == told
    assert service.booked("gemini-stream").figures.tokens == told


def test_a_function_is_asked_for_and_its_result_given_back(gemini: genai.Client) -> None:
    asked = types.Content(role="user", parts=[types.Part(text="Weather?")])
    first = gemini.models.generate_content(
        model=MODEL, contents=[asked], config=types.GenerateContentConfig(tools=[WEATHER])
    )
    [call] = first.function_calls or []
    assert first.candidates
    assert first.candidates[0].content
    result = types.Part.from_function_response(name="weather", response={"result": "sunny"})

    second = gemini.models.generate_content(
        model=MODEL,
        contents=[asked, first.candidates[0].content, types.Content(role="user", parts=[result])],
        config=types.GenerateContentConfig(tools=[WEATHER]),
    )

    assert call.args == {"city": "Lisbon"}
    assert (second.text or "").startswith("answer ")


def test_an_answer_that_asks_for_a_function_is_not_stored(
    gemini: genai.Client, upstream: ScriptedProvider
) -> None:
    for _ in range(2):
        config = cold(tools=[WEATHER])
        gemini.models.generate_content(model=MODEL, contents="Which?", config=config)
        list(gemini.models.generate_content_stream(model=MODEL, contents="Which?", config=config))

    assert len(upstream.calls) == 4


def test_an_image_and_another_one_are_two_calls(
    gemini: genai.Client, upstream: ScriptedProvider
) -> None:
    for data in (b"\x89PNG one pixel", b"\x89PNG one pixeL"):
        image = types.Part.from_bytes(data=data, mime_type="image/png")
        asked: Any = [image, "What?"]
        gemini.models.generate_content(model=MODEL, contents=asked, config=cold())

    assert len(upstream.calls) == 2


def test_structured_output_comes_as_asked(gemini: genai.Client) -> None:
    schema = types.Schema(
        type=types.Type.OBJECT, properties={"text": types.Schema(type=types.Type.STRING)}
    )
    config = cold(response_mime_type="application/json", response_schema=schema)

    made = gemini.models.generate_content(model=MODEL, contents="As JSON", config=config)

    assert json.loads(made.text or "")["text"].startswith("answer ")


def test_embeddings_are_deterministic(gemini: genai.Client, upstream: ScriptedProvider) -> None:
    asked: Any = ["one", "two"]
    first = gemini.models.embed_content(model="gemini-embedding-001", contents=asked)

    second = gemini.models.embed_content(model="gemini-embedding-001", contents=asked)

    assert second.embeddings == first.embeddings
    assert len(upstream.calls) == 1


def test_tokens_are_counted_without_an_entry(gemini: genai.Client, service: RunningService) -> None:
    counted = gemini.models.count_tokens(model="gemini-counted", contents="Hello")
    gemini.models.generate_content(model="gemini-after", contents="Hello")

    assert counted.total_tokens == 14
    service.booked("gemini-after")
    assert not [e for e in service.entries() if e.figures.model == "gemini-counted"]


def test_what_the_client_asks_beside_goes_to_gemini_too(
    gemini: genai.Client, upstream: ScriptedProvider
) -> None:
    upstream.script = lambda _call: Reply(chunks=(b"{}",))

    list(gemini.models.list())
    list(gemini.files.list())

    targets = [call.target.partition("?")[0] for call in upstream.calls]
    assert targets == ["/v1/models", "/v1/files"]


def test_a_file_is_uploaded_and_a_batch_is_made(
    gemini: genai.Client, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    def script(call: Received) -> Reply:
        if "batchGenerateContent" in call.target:
            made = {"name": "batches/1", "metadata": {"state": "BATCH_STATE_PENDING"}}
            return Reply(chunks=(json.dumps(made).encode(),))
        if "upload_id" in call.target:
            told = (("content-type", "application/json"), ("x-goog-upload-status", "final"))
            return Reply(headers=told, chunks=(b'{"file": {"name": "files/1"}}',))
        where = f"{upstream.url}/upload/v1/files?upload_id=1"
        return Reply(headers=(("x-goog-upload-url", where),), chunks=(b"{}",))

    upstream.script = script
    report = tmp_path / "report.txt"
    report.write_text("Lichens live on almost nothing.")
    asked: Any = [{"contents": [{"parts": [{"text": "x"}]}]}]

    uploaded = gemini.files.upload(file=str(report))
    batch = gemini.batches.create(model=MODEL, src=asked)

    assert uploaded.name == "files/1"
    assert batch.name == "batches/1"
    assert upstream.calls[1].body == b"Lichens live on almost nothing."


def test_a_base_url_may_name_the_provider(
    service: RunningService, upstream: ScriptedProvider
) -> None:
    made = client_of(f"{service.url}/gemini")
    made.models.generate_content(model=MODEL, contents="Hello")
    made.close()

    assert upstream.calls[0].target == f"/v1/models/{MODEL}:generateContent"


def test_a_key_in_the_query_is_a_credential_and_goes_on_as_a_header(
    serve: Any, upstream: ScriptedProvider
) -> None:
    service = serve(environ={"LICHEN_GEMINI_UPSTREAM": upstream.url})

    def asked(key: str) -> str:
        body = {"contents": [{"parts": [{"text": "q"}]}], "generationConfig": {"temperature": 0}}
        request = urllib.request.Request(
            f"{service.url}/v1beta/models/{MODEL}:generateContent?key={key}&prettyPrint=false",
            json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request) as answer:
            cache: str = answer.headers["x-lichen-cache"]
            return cache

    heard = [asked(KEY), asked(KEY), asked("AIza-another")]
    service.stop()

    assert heard == ["miss", "hit", "miss"]
    assert upstream.calls[0].target == f"/v1beta/models/{MODEL}:generateContent?prettyPrint=false"
    assert upstream.calls[0].header("x-goog-api-key") == KEY
    assert KEY not in service.said
    for path in service.folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes()


def test_the_token_may_be_shown_as_the_key(serve: Any, upstream: ScriptedProvider) -> None:
    service = serve(
        token="a-token-of-enough-letters", environ={"LICHEN_GEMINI_UPSTREAM": upstream.url}
    )
    wrong, right = client_of(service.url), client_of(service.url, key="a-token-of-enough-letters")

    with pytest.raises(errors.ClientError, match="UNAUTHENTICATED"):
        wrong.models.generate_content(model=MODEL, contents="Hello")
    right.models.generate_content(model=MODEL, contents="Hello")
    wrong.close()
    right.close()

    assert upstream.calls[0].header("x-goog-api-key") is None


@pytest.mark.parametrize(("status", "kind"), [(400, errors.ClientError), (503, errors.ServerError)])
def test_an_error_of_the_provider_is_the_clients_own_exception(
    gemini: genai.Client, upstream: ScriptedProvider, status: int, kind: type[errors.APIError]
) -> None:
    told = {"error": {"code": status, "message": "no such thing", "status": "X"}}
    upstream.script = lambda _call: Reply(status=status, chunks=(json.dumps(told).encode(),))

    with pytest.raises(kind, match="no such thing"):
        gemini.models.generate_content(model=MODEL, contents="Hello")


def test_an_upstream_that_cannot_be_reached_is_told_in_the_providers_shape(serve: Any) -> None:
    service = serve(environ={"LICHEN_GEMINI_UPSTREAM": "http://127.0.0.1:9"})
    made = client_of(service.url)

    with pytest.raises(errors.ServerError, match="LICHEN_GEMINI_UPSTREAM") as told:
        made.models.generate_content(model=MODEL, contents="Hello")
    made.close()

    assert (told.value.code, told.value.status) == (502, "UNAVAILABLE")


@pytest.mark.parametrize("finish", [None, "SAFETY", "MALFORMED_FUNCTION_CALL", "CONTINUATION"])
def test_a_stream_without_its_end_or_held_back_is_not_stored(
    gemini: genai.Client, upstream: ScriptedProvider, finish: str | None
) -> None:
    frames = content_frames("Hello there.", finish=finish)
    upstream.script = lambda _call: Reply(headers=EVENTS, chunks=frames)

    for _ in range(2):
        list(
            gemini.models.generate_content_stream(model=MODEL, contents=f"{finish}", config=cold())
        )

    assert len(upstream.calls) == 2


def test_a_stream_that_breaks_off_raises_and_is_not_stored(
    gemini: genai.Client, upstream: ScriptedProvider
) -> None:
    frames = content_frames("Hello there.")
    upstream.script = lambda _call: Reply(headers=EVENTS, chunks=frames[:2], breaks=True)
    asked: Any = {"model": MODEL, "contents": "cut", "config": cold()}

    with pytest.raises(Exception, match=r"broke off|peer closed"):
        list(gemini.models.generate_content_stream(**asked))
    upstream.script = by_kind
    list(gemini.models.generate_content_stream(**asked))

    assert len(upstream.calls) == 2


@pytest.mark.parametrize(
    "state",
    [
        {"tools": [types.Tool(google_search=types.GoogleSearch())]},
        {"cached_content": "cachedContents/1"},
    ],
)
def test_what_leans_on_a_state_elsewhere_is_never_reused(
    gemini: genai.Client, upstream: ScriptedProvider, state: dict[str, Any]
) -> None:
    upstream.script = lambda _call: Reply(chunks=(content("Found."),))
    for _ in range(2):
        gemini.models.generate_content(model=MODEL, contents="state", config=cold(**state))

    assert len(upstream.calls) == 2


# Where aiohttp is installed the client takes it, and subclasses what is not to be subclassed.
@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
async def test_the_asyncio_client_streams_too(service: RunningService) -> None:
    made = client_of(service.url)

    stream = await made.aio.models.generate_content_stream(model=MODEL, contents="async")
    text = "".join([piece.text or "" async for piece in stream])
    await made.aio.aclose()
    made.close()

    assert text.startswith("answer ")
