"""Anthropic marks: where a prefix may end that the provider is to keep, and how that is said.

A prompt is read as tools, then system, then messages. A block with `cache_control` ends a prefix
which is kept for 5 minutes from its last use; a call may have four. What is marked changes nothing
of what is read: a text becomes a list of one block of that text.

Source: Anthropic API reference, "Prompt caching" (order, four breakpoints, 5 minutes).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.providers.anthropic.view import breakpoints
from lichen.calls.providers.frames import listed, mapped
from lichen.calls.providers.marks import Edge
from lichen.calls.providers.view import put

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.calls.providers.view import Path

# Blocks that cannot be marked. Source: "Prompt caching", what cannot be cached.
_UNMARKED = ("thinking", "redacted_thinking")
_MARK = {"type": "ephemeral"}
# Fields beside the prompt that make it another one.
_WITH = ("model", "tool_choice", "thinking", "speed")


class AnthropicMarks:
    """Keeps the `Marks` port."""

    most = 4
    life_s = 300.0

    def are_placed(self, fields: Mapping[str, Any]) -> bool:
        """Whether the client says itself what is to be kept."""
        return fields.get("cache_control") is not None or any(breakpoints(fields))

    def edges(self, fields: Mapping[str, Any]) -> list[Edge]:
        """Where a prefix may end: after the tools, the instructions, and each turn of the user."""
        seen = hashlib.sha256(orjson.dumps({name: fields.get(name) for name in _WITH}))
        size = 0
        edges: list[Edge] = []
        for kind, path, part in _parts(fields):
            written = orjson.dumps(part, option=orjson.OPT_SORT_KEYS)
            seen.update(written)
            size += len(written)
            if path:
                edges.append(Edge(kind, path, seen.digest(), size))
        return edges

    def put(self, fields: Mapping[str, Any], edges: Sequence[Edge]) -> dict[str, Any]:
        """The fields with these edges marked."""
        changes: dict[Path, Any] = {}
        for edge in edges:
            value = _at(fields, edge.path)
            if type(value) is str:
                changes[edge.path] = [{"type": "text", "text": value, "cache_control": _MARK}]
            else:
                changes[edge.path] = {**value, "cache_control": _MARK}
        return put(fields, changes)


def _at(fields: Mapping[str, Any], path: Path) -> Any:
    value: Any = fields
    for name in path:
        value = value[name]
    return value


def _parts(fields: Mapping[str, Any]) -> list[tuple[str, Path, Any]]:
    """The prompt in its order: the kind of each part, where it ends (empty: no edge), itself."""
    made: list[tuple[str, Path, Any]] = []
    if tools := listed(fields.get("tools")):
        made.append(("tools", _last(tools, ("tools",)), tools))
    if system := fields.get("system"):
        made.append(("system", _last(system, ("system",)), system))
    for place, message in enumerate(map(mapped, listed(fields.get("messages")))):
        is_user = message.get("role") == "user"
        content = message.get("content")
        path = _last(content, ("messages", place, "content")) if is_user else ()
        made.append(("turn", path, message))
    return made


def _last(content: object, at: Path) -> Path:
    """Where the last block of a content is that may be marked; empty where there is none."""
    if type(content) is str:
        return at if content else ()
    blocks = listed(content)
    if not blocks or type(blocks[-1]) is not dict or blocks[-1].get("type") in _UNMARKED:
        return ()
    if blocks[-1].get("type") == "text" and not blocks[-1].get("text"):
        return ()
    return (*at, len(blocks) - 1)
