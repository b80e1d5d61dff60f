"""OpenAI calls: what a body asks, and everything in it that changes the answer.

Fields lichen does not know are left alone: they pass through byte for byte and count in the key.

Source: OpenAI API reference (chat completions, responses, completions, embeddings), 2026-11.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.exchange import Call
from lichen.calls.providers.fields import alike, is_zero, model_name, read_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.providers.dialect import Dialect

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
# Fields that tie an answer to a state that moves on: the provider's, or the web's.
# Source: OpenAI API reference, the fields' own descriptions.
_STATEFUL = frozenset(("background", "conversation", "previous_response_id", "web_search_options"))
# Tools of the Responses API that the client runs; the provider runs all others.
# Source: OpenAI API reference, "Create a model response", `tools`.
_CLIENT_TOOLS = ("apply_patch", "computer_use_preview", "custom", "function", "local_shell")
# What stands elsewhere and may be another thing tomorrow: an image or a file by its address. In
# text that a prompt quotes the marks are escaped, so that it is not mistaken.
_REMOTE = re.compile(rb'"(?:url|image_url|file_url)"\s*:\s*"(?!data:)')


def read_call(dialect: Dialect, kind: str, body: bytes) -> Call:
    """What a body asks. A call that names no model is the upstream's to judge.

    Raises:
        InputError: it is not a JSON object.
    """
    fields, strict = read_fields(body)
    remote = b"_url" in body and _REMOTE.search(body) is not None
    reusable = strict and not remote and not _is_stateful(kind, fields)
    # Temperature 0, a seed, or embeddings: the same call asks for the same answer.
    deterministic = reusable and (
        is_zero(fields.get("temperature")) or fields.get("seed") is not None or kind == "embeddings"
    )
    stream = fields.get("stream") is True
    model = model_name(fields.get("model"))
    return Call(kind, fields, model, stream, deterministic, reusable, dialect)


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
        if name in kept and (number := alike(kept[name])) is not None:
            kept = {**kept, name: number}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
