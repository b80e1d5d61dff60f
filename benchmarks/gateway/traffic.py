"""What is sent and what comes back: the bodies of the mock upstream and of the bare server.

The sizes are those of a short support-desk exchange: about 600 bytes in, 700 bytes out, or 20
server-sent events with the usage in the last but one.
"""

from __future__ import annotations

import json
from typing import Any

MODEL = "gpt-4o-mini"
# The credential every caller sends: made up, and as long as the real ones.
KEY = "sk-bench-5f0c2b9e7a8d41c6b3e2f1a09d8c7b6e5a4f3d2c"
CHAT_PATH = "/v1/chat/completions"
EVENT_STREAM = b"text/event-stream; charset=utf-8"
JSON_TYPE = b"application/json"

_TEXT = (
    "Please hold the power button for ten seconds, wait for the light to turn amber, and then "
    "connect the cable again. If it stays amber, the paper path is blocked: open the rear door. "
)
_USAGE: dict[str, Any] = {
    "prompt_tokens": 120,
    "completion_tokens": 80,
    "total_tokens": 200,
    "prompt_tokens_details": {"cached_tokens": 0},
}
_ID = "chatcmpl-" + "a" * 29
_CREATED = 1_700_000_000
_CHUNKS = 17


def _dump(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _answer() -> bytes:
    message = {"role": "assistant", "content": _TEXT * 2}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _dump(
        {
            "id": _ID,
            "object": "chat.completion",
            "created": _CREATED,
            "model": MODEL,
            "choices": [choice],
            "usage": _USAGE,
        }
    )


def _frame(choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
    document = {
        "id": _ID,
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": MODEL,
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + _dump(document) + b"\n\n"


def _frames() -> list[bytes]:
    words = [
        _frame([{"index": 0, "delta": {"content": f"word {n} "}, "finish_reason": None}], None)
        for n in range(_CHUNKS)
    ]
    stop = _frame([{"index": 0, "delta": {}, "finish_reason": "stop"}], None)
    return [*words, stop, _frame([], _USAGE), b"data: [DONE]\n\n"]


ANSWER = _answer()
FRAMES = _frames()
EMBEDDING = _dump(
    {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.0123, -0.0456, 0.0789] * 8}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 12, "total_tokens": 12},
    }
)


def wants_stream(body: bytes) -> bool:
    """Whether a chat completion asks for server-sent events, without parsing the body."""
    return b'"stream":true' in body.replace(b" ", b"")
