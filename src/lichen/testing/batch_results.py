"""Batch results: what providers give back for batches that a client made there, as they do.

    lines(openai_line("a", chat_answer()), openai_failed("b"))     a file of results
    gemini_batch([gemini_inline()])                                a batch with its results within

Source: OpenAI API reference, "The request output object"; Anthropic API reference, "Message
Batches" (results); Gemini API reference, "Batch API", and its answers as google-genai 3.6 reads
them, 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from lichen.testing.anthropic_answers import message
from lichen.testing.gemini_answers import content_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def lines(*said: Mapping[str, Any]) -> bytes:
    """A file with one JSON object a line."""
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in said)


def openai_line(name: str, body: bytes, *, status: int = 200) -> dict[str, Any]:
    """A line that was answered."""
    response = {"status_code": status, "request_id": f"req_{name}", "body": orjson.loads(body)}
    return {"id": f"batch_req_{name}", "custom_id": name, "response": response, "error": None}


def openai_failed(name: str, code: str = "batch_expired") -> dict[str, Any]:
    """A line that was not."""
    error = {"code": code, "message": "This request could not be executed."}
    return {"id": f"batch_req_{name}", "custom_id": name, "response": None, "error": error}


def anthropic_line(name: str, **more: Any) -> dict[str, Any]:
    """A line that was answered with a message; `more` is what it says: see `message`."""
    told = {"type": "succeeded", "message": orjson.loads(message(f"to {name}", **more))}
    return {"custom_id": name, "result": told}


def anthropic_failed(name: str, kind: str) -> dict[str, Any]:
    """A line that errored, was canceled or expired."""
    result: dict[str, Any] = {"type": kind}
    if kind == "errored":
        error = {"type": "invalid_request_error", "message": "no"}
        result["error"] = {"type": "error", "error": error, "request_id": "req_1"}
    return {"custom_id": name, "result": result}


def gemini_inline(**more: Any) -> dict[str, Any]:
    """One answer of a batch, as it stands within the batch; `more` as for `content_object`."""
    return {"response": content_object("Hello.", **more)}


def gemini_line(name: str, **more: Any) -> dict[str, Any]:
    """The same as a line of a file of results."""
    return {"key": name, **gemini_inline(**more)}


def gemini_batch(
    inline: Sequence[Mapping[str, Any]] = (),
    *,
    name: str = "batches/b1",
    model: str = "gemini-2.5-flash",
    done: bool = True,
    embeds: bool = False,
) -> bytes:
    """A batch; where it is done its results stand in `response` and in `metadata.output`."""
    under = "inlinedEmbedContentResponses" if embeds else "inlinedResponses"
    output = {under: {"inlinedResponses": list(inline)}}
    state = "BATCH_STATE_SUCCEEDED" if done else "BATCH_STATE_RUNNING"
    metadata = {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "model": f"models/{model}",
        "displayName": "mine",
        "createTime": "2026-11-25T11:55:07.827892252Z",
        "batchStats": {"requestCount": str(len(inline))},
        "state": state,
        "name": name,
    }
    made: dict[str, Any] = {"name": name, "metadata": metadata}
    if done:
        metadata["output"] = output
        made |= {"done": True, "response": output}
    return orjson.dumps(made, option=orjson.OPT_INDENT_2)
