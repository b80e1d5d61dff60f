"""The OpenAI wire format: which calls lichen reads, what they ask, its errors.

Fields lichen does not know are left alone: they pass through byte for byte and count in the key.

Source: OpenAI API reference (chat completions, responses, completions, embeddings), 2026-11.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.exchange import Call
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The calls whose answers can be stored and metered, by path.
KINDS: dict[bytes, str] = {
    b"/v1/chat/completions": "chat.completions",
    b"/v1/responses": "responses",
    b"/v1/completions": "completions",
    b"/v1/embeddings": "embeddings",
}
# Fields that say who asks or how to bill and route, and never change what is answered. A response
# repeats the call's metadata, so there it counts.
# Source: OpenAI API reference, the fields' own descriptions.
_WHO_ASKS = frozenset(("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user"))
INERT: dict[str, frozenset[str]] = {
    "chat.completions": _WHO_ASKS | {"metadata"},
    "responses": _WHO_ASKS,
    "completions": _WHO_ASKS,
    "embeddings": _WHO_ASKS,
}
# Numbers that clients write as 0 or 0.0 alike.
_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")
# Up to here a double tells every whole number from the next (IEEE 754, 53 bits).
_WHOLE = 2.0**53
# Fields that tie an answer to a state that moves on: the provider's, or the web's.
# Source: OpenAI API reference, the fields' own descriptions.
_STATEFUL = frozenset(("background", "conversation", "previous_response_id", "web_search_options"))
# Tools of the Responses API that the client runs; the provider runs all others.
# Source: OpenAI API reference, "Create a model response", `tools`.
_CLIENT_TOOLS = ("apply_patch", "computer_use_preview", "custom", "function", "local_shell")
# What stands elsewhere and may be another thing tomorrow: an image or a file by its address. In
# text that a prompt quotes the marks are escaped, so that it is not mistaken.
_REMOTE = re.compile(rb'"(?:url|image_url|file_url)"\s*:\s*"(?!data:)')
# Characters of a model's name; the longest in the registries of models have some 100.
_LONGEST_NAME = 200
_ERROR_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


def read_call(kind: str, body: bytes) -> Call:
    """What a body asks. A call that names no model is the upstream's to judge.

    Raises:
        InputError: it is not a JSON object.
    """
    strict = True
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        fields, strict = _lenient(body, error), False
    if type(fields) is not dict:
        raise InputError(f"the request body must be a JSON object, got {type(fields).__name__}")
    model = _name(fields.get("model"))
    temperature = fields.get("temperature")
    remote = b"_url" in body and _REMOTE.search(body) is not None
    reusable = strict and not remote and not _is_stateful(kind, fields)
    # Temperature 0, a seed, or embeddings: the same call asks for the same answer.
    deterministic = reusable and (
        (temperature == 0 and temperature is not False)
        or fields.get("seed") is not None
        or kind == "embeddings"
    )
    stream = fields.get("stream") is True
    return Call(kind, fields, model, stream, deterministic, reusable)


def _name(model: object) -> str:
    """A model's name as rules, the book and metrics have it; the call and its key keep their own.

    The API bounds no name: it may hold a whole prompt.
    """
    if type(model) is not str:
        return ""
    if len(model) <= _LONGEST_NAME and model.isprintable():
        return model
    return "".join(letter for letter in model[:_LONGEST_NAME] if letter.isprintable())


def _lenient(body: bytes, error: orjson.JSONDecodeError) -> Any:
    """What some clients send and most services take, such as half of a pair of surrogates.

    A text cut in the middle of an emoji has one.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InputError(f"the request body is not valid JSON: {error}") from None


def _is_stateful(kind: str, fields: Mapping[str, Any]) -> bool:
    """Whether the call leans on a state that others keep and that moves on."""
    if not _STATEFUL.isdisjoint(fields) and any(fields.get(name) for name in _STATEFUL):
        return True
    if kind != "responses":
        return False
    tools = fields.get("tools")
    hosted = type(tools) is list and any(_is_hosted(tool) for tool in tools)
    # A prompt kept by the provider, by its id.
    return hosted or bool(fields.get("prompt"))


def _is_hosted(tool: object) -> bool:
    """Whether the provider runs this tool itself, as it does a web search."""
    return type(tool) is not dict or tool.get("type") not in _CLIENT_TOOLS


def canonical(kind: str, fields: Mapping[str, Any]) -> bytes:
    """The call as canonical JSON: sorted keys, inert fields out, 0 and 0.0 alike.

    Raises:
        TypeError: it cannot be written down again: it is nested too deep.
    """
    inert = INERT[kind]
    kept = fields if inert.isdisjoint(fields) else {n: fields[n] for n in fields if n not in inert}
    for name in _NUMBERS:
        value = kept.get(name)
        if type(value) is float and value.is_integer() and abs(value) < _WHOLE:
            kept = {**kept, name: int(value)}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)


def error_body(status: int, message: str, code: str) -> bytes:
    """An error in the provider's own shape, so that its clients raise their own exceptions."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")  # noqa: PLR2004 (HTTP)
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})
