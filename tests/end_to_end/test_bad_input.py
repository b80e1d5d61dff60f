"""What a client can get wrong: told in the provider's own shape, with the way out."""

from __future__ import annotations

import gzip
import json
import socket
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import OpenAI

from lichen.testing.provider_answers import Reply, failure
from lichen.testing.questions import question
from lichen.testing.service import RunningService
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.testing.provider import ScriptedProvider

    Serve = Any

SERVICE = {"body_limit": "100kB"}
TOKEN = "a-token-nobody-guesses"


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, module_upstream: ScriptedProvider
) -> Iterator[RunningService]:
    """A service that demands its token and has a key of its own for the upstream."""
    with RunningService(
        tmp_path_factory.mktemp("guarded"),
        environ={"LICHEN_TOKEN": TOKEN, "LICHEN_UPSTREAM_KEY": "sk-of-the-house"},
        upstream=module_upstream.url,
    ) as running:
        yield running


def assert_in_the_provider_s_shape(error: openai.APIStatusError, code: str) -> None:
    told = error.response.json()["error"]

    assert set(told) == {"message", "type", "param", "code"}
    assert error.code == told["code"] == code
    assert error.response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"model": "x", ', "not valid JSON"),
        (b"", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 20_000, "not valid JSON"),
        (b"[1, 2]", "must be a JSON object, got list"),
        (b"null", "must be a JSON object, got NoneType"),
    ],
)
@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/completions", "/embeddings"])
def test_a_body_that_is_no_json_object_is_a_bad_request(
    client: OpenAI, upstream: ScriptedProvider, path: str, body: bytes, said: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        client.post(path, cast_to=object, content=body)

    assert_in_the_provider_s_shape(caught.value, "invalid_body")
    assert upstream.calls == []


@pytest.mark.parametrize("probe", ["/healthz", "/healthz?x=1", "/readyz?probe=1&at=2"])
def test_a_probe_is_answered_without_a_token_whatever_its_query_says(
    guarded: RunningService, probe: str
) -> None:
    status, _ = guarded.get(probe)

    assert status == 200


def test_a_body_over_the_limit_is_refused_with_the_way_to_raise_it(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    with pytest.raises(openai.APIStatusError, match="raise LICHEN_BODY_LIMIT") as caught:
        client.chat.completions.create(**question(user="x" * 200_000))

    assert caught.value.status_code == 413
    assert_in_the_provider_s_shape(caught.value, "body_too_large")
    assert upstream.calls == []


def test_a_body_near_the_limit_passes_byte_for_byte(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    body = json.dumps(question(user="x" * 99_000)).encode()

    client.post("/chat/completions", cast_to=object, content=body)

    assert upstream.calls[0].body == body


def test_an_unknown_path_of_the_api_is_the_upstream_s_to_judge(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.post("/no/such/path", cast_to=object, body={"a": 1})

    assert caught.value.response.content == failure(404).chunks[0]
    assert upstream.calls[0].target == "/v1/no/such/path"


@pytest.mark.parametrize("path", ["/chat/completions", "/favicon", "/v2/models"])
def test_an_unknown_path_outside_the_api_names_those_there_are(
    service: RunningService, path: str
) -> None:
    with (
        OpenAI(base_url=service.url, api_key="sk-test", max_retries=0) as lost,
        pytest.raises(openai.NotFoundError, match="the API is under /v1") as caught,
    ):
        lost.post(path, cast_to=object, body={"a": 1})

    assert_in_the_provider_s_shape(caught.value, "unknown_path")


@pytest.mark.parametrize(
    "path", ["/v1/../admin", "/v1/..%2fadmin", "/v1/%2e%2E%5cadmin", "/v1/..;/admin", "/v1/.."]
)
def test_a_path_that_climbs_is_not_passed_on(
    service: RunningService, upstream: ScriptedProvider, path: str
) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()

    with socket.create_connection(("127.0.0.1", service.port), 10) as wire:
        wire.sendall(head)
        heard = b"".join(iter(lambda: wire.recv(65536), b""))

    assert heard.startswith(b"HTTP/1.1 400")
    assert b'"code":"climbing_path"' in heard
    assert upstream.calls == []


def test_a_missing_key_is_the_upstream_s_to_judge(
    service: RunningService, upstream: ScriptedProvider
) -> None:
    upstream.script = lambda call: failure(401 if call.header("authorization") is None else 500)

    with (
        OpenAI(base_url=service.base_url, api_key="unused", max_retries=0) as nobody,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        nobody.chat.completions.create(**question(), extra_headers={"Authorization": openai.Omit()})

    assert caught.value.response.content == failure(401).chunks[0]
    assert upstream.calls[0].header("authorization") is None


def test_without_its_token_a_guarded_service_says_how_to_show_it(
    guarded: RunningService, upstream: ScriptedProvider
) -> None:
    with (
        OpenAI(base_url=guarded.base_url, api_key="sk-of-a-stranger", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError, match="x-lichen-token") as caught,
    ):
        stranger.chat.completions.create(**question())

    assert_in_the_provider_s_shape(caught.value, "missing_token")
    assert caught.value.type == "authentication_error"
    assert upstream.calls == []


def test_a_browser_without_the_token_gets_a_page_that_says_how_to_sign_in(
    guarded: RunningService,
) -> None:
    status, page = guarded.get("/", accept="text/html,*/*")
    api_status, told = guarded.get("/", accept="application/json")

    assert status == api_status == 401
    assert page.startswith("<!doctype html>")
    assert '<input id="token" name="token"' in page
    assert TOKEN not in page
    assert json.loads(told)["error"]["code"] == "missing_token"


def test_with_the_token_as_its_key_a_client_is_answered_and_the_house_s_key_goes_on(
    guarded: RunningService, upstream: ScriptedProvider
) -> None:
    with OpenAI(base_url=guarded.base_url, api_key=TOKEN, max_retries=0) as friend:
        made = friend.chat.completions.create(**question())

    assert made.choices
    assert upstream.calls[0].header("authorization") == "Bearer sk-of-the-house"
    assert TOKEN not in str(upstream.calls[0].headers)


def test_no_secret_is_ever_written_down(
    guarded: RunningService, upstream: ScriptedProvider
) -> None:
    with OpenAI(base_url=guarded.base_url, api_key=TOKEN, max_retries=0) as friend:
        friend.chat.completions.create(**question(model="secretive"))
    assert upstream.calls
    guarded.booked("secretive")

    written = b"".join(path.read_bytes() for path in guarded.folder.rglob("*") if path.is_file())

    assert b"secretive" in written
    assert TOKEN.encode() not in written
    assert b"sk-of-the-house" not in written
    assert TOKEN not in guarded.said


def test_a_prompt_is_not_written_down(
    client: OpenAI, service: RunningService, upstream: ScriptedProvider
) -> None:
    private = "my blood type is a secret of mine"
    client.chat.completions.create(
        **question(model="private", messages=[{"role": "user", "content": private}])
    )
    assert private.encode() in upstream.calls[0].body
    service.booked("private")

    written = b"".join(path.read_bytes() for path in service.folder.rglob("*") if path.is_file())

    assert b"private" in written
    assert private.encode() not in written
    assert b"sk-test" not in written


def test_a_body_in_an_unknown_coding_passes_unread_and_counts_as_a_gap(
    client: OpenAI, service: RunningService, upstream: ScriptedProvider
) -> None:
    unread = gzip.compress(json.dumps(question()).encode())
    whole = Reply(chunks=(b"{}",))
    upstream.script = lambda _: whole

    client.post(
        "/chat/completions",
        cast_to=object,
        content=unread,
        options={"headers": {"content-encoding": "x-own"}},
    )

    assert upstream.calls[0].body == unread
    [entry] = until(lambda: [e for e in service.entries() if "not-modelled" in e.figures.gaps])
    assert entry.figures.work.amount == 0
