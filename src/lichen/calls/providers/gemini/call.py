"""Gemini calls: what a path and a body ask, and everything in it that changes the answer.

    POST /v1beta/models/{model}:{action}

The model and whether the answer is streamed stand in the path; a stream is of server-sent events
with alt=sse, else one JSON array that comes in pieces.

Source: Google AI for Developers, Gemini API reference, "Generating content", 2026-11.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import orjson

from lichen.calls.exchange import Call
from lichen.calls.providers.fields import alike, is_zero, model_name, read_fields
from lichen.calls.providers.frames import listed
from lichen.calls.providers.gemini.names import name_in, object_of, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.providers.dialect import Dialect

# Fields that say how to bill, and never change what is answered.
_INERT = frozenset(("labels",))
_NUMBERS = (
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "candidateCount",
    "maxOutputTokens",
)
# Fields that tie an answer to a state that others keep.
_STATEFUL = ("cachedContent", "previousInteractionId", "continuationToken", "store")
# Tools that the client runs; the provider runs all others, such as a search.
# Source: Gemini API reference, `Tool`.
_CLIENT_TOOLS = frozenset(
    ("functionDeclarations", "function_declarations", "computerUse", "computer_use")
)
# A file by its address, which may be another thing tomorrow. In text that a prompt quotes the marks
# are escaped, so that it is not mistaken.
_REMOTE = re.compile(rb'"file_?[uU]ri"\s*:')


def read_call(dialect: Dialect, kind: str, target: bytes, body: bytes) -> Call:
    """What a path and a body ask.

    Raises:
        InputError: the body is not a JSON object.
    """
    fields, strict = read_fields(body)
    path, _, query = target.partition(b"?")
    stream = path.endswith(b":streamGenerateContent")
    remote = _REMOTE.search(body) is not None
    reusable = strict and not remote and not _is_stateful(fields)
    config = object_of(fields, "generationConfig")
    deterministic = reusable and (
        kind in dialect.embeds
        or is_zero(config.get("temperature"))
        or config.get("seed") is not None
    )
    return Call(
        kind,
        fields,
        model_name(_model(path)),
        stream,
        deterministic,
        reusable,
        dialect,
        as_array=stream and b"alt=sse" not in query.split(b"&"),
    )


def _model(path: bytes) -> str:
    """The model in a path: `models/gemini-2.5-flash:generateContent`."""
    name = path.rpartition(b":")[0].rpartition(b"/")[2]
    return unquote_to_bytes(name).decode("utf-8", "replace")


def _is_stateful(fields: Mapping[str, Any]) -> bool:
    """Whether the call leans on a state that others keep and that moves on."""
    if any(value_of(fields, name) for name in _STATEFUL):
        return True
    return any(_is_hosted(tool) for tool in listed(fields.get("tools")))


def _is_hosted(tool: object) -> bool:
    """Whether the provider runs any of these tools itself, as it does a search."""
    return type(tool) is not dict or not _CLIENT_TOOLS.issuperset(tool)


def canonical(_kind: str, fields: Mapping[str, Any]) -> bytes:
    """The call as canonical JSON: sorted keys, inert fields out, 0 and 0.0 alike.

    Raises:
        TypeError: it cannot be written down again: it is nested too deep.
    """
    kept = dict(fields)
    for name in _INERT:
        kept.pop(name, None)
    where = name_in(fields, "generationConfig")
    config = object_of(fields, "generationConfig")
    numbers = {name: alike(config.get(name)) for name in _NUMBERS}
    if whole := {name: number for name, number in numbers.items() if number is not None}:
        kept[where] = {**config, **whole}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
