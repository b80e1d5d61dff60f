"""Gemini answers: what generateContent and its kin send back, whole or streamed, in real shape.

    content("Hello.", usage=content_usage(read=12))     a whole answer
    content_frames("Hello.")                            the same as server-sent events
    content_array("Hello.")                             the same as one JSON array in pieces

Source: Google AI for Developers, Gemini API reference, "Generating content", "Embeddings",
"Counting tokens", 2026-11: the shapes of its examples.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def content_usage(
    read: int = 12, written: int = 5, *, cached: int = 0, thought: int = 0, tools: int = 0
) -> dict[str, Any]:
    """The usage of an answer; the provider leaves out what is 0. [token]"""
    counts = {
        "promptTokenCount": read,
        "candidatesTokenCount": written,
        "totalTokenCount": read + written + thought + tools,
        "cachedContentTokenCount": cached,
        "thoughtsTokenCount": thought,
        "toolUsePromptTokenCount": tools,
    }
    details = [{"modality": "TEXT", "tokenCount": read}]
    return {name: n for name, n in counts.items() if n} | {"promptTokensDetails": details}


def called(name: str, **given: Any) -> list[dict[str, Any]]:
    """Parts that ask the client to run a function."""
    return [{"functionCall": {"name": name, "args": given}}]


def content_object(
    parts: str | Sequence[Mapping[str, Any]] = "Hello.",
    *,
    model: str = "gemini-2.5-flash",
    usage: Mapping[str, Any] | None = None,
    finish: str | None = "STOP",
) -> dict[str, Any]:
    """An answer, or a piece of one, as an object; a piece has no `finish`."""
    said = [{"text": parts}] if isinstance(parts, str) else list(parts)
    candidate: dict[str, Any] = {"content": {"parts": said, "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": dict(usage or content_usage()),
        "modelVersion": model,
        "responseId": "resp-1",
    }


def content(parts: str | Sequence[Mapping[str, Any]] = "Hello.", **more: Any) -> bytes:
    """A whole answer: see `content_object`."""
    return json.dumps(content_object(parts, **more), indent=2).encode()


def pieces(
    parts: str | Sequence[Mapping[str, Any]] = "Hello.", **more: Any
) -> list[dict[str, Any]]:
    """The same in pieces, the last of which says that it is one."""
    finish = more.pop("finish", "STOP")
    if not isinstance(parts, str):
        return [content_object(parts, finish=finish, **more)]
    words = [word for word in parts.partition(" ") if word]
    begun = [content_object(word, finish=None, **more) for word in words[:-1]]
    return [*begun, content_object(words[-1], finish=finish, **more)]


def content_frames(
    parts: str | Sequence[Mapping[str, Any]] = "Hello.", **more: Any
) -> tuple[bytes, ...]:
    """The pieces as server-sent events; there is no mark at the end."""
    return tuple(f"data: {json.dumps(piece)}\r\n\r\n".encode() for piece in pieces(parts, **more))


def content_array(
    parts: str | Sequence[Mapping[str, Any]] = "Hello.", **more: Any
) -> tuple[bytes, ...]:
    """The pieces as one JSON array."""
    made = [json.dumps(piece, indent=2).encode() for piece in pieces(parts, **more)]
    first, *others = made
    return (b"[" + first, *(b"\n,\r\n" + one for one in others), b"\n]\n")


def gemini_answer(path: str, asked: Mapping[str, Any], text: str) -> Any:
    """What a call gets: a whole answer as an object, and its frames where it may be streamed.

    None where there is nothing at that path.
    """
    name, _, action = path.rpartition(":")
    model = name.rpartition("/")[2]
    if action == "countTokens":
        return {"totalTokens": 14}, ()
    if action == "batchEmbedContents":
        return {"embeddings": [_vector(text) for _ in asked["requests"]]}, ()
    if action == "embedContent":
        return {"embedding": _vector(text)}, ()
    if action not in ("generateContent", "streamGenerateContent"):
        return None
    parts = _parts(asked, text)
    return content_object(parts, model=model), content_frames(parts, model=model)


def _vector(text: str) -> dict[str, Any]:
    return {"values": [0.6, 0.8, float(text[7:]) / 1e6]}


def _parts(asked: Mapping[str, Any], text: str) -> str | list[dict[str, Any]]:
    """A function is asked for where there is one and nothing was given back yet."""
    last = asked["contents"][-1]["parts"]
    given_back = any("functionResponse" in part for part in last)
    tools = asked.get("tools") or [{}]
    declared = tools[0].get("functionDeclarations") or ()
    if declared and not given_back:
        return called(declared[0]["name"], city="Lisbon")
    if asked.get("generationConfig", {}).get("responseMimeType") == "application/json":
        return json.dumps({"text": text})
    return text
