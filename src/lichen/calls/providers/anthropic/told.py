"""Anthropic told: answers and errors of lichen's own, in Anthropic's shape.

Source: Anthropic API reference, "Messages", "Streaming messages", "Errors".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.providers.dialect import Told
from lichen.calls.providers.frames import frame
from lichen.ledger.errors import InputError
from lichen.ledger.ids import new_id

if TYPE_CHECKING:
    from lichen.calls.exchange import Call

_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(status: int, message: str, code: str) -> bytes:
    """An error in the provider's own shape, so that its clients raise their own exceptions."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")  # noqa: PLR2004 (HTTP)
    return orjson.dumps(
        {"type": "error", "error": {"type": kind, "message": message, "code": code}}
    )


def error_frame(status: int, message: str, code: str) -> bytes:
    """The same in the midst of a stream."""
    return b"event: error\ndata: %b\n\n" % error_body(status, message, code)


def answer_with(call: Call, text: str, answer_id: str = "") -> Told:
    """An answer to a call in lichen's own words, streamed where the call asks for a stream.

    `answer_id` is the id it has; a new one where none is given.

    Raises:
        InputError: the call's kind has no answer in words.
    """
    if call.kind != "messages":
        raise InputError(f"a call of kind {call.kind!r} cannot be answered in words")
    message: dict[str, Any] = {
        "id": f"msg_{answer_id or new_id()}",
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        # No model ran.
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    if call.stream:
        return Told(b"text/event-stream; charset=utf-8", _events(message, text))
    return Told(b"application/json", orjson.dumps(message))


def _events(message: dict[str, Any], text: str) -> bytes:
    """The events of a streamed message of one text."""
    begun = {**message, "content": [], "stop_reason": None}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": delta, "usage": message["usage"]},
        {"type": "message_stop"},
    ]
    return b"".join(frame(event, event["type"]) for event in events)
