"""Anthropic answers: what the Messages API sends back, whole or as a stream, in its real shape.

    message("Hello.", usage=message_usage(read=12))         a whole message
    message_frames("Hello.")                                the same, event by event

Source: Anthropic API reference, "Messages", "Streaming messages", "Count message tokens", "Message
Batches", 2026-11: the shapes of its examples.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ERROR = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "Overloaded"},
    "request_id": "req_1",
}


def message_usage(
    read: int = 12, written: int = 5, *, kept: int = 0, cached: int = 0, thought: int = 0
) -> dict[str, Any]:
    """The usage of a message: `kept` were written to the cache, `cached` read from it. [token]"""
    return {
        "input_tokens": read,
        "cache_creation_input_tokens": kept,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": kept, "ephemeral_1h_input_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": "standard",
    }


def said(text: str) -> list[dict[str, Any]]:
    """Content that is one text."""
    return [{"type": "text", "text": text, "citations": None}]


def asked_tool(name: str, **given: Any) -> list[dict[str, Any]]:
    """Content that asks the client to run a tool."""
    return [{"type": "tool_use", "id": "toolu_1", "name": name, "input": given, "caller": None}]


def message_object(
    content: str | Sequence[Mapping[str, Any]] = "Hello.",
    *,
    model: str = "claude-haiku-4-5",
    usage: Mapping[str, Any] | None = None,
    stop: str | None = None,
) -> dict[str, Any]:
    """A message as an object; it stopped to use a tool where it asks for one."""
    blocks = said(content) if isinstance(content, str) else list(content)
    asks = any(block["type"] == "tool_use" for block in blocks)
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": stop or ("tool_use" if asks else "end_turn"),
        "stop_sequence": None,
        "usage": dict(usage or message_usage()),
    }


def message(content: str | Sequence[Mapping[str, Any]] = "Hello.", **more: Any) -> bytes:
    """A whole message: see `message_object`."""
    return json.dumps(message_object(content, **more)).encode()


def message_frames(
    content: str | Sequence[Mapping[str, Any]] = "Hello.", **more: Any
) -> tuple[bytes, ...]:
    """A streamed message, event by event: see `message_object`."""
    whole = message_object(content, **more)
    usage = whole["usage"]
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(whole["content"]):
        events += _block(index, block)
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    last = {"output_tokens": usage["output_tokens"]}
    last["output_tokens_details"] = usage.get("output_tokens_details")
    events += [
        {"type": "message_delta", "delta": delta, "usage": last},
        {"type": "message_stop"},
    ]
    return tuple(event_frame(event) for event in events)


def event_frame(event: Mapping[str, Any]) -> bytes:
    """One event as it goes over the wire."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _block(index: int, block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events of one block of content."""
    if block["type"] == "text":
        empty: dict[str, Any] = {**block, "text": ""}
        pieces = [{"type": "text_delta", "text": part} for part in block["text"].partition(" ")]
    else:
        empty = {**block, "input": {}}
        written = json.dumps(block["input"])
        pieces = [{"type": "input_json_delta", "partial_json": part} for part in ("", written)]
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        *({"type": "content_block_delta", "index": index, "delta": piece} for piece in pieces),
        {"type": "content_block_stop", "index": index},
    ]


def anthropic_answer(path: str, asked: Mapping[str, Any], text: str) -> Any:
    """What a call gets: a whole answer as an object, and its frames where it may be streamed.

    None where there is nothing at that path.
    """
    if path == "/v1/messages/count_tokens":
        return {"input_tokens": 14}, ()
    if path == "/v1/messages/batches":
        return _batch(), ()
    if path != "/v1/messages":
        return None
    content = _content(asked, text)
    made = {"model": asked["model"]}
    return message_object(content, **made), message_frames(content, **made)


def _content(asked: Mapping[str, Any], text: str) -> str | list[dict[str, Any]]:
    """A tool is asked for where there is one and nothing was given back yet."""
    last = asked["messages"][-1]["content"]
    given_back = isinstance(last, list) and any(b["type"] == "tool_result" for b in last)
    tools = asked.get("tools") or ()
    if tools and not given_back and asked.get("tool_choice", {}).get("type") != "none":
        return asked_tool(tools[0]["name"], city="Lisbon")
    if asked.get("output_config", {}).get("format"):
        return json.dumps({"text": text})
    return text


def _batch() -> dict[str, Any]:
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    return {
        "id": "msgbatch_1",
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": counts,
        "created_at": "2026-11-25T10:00:00Z",
        "expires_at": "2026-11-26T10:00:00Z",
        "ended_at": None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    }
