"""Anthropic calls: what a body asks, and everything in it that changes the answer.

Fields lichen does not know are left alone: they pass through byte for byte and count in the key.
There is no seed: a call is deterministic at temperature 0 alone.

Source: Anthropic API reference, "Create a Message", 2026-11.
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

# Fields that say who asks or what the provider is to keep, and never change what is answered.
# Source: Anthropic API reference, the fields' own descriptions.
_INERT = frozenset(("cache_control", "metadata", "user_profile_id"))
_NUMBERS = ("temperature", "top_p", "top_k")
# Fields that tie an answer to a state that others keep: a container with files, servers of tools,
# the cache of a call before.
_STATEFUL = ("container", "mcp_servers", "diagnostics")
# How the types of those tools begin that the client runs; the provider runs all others. A tool of
# the client's own making has no type, or "custom".
# Source: Anthropic API reference, "Tool use", client tools and server tools.
_CLIENT_TOOLS = ("custom", "bash_", "browser_", "computer_", "memory_", "text_editor_")
# What stands elsewhere and may be another thing tomorrow. In text that a prompt quotes the marks
# are escaped, so that it is not mistaken.
_REMOTE = re.compile(rb'"url"\s*:\s*"')


def read_call(dialect: Dialect, kind: str, body: bytes) -> Call:
    """What a body asks. A call that names no model is the upstream's to judge.

    Raises:
        InputError: it is not a JSON object.
    """
    fields, strict = read_fields(body)
    remote = b'"url"' in body and _REMOTE.search(body) is not None
    reusable = strict and not remote and not _is_stateful(fields)
    return Call(
        kind,
        fields,
        model_name(fields.get("model")),
        fields.get("stream") is True,
        reusable and is_zero(fields.get("temperature")),
        reusable,
        dialect,
    )


def _is_stateful(fields: Mapping[str, Any]) -> bool:
    """Whether the call leans on a state that others keep and that moves on."""
    if any(fields.get(name) for name in _STATEFUL):
        return True
    tools = fields.get("tools")
    return type(tools) is list and any(_is_hosted(tool) for tool in tools)


def _is_hosted(tool: object) -> bool:
    """Whether the provider runs this tool itself, as it does a web search."""
    if type(tool) is not dict:
        return True
    kind = tool.get("type") or "custom"
    return type(kind) is not str or not kind.startswith(_CLIENT_TOOLS)


def canonical(_kind: str, fields: Mapping[str, Any]) -> bytes:
    """The call as canonical JSON: sorted keys, inert fields out, 0 and 0.0 alike.

    Raises:
        TypeError: it cannot be written down again: it is nested too deep.
    """
    kept = fields
    if not _INERT.isdisjoint(fields):
        kept = {name: fields[name] for name in fields if name not in _INERT}
    for name in _NUMBERS:
        if (number := alike(kept.get(name))) is not None:
            kept = {**kept, name: number}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
