"""Anthropic answers: the text in one, and whether it asks for a tool, whole or streamed.

Source: Anthropic API reference, "Messages", "Streaming messages", "Tool use".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import listed, mapped, said_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def answer_text(_kind: str, body: bytes) -> str:
    """The text of an answer, whole or streamed; empty where it has none."""
    return "".join(text for said in said_in(body) for text in _texts(said))


def _texts(said: Mapping[str, Any]) -> Iterator[str]:
    if said.get("type") == "content_block_delta":
        delta = mapped(said.get("delta"))
        if delta.get("type") == "text_delta" and type(delta.get("text")) is str:
            yield delta["text"]
        return
    for block in map(mapped, listed(said.get("content"))):
        if block.get("type") == "text" and type(block.get("text")) is str:
            yield block["text"]


def calls_tools(_kind: str, body: bytes) -> bool:
    """Whether an answer, whole or streamed, asks the client to run a tool."""
    return b"tool_use" in body and any(map(_asks, said_in(body)))


def _asks(said: Mapping[str, Any]) -> bool:
    blocks = [*listed(said.get("content")), said.get("content_block")]
    return any(mapped(block).get("type") == "tool_use" for block in blocks)
