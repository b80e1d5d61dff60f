"""OpenAI told: answers and errors of lichen's own, in OpenAI's shape.

Source: OpenAI API reference, "Create chat completion", "Create a model response", "Streaming",
"Error codes".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.providers.dialect import Told
from lichen.calls.providers.frames import frame
from lichen.ledger.errors import InputError
from lichen.ledger.ids import new_id

if TYPE_CHECKING:
    from lichen.calls.exchange import Call

_ERROR_TYPES = {401: "authentication_error", 429: "rate_limit_error"}
_DONE = b"data: [DONE]\n\n"
# No model ran.
_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def error_body(status: int, message: str, code: str) -> bytes:
    """An error in the provider's own shape, so that its clients raise their own exceptions."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")  # noqa: PLR2004 (HTTP)
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def error_frame(status: int, message: str, code: str) -> bytes:
    """The same in the midst of a stream."""
    return b"data: %b\n\n" % error_body(status, message, code)


def answer_with(call: Call, text: str, answer_id: str = "") -> Told:
    """An answer to a call in lichen's own words, streamed where the call asks for a stream.

    `answer_id` is the id it has, behind the provider's prefix; a new one where none is given.

    Raises:
        InputError: the call's kind has no answer in words.
    """
    makers = {"chat.completions": _chat, "responses": _response, "completions": _text}
    make = makers.get(call.kind)
    if make is None:
        raise InputError(f"a call of kind {call.kind!r} cannot be answered in words")
    whole, frames = make(call, text, answer_id or new_id())
    if call.stream:
        return Told(b"text/event-stream; charset=utf-8", frames)
    return Told(b"application/json", orjson.dumps(whole))


_Made = tuple[dict[str, Any], bytes]


def _chat(call: Call, text: str, answer_id: str) -> _Made:
    made = {"id": f"chatcmpl-{answer_id}", "created": int(time.time()), "model": call.model}
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    whole = {**made, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
    part = {**made, "object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], finish: str | None) -> bytes:
        return frame({**part, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    frames = chunk({"role": "assistant", "content": text}, None) + chunk({}, "stop")
    if _wants_usage(call):
        frames += frame({**part, "choices": [], "usage": _USAGE})
    return whole, frames + _DONE


def _wants_usage(call: Call) -> bool:
    options = call.fields.get("stream_options")
    return type(options) is dict and options.get("include_usage") is True


def _text(call: Call, text: str, answer_id: str) -> _Made:
    made = {"id": f"cmpl-{answer_id}", "created": int(time.time()), "model": call.model}
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}
    said = {**made, "object": "text_completion", "choices": [choice]}
    end = frame({**said, "choices": [], "usage": _USAGE}) if _wants_usage(call) else b""
    return {**said, "usage": _USAGE}, frame(said) + end + _DONE


def _response(call: Call, text: str, answer_id: str) -> _Made:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": f"msg_{answer_id}", "role": "assistant", "status": "completed"}
    done = {**item, "content": [part]}
    begun: dict[str, Any] = {
        "id": f"resp_{answer_id}",
        "object": "response",
        "created_at": int(time.time()),
        "model": call.model,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }
    usage = {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    }
    whole = {**begun, "status": "completed", "output": [done], "usage": usage}
    return whole, _response_frames(begun, item, part, whole)


def _response_frames(
    begun: dict[str, Any], item: dict[str, Any], part: dict[str, Any], whole: dict[str, Any]
) -> bytes:
    """The events of a streamed response that says one text."""
    here = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    text = part["text"]
    empty = {**item, "status": "in_progress", "content": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": empty},
        {"type": "response.content_part.added", **here, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **here, "delta": text, "logprobs": []},
        {"type": "response.output_text.done", **here, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **here, "part": part},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {**item, "content": [part]},
        },
        {"type": "response.completed", "response": whole},
    ]
    return b"".join(
        frame({**event, "sequence_number": place}, event["type"])
        for place, event in enumerate(events)
    )
