"""Answers that break off, fall silent, report an error or are rubbish: what the client sees."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import OpenAI

from lichen.testing.provider import by_kind, usual
from lichen.testing.provider_answers import Reply
from lichen.testing.questions import question

if TYPE_CHECKING:
    from lichen.testing.provider import ScriptedProvider
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import AssertRecovered

JSON = (("content-type", "application/json"),)
EVENTS = (("content-type", "text/event-stream"),)
# Long enough for a busy machine to answer, short enough to wait for.
SERVICE = {"timeout": "1s"}


def test_an_answer_that_breaks_off_is_a_bad_gateway(
    client: OpenAI,
    upstream: ScriptedProvider,
    service: RunningService,
    assert_recovered: AssertRecovered,
) -> None:
    upstream.script = lambda call: usual(call, breaks=True)
    asked = question(model="broken-whole")

    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(**asked)

    assert caught.value.status_code == 502
    assert caught.value.body is not None
    assert service.booked("broken-whole").figures.work.amount == 0
    assert_recovered(asked)


def test_a_stream_that_breaks_off_raises_in_the_client_after_what_came(
    client: OpenAI,
    upstream: ScriptedProvider,
    service: RunningService,
    assert_recovered: AssertRecovered,
) -> None:
    upstream.script = lambda call: usual(call, chunks=by_kind(call).chunks[:3], breaks=True)
    asked = question(model="broken-stream", stream=True)
    stream = client.chat.completions.create(**asked)
    came = [next(stream) for _ in range(3)]

    with pytest.raises(openai.APIError, match="broke off in the middle") as caught:
        next(stream)

    assert came[1].choices[0].delta.content == "answer"
    assert caught.value.code == "upstream_broke_off"
    assert "stream-broken-off" in service.booked("broken-stream").figures.gaps
    assert_recovered(asked)


def test_a_streamed_response_that_breaks_off_raises_in_the_client(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    upstream.script = lambda call: usual(call, chunks=by_kind(call).chunks[:2], breaks=True)
    asked: dict[str, Any] = {"model": "gpt-5", "input": str(question()), "temperature": 0}
    stream = client.responses.create(**asked, stream=True)
    came = [next(stream) for _ in range(2)]

    with pytest.raises(openai.APIError, match="send the call again"):
        next(stream)

    assert [event.type for event in came] == ["response.created", "response.output_text.delta"]
    upstream.script = by_kind
    assert [event.type for event in client.responses.create(**asked, stream=True)][-1] == (
        "response.completed"
    )
    assert len(upstream.calls) == 2


def test_a_stream_that_falls_silent_is_broken_off(
    client: OpenAI,
    upstream: ScriptedProvider,
    service: RunningService,
    assert_recovered: AssertRecovered,
) -> None:
    never = threading.Event()
    upstream.script = lambda call: usual(call, between=never)
    asked = question(model="fallen-silent", stream=True)
    stream = client.chat.completions.create(**asked)
    next(stream)

    with pytest.raises(openai.APIError) as caught:
        next(stream)

    assert caught.value.body is not None
    assert "stream-broken-off" in service.booked("fallen-silent").figures.gaps
    assert upstream.calls[0].left.wait(5)
    assert_recovered(asked)


def test_an_error_within_a_stream_is_the_client_s_own_and_never_stored(
    client: OpenAI,
    upstream: ScriptedProvider,
    assert_recovered: AssertRecovered,
) -> None:
    overloaded = b'data: {"error": {"message": "overloaded", "code": "busy"}}\n\n'

    upstream.script = lambda call: usual(
        call, chunks=(by_kind(call).chunks[0], overloaded, b"data: [DONE]\n\n")
    )
    asked = question(stream=True)

    with pytest.raises(openai.APIError, match="overloaded") as caught:
        list(client.chat.completions.create(**asked))

    assert caught.value.code == "busy"
    assert_recovered(asked)
    assert list(client.chat.completions.create(**asked))[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    "rubbish",
    [
        b"<html>503 Service Unavailable</html>",
        b"",
        b'{"choices": [',
        b"[]",
        b'{"error": {"message": "overloaded"}}',
        b"\xff\xfe\x00",
    ],
)
def test_rubbish_passes_as_it_came_is_not_stored_and_its_use_is_a_gap(
    client: OpenAI,
    upstream: ScriptedProvider,
    service: RunningService,
    rubbish: bytes,
    assert_recovered: AssertRecovered,
) -> None:
    upstream.script = lambda _: Reply(headers=JSON, chunks=(rubbish,))
    asked = question(model=f"rubbish-{rubbish.hex()[:8]}")

    raw = client.chat.completions.with_raw_response.create(**asked)

    assert (raw.status_code, raw.content) == (200, rubbish)
    assert "tokens-estimated" in service.booked(asked["model"]).figures.gaps
    assert_recovered(asked)


def test_rubbish_for_a_stream_passes_as_it_came_and_is_not_stored(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    upstream.script = lambda _: Reply(headers=EVENTS, chunks=(b"\xff\x00no event", b" at all"))
    asked = question(stream=True)

    with client.chat.completions.with_streaming_response.create(**asked) as raw:
        came = b"".join(raw.iter_bytes())

    assert came == b"\xff\x00no event at all"
    upstream.script = by_kind
    assert list(client.chat.completions.create(**asked))[-1].choices[0].finish_reason == "stop"
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH_9.6\r\n", b"", b"HTTP/1.1 two hundred\r\n\r\n"])
@pytest.mark.parametrize("form", [{}, {"stream": True}])
def test_what_is_no_http_is_a_bad_gateway(
    client: OpenAI,
    upstream: ScriptedProvider,
    raw: bytes,
    form: dict[str, Any],
    assert_recovered: AssertRecovered,
) -> None:
    upstream.script = lambda _: Reply(raw=raw)
    asked = question(**form)

    with pytest.raises(openai.InternalServerError, match="check LICHEN_UPSTREAM") as caught:
        client.chat.completions.create(**asked)

    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_unreachable"
    assert_recovered(asked)
