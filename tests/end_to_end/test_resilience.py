"""An upstream that fails, storms, restarts or is not where it was, behind a service that runs.

The official client is in front; what it raises, and what the upstream is asked, is what counts.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import openai
import pytest

from lichen.testing.provider import ScriptedProvider, by_kind, in_turn, usual
from lichen.testing.provider_answers import Reply, failure
from lichen.testing.questions import question
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Connect, Serve

QUICK = {"LICHEN_RESILIENCE_FIRST_PAUSE": "5ms", "LICHEN_RESILIENCE_BREAKER_HOLD": "0.3s"}
EVENTS = (("content-type", "text/event-stream"),)


@pytest.fixture
def other() -> Iterator[ScriptedProvider]:
    """Another upstream, to fall back to."""
    with ScriptedProvider() as running:
        yield running


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def metric(service: RunningService, name: str) -> float:
    lines = service.get("/metrics")[1].splitlines()
    return next(float(line.split()[-1]) for line in lines if line.split(" ")[0] == name)


@pytest.mark.parametrize("form", [{}, {"stream": True}])
def test_a_refusal_is_tried_again_before_the_client_hears_of_it(
    serve: Serve, connect: Connect, upstream: ScriptedProvider, form: dict[str, Any]
) -> None:
    service = serve(environ=QUICK)
    upstream.script = in_turn(
        lambda _: failure(503), lambda _: failure(429, retry_after_ms="10"), by_kind
    )
    asked = question(model="third-time", **form)

    answer = connect(service).chat.completions.create(**asked)

    assert len(list(answer)) > 1
    assert len(upstream.calls) == 3
    entry = service.booked("third-time")
    assert entry.figures.raw["attempts"] == 3
    assert metric(service, 'lichen_upstream_retries_total{provider="openai"}') == 2


def test_a_client_s_own_retries_are_not_multiplied(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve(environ=QUICK)
    upstream.script = lambda _: failure(503)

    with pytest.raises(openai.InternalServerError):
        connect(service, max_retries=2).chat.completions.create(**question())

    assert len(upstream.calls) == 3 + 1 + 1


def test_a_storm_of_429_ends_at_the_service_and_other_keys_go_on(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve(environ=QUICK)

    def storm(call: Any) -> Reply:
        noisy = call.header("authorization") == "Bearer sk-noisy"
        return failure(429, retry_after="20") if noisy else by_kind(call)

    upstream.script = storm
    noisy, quiet = connect(service, api_key="sk-noisy"), connect(service, api_key="sk-quiet")
    caught: list[openai.RateLimitError] = []

    for _ in range(50):
        with pytest.raises(openai.RateLimitError) as one:
            noisy.chat.completions.create(**question(temperature=1))
        caught.append(one.value)

    assert len(upstream.calls) == 10
    assert [error.code for error in caught].count("upstream_rate_limited") == 40
    assert 20 <= int(caught[-1].response.headers["retry-after"]) <= 30
    assert quiet.chat.completions.create(**question()).choices


def test_an_upstream_that_is_down_is_left_alone_and_found_again_when_it_is_back(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve(environ={**QUICK, "LICHEN_RESILIENCE_RETRIES": "0"})
    client = connect(service)
    upstream.script = lambda _: failure(503)
    codes = []

    for _ in range(60):
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(**question(temperature=1))
        codes.append(caught.value.code)
    while_down = len(upstream.calls)
    open_now = metric(service, 'lichen_upstream_breaker_open{provider="openai"}')
    upstream.script = by_kind
    time.sleep(0.4)

    # A probe finds it, at the latest at the end of a second hold.
    until(lambda: _answers(client), within=5)

    assert while_down < 40
    assert (codes[0], codes[-1]) == ("x", "upstream_failing")
    assert open_now == 1
    assert metric(service, 'lichen_upstream_breaker_open{provider="openai"}') == 0


def _answers(client: openai.OpenAI) -> bool:
    try:
        return bool(client.chat.completions.create(**question(temperature=1)).choices)
    except openai.InternalServerError:
        return False


def test_an_upstream_that_restarts_between_calls_is_reached_again(
    serve: Serve, connect: Connect
) -> None:
    port = closed_port()
    service = serve(upstream=f"http://127.0.0.1:{port}/v1", environ=QUICK)
    client = connect(service)

    for _ in range(3):
        with socket.create_server(("127.0.0.1", port), reuse_port=False) as listener:
            thread = threading.Thread(target=_answer_once, args=(listener,))
            thread.start()
            assert client.chat.completions.create(**question(temperature=1)).choices
            thread.join(5)


def _answer_once(listener: socket.socket) -> None:
    """A server that answers one call and is gone."""
    connection, _ = listener.accept()
    with connection:
        heard = b""
        while b"}" not in heard.partition(b"\r\n\r\n")[2]:
            heard += connection.recv(65536)
        body = by_kind_body(heard)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )


def by_kind_body(heard: bytes) -> bytes:
    from lichen.testing.provider_answers import answer

    return answer("/v1/chat/completions", heard.partition(b"\r\n\r\n")[2]).chunks[0]


def test_an_upstream_that_comes_up_a_moment_later_is_waited_for(
    serve: Serve, connect: Connect
) -> None:
    port = closed_port()
    environ = {"LICHEN_RESILIENCE_FIRST_PAUSE": "3s", "LICHEN_RESILIENCE_RETRIES": "6"}
    service = serve(upstream=f"http://127.0.0.1:{port}/v1", environ=environ)

    def later() -> None:
        time.sleep(0.3)
        with socket.create_server(("127.0.0.1", port)) as listener:
            _answer_once(listener)

    thread = threading.Thread(target=later)
    thread.start()
    answer = connect(service).chat.completions.create(**question())

    assert answer.choices
    thread.join(5)


def test_a_name_that_does_not_resolve_is_named_with_the_way_out(
    serve: Serve, connect: Connect
) -> None:
    service = serve(upstream="http://nowhere.invalid/v1", environ=QUICK)

    with pytest.raises(openai.InternalServerError, match=r"nowhere\.invalid") as caught:
        connect(service, api_key="sk-secret").chat.completions.create(**question(model="lost"))

    assert caught.value.status_code in (502, 504)
    assert caught.value.code == "upstream_unreachable"
    assert "sk-secret" not in caught.value.message + service.said
    assert service.booked("lost").figures.gaps[0] == "upstream-failed:upstream_unreachable"


def test_an_upstream_that_takes_connections_and_says_nothing_is_a_gateway_timeout(
    serve: Serve, connect: Connect
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as half_open:
        url = f"http://127.0.0.1:{half_open.getsockname()[1]}/v1"
        service = serve(upstream=url, timeout="0.5s", environ=QUICK)

        began = time.monotonic()
        with pytest.raises(openai.InternalServerError) as caught:
            connect(service).chat.completions.create(**question())

    assert (caught.value.status_code, caught.value.code) == (504, "upstream_timeout")
    assert time.monotonic() - began < 5


# The fallback.


def with_fallback(other: ScriptedProvider, **more: str) -> dict[str, str]:
    return {
        **QUICK,
        "LICHEN_RESILIENCE_FALLBACK": f"{other.url}/v1",
        "LICHEN_RESILIENCE_FALLBACK_ZONE": "SE-SE3",
        "LICHEN_RESILIENCE_FALLBACK_MODELS": "gpt-*=llama-3",
        **{f"LICHEN_RESILIENCE_{name.upper()}": value for name, value in more.items()},
    }


@pytest.mark.parametrize("form", [{}, {"stream": True}])
def test_while_the_upstream_is_gone_the_fallback_answers_and_is_booked_as_itself(
    serve: Serve, connect: Connect, other: ScriptedProvider, form: dict[str, Any]
) -> None:
    environ = with_fallback(other, fallback_key="sk-other")
    service = serve(upstream=f"http://127.0.0.1:{closed_port()}/v1", environ=environ)
    client = connect(service, api_key="sk-mine")

    raw = client.chat.completions.with_raw_response.create(**question(model="gpt-4o", **form))

    assert raw.headers["x-lichen-upstream"] == "fallback"
    assert len(list(raw.parse())) > 1
    [call] = other.calls
    assert call.header("authorization") == "Bearer sk-other"
    assert b'"model":"llama-3"' in call.body
    entry = service.booked("llama-3")
    assert entry.figures.zone == "SE-SE3"
    assert "upstream-failed:upstream_unreachable" in entry.figures.gaps


def test_a_key_of_the_client_s_never_goes_to_a_fallback_that_has_none(
    serve: Serve, connect: Connect, other: ScriptedProvider
) -> None:
    service = serve(upstream=f"http://127.0.0.1:{closed_port()}/v1", environ=with_fallback(other))

    connect(service, api_key="sk-mine").chat.completions.create(**question(model="gpt-4o"))

    [call] = other.calls
    assert call.header("authorization") is None
    assert "sk-mine" not in str(call.headers) + service.said


def test_each_provider_has_a_fallback_of_its_own_with_its_own_key_header(
    serve: Serve, other: ScriptedProvider
) -> None:
    said = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-other",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "output_tokens": 3},
    }
    headers = (("content-type", "application/json"),)
    other.script = lambda _: Reply(headers=headers, chunks=(json.dumps(said).encode(),))
    service = serve(
        environ={
            **QUICK,
            "LICHEN_ANTHROPIC_UPSTREAM": f"http://127.0.0.1:{closed_port()}",
            "LICHEN_ANTHROPIC_FALLBACK": other.url,
            "LICHEN_ANTHROPIC_FALLBACK_KEY": "sk-other",
            "LICHEN_ANTHROPIC_FALLBACK_ZONE": "SE-SE3",
            "LICHEN_ANTHROPIC_FALLBACK_MODELS": "claude-*=claude-other",
        }
    )
    asked = {"model": "claude-mine", "max_tokens": 9, "messages": question()["messages"]}
    posting = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)

    key = {"x-api-key": "sk-mine", "anthropic-version": "2023-06-01"}
    posting.request("POST", "/v1/messages", json.dumps(asked), key)
    heard = posting.getresponse()

    assert (heard.status, heard.headers["x-lichen-upstream"]) == (200, "fallback")
    [call] = other.calls
    assert call.header("x-api-key") == "sk-other"
    assert json.loads(call.body)["model"] == "claude-other"
    assert service.booked("claude-other").figures.zone == "SE-SE3"
    assert metric(service, 'lichen_upstream_fallbacks_total{provider="anthropic"}') == 1
    posting.close()


def test_an_answer_that_is_slow_to_begin_is_the_fallback_s_where_that_is_asked_for(
    serve: Serve, connect: Connect, upstream: ScriptedProvider, other: ScriptedProvider
) -> None:
    never = threading.Event()
    upstream.script = lambda call: usual(call, before=never)
    service = serve(environ=with_fallback(other, first_byte="0.3s"))

    raw = connect(service).chat.completions.with_raw_response.create(**question(model="gpt-4o"))

    assert raw.headers["x-lichen-upstream"] == "fallback"
    assert upstream.calls[0].left.wait(5)


# Keys and redirects.


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_so_no_key_goes_where_it_points(
    serve: Serve, upstream: ScriptedProvider, other: ScriptedProvider, status: int
) -> None:
    where = (("location", f"{other.url}/v1/chat/completions"),)
    upstream.script = lambda _: Reply(status=status, headers=where)
    service = serve(environ=QUICK)
    posting = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)

    headers = {"authorization": "Bearer sk-mine", "content-type": "application/json"}
    posting.request("POST", "/v1/chat/completions", json.dumps(question()), headers)
    heard = posting.getresponse()

    assert heard.status == status
    assert other.calls == []
    assert len(upstream.calls) == 1
    posting.close()


def test_no_key_is_found_in_anything_that_the_service_keeps_or_says(
    serve: Serve, connect: Connect, upstream: ScriptedProvider, other: ScriptedProvider
) -> None:
    environ = {**with_fallback(other, fallback_key="sk-third-secret")}
    service = serve(upstream_key="sk-second-secret", environ=environ)
    client = connect(service, api_key="sk-first-secret")
    client.chat.completions.create(**question())
    upstream.script = lambda _: failure(503)
    client.chat.completions.create(**question(seed=1))
    other.script = lambda _: failure(401)
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(**question(seed=2))
    pages = "".join(service.get(path)[1] for path in ("/", "/metrics", "/readyz"))

    service.stop()

    kept = b"".join(path.read_bytes() for path in service.folder.rglob("*") if path.is_file())
    for secret in ("sk-first-secret", "sk-second-secret", "sk-third-secret"):
        assert secret.encode() not in kept
        assert secret not in pages + service.said
