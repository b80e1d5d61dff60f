"""OpenAI answers: the text in one, and whether it asks for a tool, whole or streamed.

Source: OpenAI API reference, "Create chat completion", "Create a model response", and their
streaming events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import listed, mapped, said_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The types of a response's items that say something and ask for nothing, or stay with the provider.
_QUIET = ("message", "reasoning")


def answer_text(kind: str, body: bytes) -> str:
    """The text of an answer, whole or streamed; empty where it has none. Of several, the first."""
    if kind == "embeddings":
        return ""
    texts = _response_texts if kind == "responses" else _choice_texts
    return "".join(text for said in said_in(body) for text in texts(said))


def _choice_texts(said: Mapping[str, Any]) -> Iterator[str]:
    for choice in map(mapped, listed(said.get("choices"))):
        if choice.get("index", 0) != 0:
            continue
        message = mapped(choice.get("message") or choice.get("delta"))
        text = message.get("content") or choice.get("text")
        if type(text) is str:
            yield text


def _response_texts(said: Mapping[str, Any]) -> Iterator[str]:
    if "type" in said and "output" not in said:  # an event of a stream
        if said["type"] == "response.output_text.delta" and type(said.get("delta")) is str:
            yield said["delta"]
        return
    for item in map(mapped, listed(said.get("output"))):
        for part in map(mapped, listed(item.get("content"))):
            if part.get("type") == "output_text" and type(part.get("text")) is str:
                yield part["text"]


def calls_tools(kind: str, body: bytes) -> bool:
    """Whether an answer, whole or streamed, asks the client to run a tool."""
    if kind not in ("chat.completions", "responses"):
        return False
    asks = _response_asks if kind == "responses" else _choice_asks
    return b"call" in body and any(map(asks, said_in(body)))


def _choice_asks(said: Mapping[str, Any]) -> bool:
    for choice in map(mapped, listed(said.get("choices"))):
        message = mapped(choice.get("message") or choice.get("delta"))
        if message.get("tool_calls") or message.get("function_call"):
            return True
    return False


def _response_asks(said: Mapping[str, Any]) -> bool:
    items = listed(said.get("output")) or [said.get("item")]
    kinds = [str(mapped(item).get("type", "")) for item in items]
    return any(kind.endswith("_call") and kind not in _QUIET for kind in kinds)
