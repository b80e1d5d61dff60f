"""The OpenAI wire format: which calls lichen reads, what they ask, what an answer used, its errors.

Fields lichen does not know are left alone: they pass through byte for byte and count in the key.

Source: OpenAI API reference (chat completions, responses, completions, embeddings), 2026-11.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.exchange import Call
from lichen.ledger.errors import InputError
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

# The calls whose answers can be stored and metered, by path.
KINDS: dict[bytes, str] = {
    b"/v1/chat/completions": "chat.completions",
    b"/v1/responses": "responses",
    b"/v1/completions": "completions",
    b"/v1/embeddings": "embeddings",
}
# Fields that say who asks or how to bill and route, and never change what is answered.
# Source: OpenAI API reference, the fields' own descriptions.
INERT = frozenset(
    ("metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user")
)
# Numbers that clients write as 0 or 0.0 alike.
_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")
# Fields that tie an answer to a state held by the provider, which moves on.
_STATEFUL = ("background", "conversation", "previous_response_id")
_ERROR_TYPES = {401: "authentication_error", 429: "rate_limit_error"}
# One token of English text is about four bytes.
# Source: OpenAI Help Center, "What are tokens and how to count them?"
BYTES_PER_TOKEN = 4


def read_call(kind: str, body: bytes) -> Call:
    """What a body asks.

    Raises:
        InputError: it is not a JSON object, or names no model.
    """
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(f"the request body is not valid JSON: {error}") from None
    if type(fields) is not dict:
        raise InputError(f"the request body must be a JSON object, got {type(fields).__name__}")
    model = fields.get("model")
    if type(model) is not str or not model:
        raise InputError(f"the request must name a model as text, got model = {model!r}")
    return Call(kind, fields, model, fields.get("stream") is True, _is_deterministic(kind, fields))


def _is_deterministic(kind: str, fields: Mapping[str, Any]) -> bool:
    """Whether the same call asks for the same answer: temperature 0, a seed, or embeddings."""
    if kind == "embeddings":
        return True
    if any(fields.get(name) for name in _STATEFUL):
        return False
    if fields.get("seed") is not None:
        return True
    return fields.get("temperature") == 0 and type(fields.get("temperature")) is not bool


def is_stateful(fields: Mapping[str, Any]) -> bool:
    """Whether the call leans on a state the provider keeps, so that no answer fits twice."""
    return any(fields.get(name) for name in _STATEFUL)


def canonical(fields: Mapping[str, Any]) -> bytes:
    """The call as canonical JSON: sorted keys, inert fields out, 0 and 0.0 alike."""
    kept = fields if INERT.isdisjoint(fields) else {n: fields[n] for n in fields if n not in INERT}
    for name in _NUMBERS:
        value = kept.get(name)
        if type(value) is float and value.is_integer():
            kept = {**kept, name: int(value)}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)


def usage_of(body: bytes) -> Tokens | None:
    """Token counts of a whole answer, None where it has none that makes sense.

    OpenAI counts cached tokens in the input and reasoning tokens in the output; here the classes
    do not overlap.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return _tokens(answer.get("usage")) if type(answer) is dict else None


def usage_at_end(stream: bytes) -> Tokens | None:
    """Token counts of the last `usage` object in the end of a stream, None where there is none."""
    at = stream.rfind(b'"usage"')
    while at >= 0:
        brace = stream.find(b"{", at, at + 16)
        if brace >= 0:
            text = stream[brace : brace + 4096].decode("utf-8", "replace")
            try:
                return _tokens(json.JSONDecoder().raw_decode(text)[0])
            except ValueError:
                pass
        at = stream.rfind(b'"usage"', 0, at)
    return None


def _tokens(usage: object) -> Tokens | None:
    if type(usage) is not dict:
        return None
    read = _count(usage, "prompt_tokens", "input_tokens")
    if read is None:
        return None
    written = _count(usage, "completion_tokens", "output_tokens") or 0
    cached = _detail(usage, ("prompt_tokens_details", "input_tokens_details"), "cached_tokens")
    thought = _detail(
        usage, ("completion_tokens_details", "output_tokens_details"), "reasoning_tokens"
    )
    cached, thought = min(cached, read), min(thought, written)
    return Tokens(read - cached, cached, 0, written - thought, thought)


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if type(value) is int and value >= 0:
            return value
    return None


def _detail(usage: Mapping[str, Any], groups: tuple[str, str], name: str) -> int:
    for group in groups:
        details = usage.get(group)
        if isinstance(details, dict):
            return _count(details, name) or 0
    return 0


def estimated_usage(request: bytes, answer: bytes, frames: int) -> Tokens:
    """Token counts where the upstream gave none: a rough guess, to be flagged as one.

    Input by its bytes; output by the number of stream frames (one token each, as providers send
    them), or by the answer's bytes.
    """
    written = frames or max(1, len(answer) // (2 * BYTES_PER_TOKEN))
    return Tokens(prefill=max(1, len(request) // BYTES_PER_TOKEN), decode=written)


def error_body(status: int, message: str, code: str) -> bytes:
    """An error in the provider's own shape, so that its clients raise their own exceptions."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")  # noqa: PLR2004 (HTTP)
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})
