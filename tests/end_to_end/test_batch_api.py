"""The Batch API served by lichen: the official client, unchanged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lichen.testing.provider import by_kind
from lichen.testing.provider_answers import failure
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
