"""Gemini told: answers and errors of lichen's own, in Gemini's shape.

Source: Gemini API reference, `GenerateContentResponse`; Google AIP-193 (errors); google.rpc.Code
and its HTTP mapping.
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

_STATUSES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    504: "DEADLINE_EXCEEDED",
}
_REASON = "type.googleapis.com/google.rpc.ErrorInfo"


def error_body(status: int, message: str, code: str) -> bytes:
    """An error in the provider's own shape, so that its clients raise their own exceptions."""
    name = _STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "UNAVAILABLE")  # noqa: PLR2004 (HTTP)
    detail = {"@type": _REASON, "reason": code.upper(), "domain": "lichen"}
    return orjson.dumps(
        {"error": {"code": status, "message": message, "status": name, "details": [detail]}}
    )


def error_frame(status: int, message: str, code: str) -> bytes:
    """The same in the midst of a stream."""
    return b"data: %b\n\n" % error_body(status, message, code)


def answer_with(call: Call, text: str, answer_id: str = "") -> Told:
    """An answer to a call in lichen's own words, streamed where the call asks for a stream.

    `answer_id` is the id it has; a new one where none is given.

    Raises:
        InputError: the call's kind has no answer in words.
    """
    if call.kind != "generate_content":
        raise InputError(f"a call of kind {call.kind!r} cannot be answered in words")
    content = {"role": "model", "parts": [{"text": text}]}
    made: dict[str, Any] = {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        # No model ran.
        "usageMetadata": {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0},
        "modelVersion": call.model,
        "responseId": answer_id or new_id(),
    }
    if call.as_array:
        return Told(b"application/json; charset=UTF-8", b"[%b\n]\n" % orjson.dumps(made))
    if call.stream:
        return Told(b"text/event-stream", frame(made))
    return Told(b"application/json; charset=UTF-8", orjson.dumps(made))
