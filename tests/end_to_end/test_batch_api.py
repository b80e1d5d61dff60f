"""The Batch API served by lichen: the official client, unchanged."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from lichen.testing.provider import by_kind, usual
from lichen.testing.provider_answers import failure
from lichen.testing.questions import question
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from openai import OpenAI

    from lichen.testing.provider import Received, ScriptedProvider
    from lichen.testing.provider_answers import Reply
    from tests.end_to_end.conftest import Connect, Serve

ON = {"LICHEN_BATCH_ENABLED": "on"}


def line(name: str, text: str = "hello", **changes: Any) -> dict[str, Any]:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
    asked = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return {**asked, **changes}


def begun(client: OpenAI, *lines: dict[str, Any] | bytes, window: str = "24h") -> Any:
    """A batch of these lines."""
    raw = b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines)
    file = client.files.create(file=("ask.jsonl", raw), purpose="batch")
    return client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window=window,  # type: ignore[arg-type]
        metadata={"who": "tests"},
    )


def ended(client: OpenAI, batch: Any) -> Any:
    def look() -> Any:
        now = client.batches.retrieve(batch.id)
        return now if now.status in ("completed", "failed", "expired", "cancelled") else None

    return until(look, within=20)


def read(client: OpenAI, file_id: str) -> dict[str, Any]:
    text = client.files.content(file_id).text
    return {one["custom_id"]: one for one in map(json.loads, text.splitlines())}


def test_the_official_client_makes_a_batch_and_reads_its_files(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve(environ=ON)
    client = connect(service)

    def script(call: Received) -> Reply:
        return failure(400) if b"bad" in call.body else by_kind(call)

    upstream.script = script
    batch = begun(client, line("a"), line("b", "bad"), line("c"))
    done = ended(client, batch)
    out, err = read(client, done.output_file_id), read(client, done.error_file_id)

    assert batch.status in ("validating", "in_progress")
    assert (done.status, done.metadata) == ("completed", {"who": "tests"})
    assert done.request_counts.model_dump() == {"total": 3, "completed": 2, "failed": 1}
    assert set(out) == {"a", "c"}
    assert out["a"]["response"]["status_code"] == 200
    assert out["a"]["response"]["body"]["choices"][0]["message"]["content"]
    assert err["b"]["response"]["status_code"] == 400
    assert [one.id for one in client.batches.list()] == [batch.id]


def test_a_file_with_a_wrong_line_fails_and_names_it(serve: Serve, connect: Connect) -> None:
    client = connect(serve(environ=ON))

    batch = ended(client, begun(client, line("a"), b"{rubbish", line("a")))

    assert batch.status == "failed"
    assert [(e.code, e.line) for e in batch.errors.data] == [
        ("invalid_json_line", 2),
        ("duplicate_custom_id", 3),
    ]


def test_a_batch_that_finds_no_room_fails_and_says_how_much_there_is(
    serve: Serve, connect: Connect
) -> None:
    limits = {"LICHEN_BATCH_TENANT_LIMIT": "2", "LICHEN_BATCH_FILES_LIMIT": "1kB"}
    client = connect(serve(environ={**ON, **limits}))

    batch = ended(client, begun(client, line("a"), line("b"), line("c")))
    with pytest.raises(openai.APIStatusError) as full:
        begun(client, *(line(f"{n}") for n in range(20)))

    assert batch.status == "failed"
    assert [e.code for e in batch.errors.data] == ["queue_full"]
    assert "LICHEN_BATCH_TENANT_LIMIT" in batch.errors.data[0].message
    assert full.value.status_code == 413
    assert "LICHEN_BATCH_FILES_LIMIT" in str(full.value)


def test_a_batch_is_cancelled_and_what_was_done_is_kept(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    client = connect(serve(environ={**ON, "LICHEN_BATCH_CONCURRENCY": "1"}))
    go = threading.Event()
    upstream.script = lambda call: usual(call, before=go)
    batch = begun(client, *(line(str(n), f"text {n}") for n in range(5)))
    until(lambda: upstream.calls)

    asked = client.batches.cancel(batch.id)
    go.set()
    done = ended(client, batch)
    out, err = read(client, done.output_file_id), read(client, done.error_file_id)

    assert asked.status == "cancelling"
    assert done.status == "cancelled"
    assert len(upstream.calls) == 1
    assert set(out) | set(err) == {"0", "1", "2", "3", "4"}
    assert {one["error"]["code"] for one in err.values()} == {"batch_cancelled"}


def test_a_batch_expires_with_what_was_done(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    client = connect(serve(environ={**ON, "LICHEN_BATCH_LEASE": "1s"}))
    upstream.script = lambda call: failure(503) if b"never" in call.body else by_kind(call)

    done = ended(client, begun(client, line("a"), line("b", "never"), window="4s"))

    assert done.status in ("completed", "expired")
    assert set(read(client, done.output_file_id)) == {"a"}
    assert set(read(client, done.error_file_id)) == {"b"}


def test_files_and_batches_are_their_callers_alone(serve: Serve, connect: Connect) -> None:
    service = serve(environ=ON)
    mine, other = connect(service, api_key="sk-one"), connect(service, api_key="sk-two")
    batch = ended(mine, begun(mine, line("a")))

    for asked in (
        lambda: other.batches.retrieve(batch.id),
        lambda: other.batches.cancel(batch.id),
        lambda: other.files.content(batch.output_file_id),
        lambda: other.files.delete(batch.input_file_id),
    ):
        with pytest.raises(openai.NotFoundError):
            asked()
    with pytest.raises(openai.BadRequestError):
        other.batches.create(
            input_file_id=batch.input_file_id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
        )
    assert list(other.batches.list()) == []
    assert list(other.files.list(purpose="batch")) == []


def test_files_are_listed_read_and_deleted(serve: Serve, connect: Connect) -> None:
    client = connect(serve(environ=ON))
    files = [client.files.create(file=(f"{n}.jsonl", b"{}"), purpose="batch") for n in range(3)]

    listed = list(client.files.list(purpose="batch", limit=2))
    raw = client.files.content(files[0].id).read()
    gone = client.files.delete(files[0].id)

    assert [file.id for file in listed] == [file.id for file in reversed(files)]
    assert client.files.retrieve(files[1].id).filename == "1.jsonl"
    assert (raw, gone.deleted) == (b"{}", True)
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(files[0].id)


def test_a_batch_goes_on_after_a_kill(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve(environ={**ON, "LICHEN_BATCH_LEASE": "1s"}, upstream_key="sk-held")
    client = connect(service)
    go = threading.Event()
    upstream.script = lambda call: usual(call, before=go)
    batch = begun(client, *(line(str(n), f"text {n}") for n in range(40)))
    until(lambda: upstream.calls)

    service.kill()
    go.set()
    service.start()
    done = ended(connect(service), batch)
    out = read(connect(service), done.output_file_id)

    assert done.status == "completed"
    assert set(out) == {str(n) for n in range(40)}
    assert any(one.get("lichen") == {"maybe_sent_twice": True} for one in out.values())


@pytest.mark.parametrize("window", ["0h", "soon", "2026-11-26T06:00:00", "900d"])
def test_a_window_that_cannot_be_is_refused_by_its_own_name(
    serve: Serve, connect: Connect, window: str
) -> None:
    client = connect(serve(environ=ON))

    with pytest.raises(openai.BadRequestError) as refused:
        begun(client, line("a"), window=window)

    assert f"completion_window: {window!r} " in refused.value.message
    assert "x-lichen-defer" not in refused.value.message


def test_where_it_is_off_the_provider_is_asked(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    client = connect(serve())

    with pytest.raises(openai.NotFoundError):
        client.files.create(file=("a.jsonl", b"{}"), purpose="batch")

    assert [call.target for call in upstream.calls] == ["/v1/files"]


def test_files_of_other_purposes_are_the_providers(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    client = connect(serve(environ=ON))

    with pytest.raises(openai.NotFoundError):
        client.files.create(file=("a.txt", b"text"), purpose="user_data")
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve("file-abc")

    assert [call.target for call in upstream.calls] == ["/v1/files", "/v1/files/file-abc"]


def test_the_official_client_leaves_a_call_and_fetches_it(serve: Serve, connect: Connect) -> None:
    client = connect(serve())
    asked = question()

    left = client.chat.completions.with_raw_response.create(
        **asked, extra_headers={"x-lichen-defer": "1h"}
    )
    path = left.headers["location"].removeprefix("/v1")
    answer = client.get(f"{path}?wait=20", cast_to=ChatCompletion)

    assert left.status_code == 202
    assert answer.choices[0].message.content
