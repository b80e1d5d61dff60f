"""What may wait a day goes to the provider's own batches: here a second lichen is the provider."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from lichen.testing.anthropic_answers import message
from lichen.testing.deferring import Caller, fetch, leave
from lichen.testing.provider import by_kind
from lichen.testing.provider_answers import Reply, failure
from lichen.testing.service import RunningService
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.testing.provider import Received, ScriptedProvider
    from tests.end_to_end.conftest import Serve

AUTO = {"LICHEN_BATCH_PROVIDER": "auto", "LICHEN_BATCH_LEASE": "1s"}
ON = {"LICHEN_BATCH_ENABLED": "on", "LICHEN_BATCH_LEASE": "1s"}


def test_a_day_is_given_to_the_providers_batch(
    serve: Serve, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    folder = tmp_path / "provider"
    folder.mkdir()
    with RunningService(folder, upstream=upstream.url, environ=ON) as provider:
        service = serve(upstream=provider.url, environ=AUTO)
        left = leave(service, [f"call {n}" for n in range(5)], within="25h")
        answers = fetch(service, left)
        with closing(Caller(provider)) as caller:
            listed = caller.ask("GET", "/v1/batches")
        service.stop()
    entries = service.entries()
    calls = [e for e in entries if e.figures.raw.get("provider_batch")]

    assert all(b"choices" in heard.body for heard in answers.values())
    assert listed is not None
    assert listed.body.count(b'"lichen_offer"') >= 1
    assert len(calls) == 5
    assert {e.figures.raw["price_share"] for e in calls} == {0.5}
    assert all("time-of-run-unknown" in e.figures.gaps for e in calls)
    assert all(e.figures.strategy == "none" for e in calls)


def test_a_kill_while_a_batch_runs_at_the_provider_makes_no_second(
    serve: Serve, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    folder = tmp_path / "provider"
    folder.mkdir()
    with RunningService(folder, upstream=upstream.url, environ=ON) as provider:
        service = serve(upstream=provider.url, environ=AUTO)
        left = leave(service, [f"call {n}" for n in range(20)], within="25h")
        with closing(Caller(provider)) as caller:
            until(lambda: (h := caller.ask("GET", "/v1/batches")) and b"lichen_offer" in h.body)
        service.kill()
        service.start()
        answers = fetch(service, left)

    assert len(answers) == 20
    assert [call.method for call in upstream.calls].count("POST") == 20


def test_a_provider_without_batches_is_asked_call_by_call(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    service = serve(environ=AUTO)

    answers = fetch(service, leave(service, ["one", "two"], within="25h"))
    asked = [call.target for call in upstream.calls]

    assert all(b"choices" in heard.body for heard in answers.values())
    assert asked.count("/v1/chat/completions") == 2
    assert "/v1/files" in asked


class Messages:
    """Anthropic's Message Batches, as far as one goes; each batch takes two looks."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.looks = 0

    def __call__(self, call: Received) -> Reply:
        path = call.target
        if path == "/v1/messages/batches":
            self.batches.append(json.loads(call.body)["requests"])
            return self._state(len(self.batches), "in_progress")
        number = int(path.partition("msgbatch_")[2].partition("/")[0] or 0)
        if path.endswith("/results"):
            lines = [self._result(one) for one in self.batches[number - 1]]
            return Reply(chunks=("\n".join(map(json.dumps, lines)).encode(),))
        if path.startswith("/v1/messages/batches/"):
            self.looks += 1
            return self._state(number, "ended" if self.looks > 1 else "in_progress")
        return by_kind(call)

    def _state(self, number: int, status: str) -> Reply:
        told = {"id": f"msgbatch_{number}", "processing_status": status}
        return Reply(chunks=(json.dumps(told).encode(),))

    def _result(self, asked: dict[str, Any]) -> dict[str, Any]:
        text = asked["params"]["messages"][0]["content"]
        if text == "bad":
            error = {"type": "invalid_request_error", "message": "bad"}
            result = {"type": "errored", "error": {"type": "error", "error": error}}
        elif text == "slow":
            result = {"type": "expired"}
        else:
            said = json.loads(message(f"to {text}"))
            result = {"type": "succeeded", "message": said}
        return {"custom_id": asked["custom_id"], "result": result}


def test_messages_that_may_wait_go_in_a_batch_of_anthropics(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    upstream.script = messages = Messages()
    service = serve(environ={**AUTO, "LICHEN_ANTHROPIC_UPSTREAM": upstream.url})
    texts = ["one", "two", "bad", "slow"]

    with closing(Caller(service)) as caller:
        left = {text: _left(caller, text) for text in texts}
        answers = {
            text: caller.until(lambda h: h.status not in (202, 404), "GET", f"{path}?wait=9")
            for text, path in left.items()
        }
    service.stop()
    booked = [e for e in service.entries() if e.figures.raw.get("provider_batch")]

    assert sum(map(len, messages.batches)) == 4
    assert json.loads(answers["one"].body)["content"][0]["text"] == "to one"
    assert (answers["bad"].status, answers["slow"].status) == (400, 200)
    assert len(booked) == 2  # a refusal is a gap
    for raw in (entry.figures.raw for entry in booked):
        assert 0 < float(raw["cost_usd"]) == pytest.approx(float(raw["cost_alone_usd"]) / 2)


class Denying(Messages):
    """One that denies a batch it took, for a while: a credential or a route is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.denials = 2
        self.alone = 0

    def __call__(self, call: Received) -> Reply:
        looks = call.method == "GET" and call.target.startswith("/v1/messages/batches/")
        if looks and self.denials:
            self.denials -= 1
            return failure(403)
        self.alone += call.target == "/v1/messages"
        return super().__call__(call)


def test_a_batch_that_runs_and_is_denied_for_a_while_is_not_sent_again(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    upstream.script = messages = Denying()
    service = serve(environ={**AUTO, "LICHEN_ANTHROPIC_UPSTREAM": upstream.url})

    with closing(Caller(service)) as caller:
        path = _left(caller, "one")
        answer = caller.until(lambda h: h.status not in (202, 404), "GET", f"{path}?wait=9")

    assert json.loads(answer.body)["content"][0]["text"] == "to one"
    assert (messages.denials, messages.alone) == (0, 0)
    assert sum(map(len, messages.batches)) == 1


def _left(caller: Caller, text: str) -> str:
    """Where the answer to a message will be."""
    asked = {
        "model": "claude-opus-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": text}],
    }
    heard = caller.until(
        lambda heard: heard.status == 202,
        "POST",
        "/v1/messages",
        body=json.dumps(asked),
        anthropic_version="2023-06-01",
        x_lichen_defer="25h",
    )
    return heard.headers["location"]
