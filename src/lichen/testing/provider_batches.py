"""ProviderBatches: batches at three providers, as far as a client that made one goes.

    upstream.script = ProviderBatches(upstream.url)

One batch at each has ended: `OUTPUT` and `ERRORS` are its files at OpenAI, `MESSAGES` its results
at Anthropic; Gemini's `b1` has its results within, `files/f1` those of another. Results come in
chunks, compressed for whoever takes that.
"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from lichen.testing.batch_results import (
    anthropic_failed,
    anthropic_line,
    gemini_batch,
    gemini_inline,
    gemini_line,
    lines,
    openai_failed,
    openai_line,
)
from lichen.testing.provider import by_kind
from lichen.testing.provider_answers import Reply
from lichen.testing.upstreams import chat_answer

if TYPE_CHECKING:
    from lichen.testing.provider import Received

ASKED = b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n'
OUTPUT = lines(
    *(openai_line(f"n{n}", chat_answer(f"text {n}", model="gpt-4o")) for n in range(40)),
    openai_failed("late"),
)
ERRORS = lines(openai_failed("late"), openai_line("bad", b'{"error": {}}', status=400))
MESSAGES = lines(
    *(anthropic_line(f"n{n}", model="claude-opus-5") for n in range(9)),
    anthropic_failed("bad", "errored"),
    anthropic_failed("late", "expired"),
)
TOLD = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "ended"}
TOLD |= {"created_at": "2026-11-25T00:00:00Z", "expires_at": "2026-11-26T00:00:00Z"}
COUNTS = {"processing": 0, "succeeded": 9, "errored": 1, "canceled": 0, "expired": 1}
BATCH = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file-in",
    "completion_window": "24h",
    "status": "completed",
    "output_file_id": "file-out",
    "error_file_id": "file-err",
    "created_at": 1,
}


class ProviderBatches:
    """A script for a `ScriptedProvider` at that URL; `files` are results by their path."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._whole: dict[str, bytes] = {
            "/v1/files": b'{"id": "file-in", "object": "file", "purpose": "batch", "bytes": 1,'
            b' "created_at": 1, "filename": "in.jsonl", "status": "processed"}',
            "/v1/batches": json.dumps({**BATCH, "status": "validating"}).encode(),
            "/v1/batches/batch_1": json.dumps(BATCH).encode(),
            "/v1/messages/batches": json.dumps(self._told("in_progress")).encode(),
            "/v1/messages/batches/msgbatch_1": json.dumps(self._told("ended")).encode(),
            "/v1/models/gemini-2.5-flash:batchGenerateContent": gemini_batch(done=False),
            "/v1/batches/b1": gemini_batch([gemini_inline(), {"error": {"code": 3}}]),
        }
        self.files = {
            "/v1/files/file-in/content": ASKED,
            "/v1/files/file-out/content": OUTPUT,
            "/v1/files/file-err/content": ERRORS,
            "/v1/messages/batches/msgbatch_1/results": MESSAGES,
            "/v1/files/f1:download": lines(gemini_line("a"), gemini_line("b")),
        }

    def _told(self, status: str) -> dict[str, Any]:
        where = f"{self._url}/v1/messages/batches/msgbatch_1/results"
        done = {"results_url": where} if status == "ended" else {}
        return {**TOLD, "processing_status": status, "request_counts": COUNTS, **done}

    def __call__(self, call: Received) -> Reply:
        """The answer to a call."""
        path = call.target.partition("?")[0].replace("/v1beta/", "/v1/")
        if path in self._whole:
            return Reply(chunks=(self._whole[path],))
        if path in self.files:
            return self._file(self.files[path], call)
        return by_kind(call)

    def _file(self, content: bytes, call: Received) -> Reply:
        """In chunks, and compressed for whoever takes that, as the providers send them."""
        kind = [("content-type", "application/octet-stream")]
        if "gzip" in (call.header("accept-encoding") or ""):
            content = gzip.compress(content)
            kind.append(("content-encoding", "gzip"))
        places = range(0, len(content), 1000)
        return Reply(headers=tuple(kind), chunks=tuple(content[at : at + 1000] for at in places))
