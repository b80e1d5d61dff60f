"""The official clients of three providers leave calls that wait: all they send by themselves is let
through, and no key of theirs is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anthropic import Anthropic
from google import genai
from google.genai import errors, types
from openai import OpenAI

from lichen.testing.service import RunningService
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.testing.provider import Received, ScriptedProvider

KEY = "sk-very-secret-of-the-user"
DEFER = {"x-lichen-defer": "6h"}
ASKED: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}


@pytest.fixture(scope="module")
def module_service(
    tmp_path_factory: pytest.TempPathFactory, module_upstream: ScriptedProvider
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    environ = {
        "LICHEN_ANTHROPIC_UPSTREAM": module_upstream.url,
        "LICHEN_GEMINI_UPSTREAM": module_upstream.url,
    }
    with RunningService(folder, environ=environ, upstream=module_upstream.url) as running:
        yield running


def is_written(service: RunningService, text: str) -> bool:
    files = (path for path in service.folder.rglob("*") if path.is_file())
    return any(text.encode() in path.read_bytes() for path in files)


def header(sent: Received, name: str) -> str:
    return dict(sent.headers)[name]


def test_openai_s_client(service: RunningService, upstream: ScriptedProvider) -> None:
    given: Any = {"organization": "org-1", "project": "proj-1", "max_retries": 0}
    azure: Any = {"default_query": {"api-version": "preview"}, "default_headers": {"api-key": KEY}}
    with OpenAI(base_url=service.base_url, api_key=KEY, **given, **azure) as client:
        chats = client.chat.completions.with_raw_response

        left = chats.create(**ASKED, extra_headers=DEFER)
    sent = until(lambda: upstream.calls)[0]

    assert left.status_code == 202
    assert header(sent, "openai-organization") == "org-1"
    assert not is_written(service, KEY)


def test_anthropic_s_client(service: RunningService, upstream: ScriptedProvider) -> None:
    with Anthropic(base_url=service.url, api_key=KEY, max_retries=0) as client:
        plain = client.messages.with_raw_response
        beta = client.beta.messages.with_raw_response

        tried = beta.create(**ASKED, betas=["context-1m-2025-08-07"], extra_headers=DEFER)
        sent = until(lambda: upstream.calls)[0]
        left = plain.create(**ASKED, extra_headers=DEFER)
        until(lambda: len(upstream.calls) > 1)

    assert (left.status_code, tried.status_code) == (202, 202)
    assert header(sent, "anthropic-beta") == "context-1m-2025-08-07"
    assert not is_written(service, KEY)


def test_gemini_s_client(service: RunningService, upstream: ScriptedProvider) -> None:
    options = types.HttpOptions(base_url=service.url, headers=DEFER)
    # The client takes every status but 200 for an error, and gives its body in it.
    with (
        genai.Client(api_key=KEY, http_options=options) as client,
        pytest.raises(errors.APIError) as left,
    ):
        client.models.generate_content(model="gemini-2.5-flash", contents="Hi")
    sent = until(lambda: upstream.calls)[0]

    assert (left.value.code, left.value.status) == (202, "waiting")
    assert header(sent, "x-goog-api-client").startswith("google-genai-sdk/")
    assert not is_written(service, KEY)
