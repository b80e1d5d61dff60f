"""Provider answers: what OpenAI, Anthropic and Gemini send back, small, whole or as a stream.

Each call gets another text, as from a model that samples: who gets the same text twice got it from
a store.

Source: OpenAI API reference (chat completions, responses, completions, embeddings, models).
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lichen.testing.anthropic_answers import anthropic_answer
from lichen.testing.gemini_answers import gemini_answer

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

_JSON = (("content-type", "application/json"),)
_EVENTS = (("content-type", "text/event-stream; charset=utf-8"),)
_number = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a scripted provider answers one call.

    Attributes:
        status: the HTTP status.
        headers: besides those that frame the body.
        chunks: the body, sent one chunk at a time.
        before: waited for before anything is sent.
        between: waited for after the first chunk.
        breaks: whether the connection ends before the answer does.
        raw: sent instead of all that, as it is.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = _JSON
    chunks: tuple[bytes, ...] = (b"",)
    before: threading.Event | None = None
    between: threading.Event | None = None
    breaks: bool = False
    raw: bytes | None = None


def failure(status: int, **headers: str) -> Reply:
    """An error in the provider's shape; header names are written with underscores."""
    told = {"error": {"message": f"no, {status}", "type": "scripted", "param": None, "code": "x"}}
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status=status, headers=_JSON + named, chunks=(json.dumps(told).encode(),))


def answer(target: str, body: bytes) -> Reply:
    """What the call at `target` gets: the shape of its kind, a stream where it asks for one."""
    path, _, query = target.partition("?")
    asked: dict[str, Any] = json.loads(body) if body.startswith(b"{") else {}
    text = f"answer {next(_number)}"
    for of_provider in (anthropic_answer, gemini_answer):
        if (made := of_provider(path, asked, text)) is not None:
            wants = asked.get("stream") or "streamGenerateContent" in path
            return _streamed(made[1], query) if wants else _whole(made[0])
    kinds = {
        "/v1/chat/completions": _chat,
        "/v1/completions": _text,
        "/v1/responses": _response,
        "/v1/embeddings": _embeddings,
        "/v1/models": _models,
    }
    if path not in kinds:
        return failure(404)
    whole, frames = kinds[path](asked, text)
    if asked.get("stream"):
        return Reply(headers=_EVENTS, chunks=frames)
    return _whole(whole)


def _whole(answered: Mapping[str, Any]) -> Reply:
    return Reply(chunks=(json.dumps(answered).encode(),))


def _streamed(frames: tuple[bytes, ...], query: str) -> Reply:
    """Events; Gemini's come as one JSON array where they are not asked for by alt=sse."""
    if frames[0].startswith(b"event:") or "alt=sse" in query:
        return Reply(headers=_EVENTS, chunks=frames)
    said = [frame.strip().removeprefix(b"data: ") for frame in frames]
    return Reply(chunks=(b"[" + said[0], *(b"\n,\r\n" + one for one in said[1:]), b"\n]\n"))


Made = tuple["Mapping[str, Any]", tuple[bytes, ...]]


def _frame(data: Mapping[str, Any], event: str = "") -> bytes:
    named = f"event: {event}\n" if event else ""
    return f"{named}data: {json.dumps(data)}\n\n".encode()


_DONE = b"data: [DONE]\n\n"
_USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


def _chat(asked: Mapping[str, Any], text: str) -> Made:
    base = {"id": f"chatcmpl-{text[7:]}", "created": 1, "model": asked["model"]}
    message = {"role": "assistant", "content": text}
    whole = {
        **base,
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": _USAGE,
    }
    part = {**base, "object": "chat.completion.chunk"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in text.partition(" ")]
    frames = [
        _frame({**part, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        for delta in deltas
    ]
    frames.append(_frame({**part, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    if asked.get("stream_options", {}).get("include_usage"):
        frames.append(_frame({**part, "choices": [], "usage": _USAGE}))
    return whole, (*frames, _DONE)


def _text(asked: Mapping[str, Any], text: str) -> Made:
    base = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": asked["model"]}

    def said(part: str, finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "text": part, "finish_reason": finish, "logprobs": None}
        return {**base, "choices": [choice]}

    frames = (*(_frame(said(part, None)) for part in text.partition(" ")), _frame(said("", "stop")))
    return {**said(text, "stop"), "usage": _USAGE}, (*frames, _DONE)


def _response(asked: Mapping[str, Any], text: str) -> Made:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    whole = {
        "id": f"resp_{text[7:]}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": asked["model"],
        "output": [{**message, "content": content}],
        "usage": {
            "input_tokens": 12,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 15,
        },
    }
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}},
        *(
            {"type": "response.output_text.delta", "item_id": "msg_1", "delta": part}
            | {"output_index": 0, "content_index": 0}
            for part in text.partition(" ")
        ),
        {"type": "response.completed", "response": whole},
    ]
    numbered = [{**event, "sequence_number": place} for place, event in enumerate(events)]
    return whole, tuple(_frame(event, str(event["type"])) for event in numbered)


def _embeddings(asked: Mapping[str, Any], text: str) -> Made:
    vector = [0.6, 0.8, float(text[7:]) / 1e6]
    whole = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": vector}],
        "model": asked["model"],
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    return whole, ()


def _models(_asked: Mapping[str, Any], _text: str) -> Made:
    model = {"id": "gpt-4o-mini", "object": "model", "created": 1, "owned_by": "nobody"}
    return {"object": "list", "data": [model]}, ()
