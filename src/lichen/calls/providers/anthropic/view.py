"""Anthropic views: the texts of a call, where they stand, and what lies before a breakpoint.

A prompt is read in the order tools, system, messages; what stands up to the last `cache_control` is
a prefix that the client asked to be kept. Texts: `system`, or its blocks; each message's `content`,
or its blocks; the plain text of documents; what tools gave back.

Source: Anthropic API reference, "Create a Message"; "Prompt caching".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import listed, mapped
from lichen.calls.providers.view import Text, Turn, View, told, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lichen.calls.exchange import Call
    from lichen.calls.providers.view import Path

_TOOLS = ("tools", "tool_choice", "mcp_servers", "container")
_FORMAT = ("output_config", "output_format", "thinking")


def view(call: Call) -> View:
    """The texts of a call and where they stand."""
    fields = call.fields
    system, _ = _content(fields.get("system"), ("system",))
    turns: list[Turn] = []
    for place, message in enumerate(listed(fields.get("messages"))):
        _message(mapped(message), ("messages", place, "content"), turns)
    system, turns = _pinned(fields, system, turns)
    return View(
        tuple(system),
        tuple(turns),
        told(fields, _TOOLS),
        told(fields, _FORMAT),
        limit(call),
        ("max_tokens",),
        1,
    )


def limit(call: Call) -> int | None:
    """The most tokens that may be written."""
    return whole(call.fields.get("max_tokens"))


def _message(message: Mapping[str, Any], at: Path, turns: list[Turn]) -> None:
    """A message is a turn; what tools gave back within it are turns of their own, before it."""
    role = "assistant" if message.get("role") == "assistant" else "user"
    texts, others = _content(message.get("content"), at)
    kept: list[Path] = []
    for path in others:
        block = mapped(listed(message.get("content"))[int(path[-1])])
        if block.get("type") == "tool_result":
            inner, beside = _content(block.get("content"), (*path, "content"))
            turns.append(Turn("tool", tuple(inner), tuple(beside)))
        else:
            kept.append(path)
    if texts or kept or not others:
        turns.append(Turn(role, tuple(texts), tuple(kept)))


def _content(value: object, at: Path) -> tuple[list[Text], list[Path]]:
    """The texts of a content, which is one text or a list of blocks; where its others stand."""
    if type(value) is str:
        return [Text(at, value)], []
    texts: list[Text] = []
    others: list[Path] = []
    for place, part in enumerate(listed(value)):
        found = _text(mapped(part), (*at, place))
        if found is not None:
            texts.append(found)
        else:
            others.append((*at, place))
    return texts, others


def _text(block: Mapping[str, Any], at: Path) -> Text | None:
    """The text of a block of text, or of a document that is plain text."""
    kind = block.get("type")
    if kind == "text" and type(block.get("text")) is str:
        return Text((*at, "text"), block["text"])
    source = mapped(block.get("source"))
    if kind == "document" and source.get("type") == "text" and type(source.get("data")) is str:
        return Text((*at, "source", "data"), source["data"])
    return None


_Marked = tuple[list[Text], list[Turn]]


def _pinned(fields: Mapping[str, Any], system: list[Text], turns: list[Turn]) -> _Marked:
    """The same texts, those before the last breakpoint marked as such."""
    last = max(breakpoints(fields), default=None, key=order)
    if fields.get("cache_control") is not None:
        # The provider places it itself: whatever the next turn repeats is kept.
        count = len(listed(fields.get("messages")))
        last = max(last or (), ("messages", max(0, count - 2), "content", 10**9), key=order)
    if last is None:
        return system, turns
    edge = order(last)

    def marked(text: Text) -> Text:
        return Text(text.path, text.text, order(text.path) <= edge)

    return [marked(text) for text in system], [
        Turn(turn.role, tuple(marked(text) for text in turn.texts), turn.others) for turn in turns
    ]


def order(path: Path) -> tuple[int, ...]:
    """Where a block stands in the prompt: tools, then system, then messages, in their order."""
    rank = {"tools": 0, "system": 1, "messages": 2}.get(str(path[0]), 0) if path else -1
    return (rank, *(part for part in path if type(part) is int))


def breakpoints(fields: Mapping[str, Any]) -> Iterator[Path]:
    """Where the client's own breakpoints stand."""
    for name in ("tools", "system"):
        yield from _marks(fields.get(name), (name,))
    for place, message in enumerate(listed(fields.get("messages"))):
        yield from _marks(mapped(message).get("content"), ("messages", place, "content"))


def _marks(blocks: object, at: Path) -> Iterator[Path]:
    for place, block in enumerate(listed(blocks)):
        if mapped(block).get("cache_control") is not None:
            yield (*at, place)
        if mapped(block).get("type") == "tool_result":
            yield from _marks(block.get("content"), (*at, place, "content"))
