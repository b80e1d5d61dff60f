"""Shorter prompts through a real service: what goes out, what the report and the proof say."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from lichen.calls.coding.codecs import encoded
from lichen.calls.compress.expand import expand
from lichen.testing.provider_answers import Reply
from lichen.testing.upstreams import chat_answer, chat_usage
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.testing.provider import ScriptedProvider
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Connect, Serve

RULES = """
[[route]]
compress = "lossless"

[holdout]
share = 0

[coding]
upstream = "gzip"
requests = "1kB"
"""
ROWS = json.dumps([{"id": n, "city": "Rome" if n % 3 else "Oslo", "n": n * n} for n in range(200)])
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Who lives in Rome?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "rows", "arguments": "{}"}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": ROWS},
]


def lichen(service: RunningService, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lichen", *arguments, "--ledger", str(service.ledger)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_shorter_prompt_goes_out_and_its_saving_is_proved(
    serve: Serve, connect: Connect, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    (tmp_path / "lichen.toml").write_text(RULES)
    reply = Reply(chunks=(chat_answer(usage=chat_usage(3000, 9)),))
    upstream.script = lambda _: reply
    service = serve()

    raw = connect(service).chat.completions.with_raw_response.create(
        model="gpt-4o-mini",
        messages=MESSAGES,  # type: ignore[arg-type] # plain dictionaries are what it sends
    )

    [call] = upstream.calls
    assert call.header("content-encoding") == "gzip"
    sent = json.loads(gzip.decompress(call.body))["messages"]
    assert sent[:2] == MESSAGES[:2]
    assert json.loads(expand(sent[2]["content"])) == json.loads(ROWS)
    assert raw.headers["x-lichen-compress"].startswith("lossless;before=")
    [line] = until(lambda: [e for e in service.entries() if e.figures.strategy == "calls.compress"])
    proved = lichen(service, "prove", line.id)
    assert proved.returncode == 0, proved.stdout
    assert "The saving holds." in proved.stdout
    assert "Shorter prompts" in service.get("/")[1]
    assert "lichen_compress_calls_total 1" in service.get("/metrics")[1]


def test_a_client_that_speaks_zstandard_is_understood(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve()
    asked = {"model": "gpt-4o-mini", "messages": MESSAGES[:1], "temperature": 0}
    body = encoded("zstd", json.dumps(asked).encode())

    connect(service).post(
        "/chat/completions",
        cast_to=object,
        content=body,
        options={"headers": {"content-encoding": "zstd"}},
    )

    [call] = upstream.calls
    assert json.loads(call.body) == asked
    assert call.header("content-encoding") is None
