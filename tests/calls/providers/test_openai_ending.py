"""Ending: which answers may be given again."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lichen.calls.providers.openai.ending import ended_well, is_sound
from lichen.testing.upstreams import (
    DONE,
    chat_chunk,
    chat_frames,
    chat_usage,
    response_answer,
    response_frames,
)

CHAT = b"".join(chat_frames(usage=chat_usage()))
RESPONSE = b"".join(response_frames())


@pytest.mark.parametrize("kind", ["chat.completions", "completions"])
def test_a_completion_ends_with_done(kind: str) -> None:
    assert ended_well(kind, CHAT)


@pytest.mark.parametrize("end", [b"data:[DONE]\n\n", b"data: [DONE]", b"data: [DONE]\r\n\r\n"])
def test_done_may_be_written_in_several_ways(end: bytes) -> None:
    assert ended_well("chat.completions", CHAT.removesuffix(DONE) + end)


def test_a_comment_after_the_end_does_not_matter() -> None:
    assert ended_well("chat.completions", CHAT + b": ping\n\n")


def test_a_stream_with_carriage_returns_ends_well() -> None:
    assert ended_well("chat.completions", CHAT.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("cut", range(1, len(DONE) + 40))
def test_a_stream_without_its_end_did_not_end_well(cut: int) -> None:
    stream = CHAT.rstrip()

    assert not ended_well("chat.completions", stream[:-cut])


def test_an_empty_stream_did_not_end_well() -> None:
    assert not ended_well("chat.completions", b"")
    assert not ended_well("responses", b"")


def test_what_the_model_wrote_is_not_taken_for_the_end() -> None:
    stream = chat_chunk("data: [DONE]") + chat_chunk("event: response.completed")

    assert not ended_well("chat.completions", stream)
    assert not ended_well("responses", stream)


def test_a_response_ends_with_its_completed_event() -> None:
    assert ended_well("responses", RESPONSE)
    assert ended_well("responses", RESPONSE + DONE)


@pytest.mark.parametrize("last", ["failed", "incomplete", "cancelled"])
def test_a_response_that_did_not_complete_did_not_end_well(last: str) -> None:
    assert not ended_well("responses", b"".join(response_frames(last=last)))


def test_a_response_that_breaks_off_did_not_end_well() -> None:
    frames = response_frames()

    assert not ended_well("responses", b"".join(frames[:-1]))
    assert not ended_well("responses", b"".join(frames[:-1]) + DONE)


def test_the_end_of_a_response_is_no_end_of_a_chat() -> None:
    assert not ended_well("chat.completions", RESPONSE)


@pytest.mark.parametrize(
    "frame",
    [
        b'data: {"error": {"message": "overloaded"}}\n\n',
        b'data:{"error":{"message":"overloaded"}}\n\n',
        b'data: {"id": "1", "error": {"code": 502}, "choices": []}\n\n',
        b'data: {"id": "1", "choices": [{"index": 0, "error": {"code": 502}}]}\n\n',
        b'event: error\ndata: {"type": "error", "message": "overloaded"}\n\n',
        b'event: error\r\ndata: {"type":"error"}\r\n\r\n',
    ],
)
def test_a_stream_that_carries_an_error_did_not_end_well(frame: bytes) -> None:
    first, *rest = chat_frames()

    assert not ended_well("chat.completions", first + frame + b"".join(rest))


def test_a_response_that_carries_an_error_did_not_end_well() -> None:
    first, *rest = response_frames()
    frame = b'event: error\ndata: {"type":"error","code":"server_error"}\n\n'

    assert not ended_well("responses", first + frame + b"".join(rest))


@pytest.mark.parametrize("text", ['{"error": {"code": 1}}', '"error": {', "data: error"])
def test_an_error_in_what_the_model_wrote_is_none(text: str) -> None:
    assert ended_well("chat.completions", b"".join(chat_frames([text])))


def test_an_error_of_null_is_none() -> None:
    frames = [chat_chunk("Hi", error=None), DONE]

    assert ended_well("chat.completions", b"".join(frames))


def test_a_tool_with_a_field_called_error_is_none() -> None:
    tool = {"type": "function", "parameters": {"properties": {"error": {"type": "string"}}}}
    said = {"type": "response.created", "response": {"error": None, "tools": [tool]}}
    first = b"event: response.created\ndata: %b\n\n" % orjson.dumps(said)

    assert ended_well("responses", first + RESPONSE)


def test_a_whole_answer_is_sound() -> None:
    assert is_sound("chat.completions", {"choices": [{"message": {"content": "Hi"}}]})
    assert is_sound("responses", orjson.loads(response_answer()))
    assert is_sound("embeddings", {"data": []})


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"message": "overloaded"}},
        {"error": "overloaded", "choices": []},
        {"type": "error", "message": "x"},
        {"choices": [{"error": {"code": 502}}]},
    ],
)
def test_an_error_that_calls_itself_well_is_not_sound(answer: dict[str, Any]) -> None:
    assert not is_sound("chat.completions", answer)


@pytest.mark.parametrize("status", ["failed", "in_progress", "incomplete", "queued", "cancelled"])
def test_a_response_that_is_not_complete_is_not_sound(status: str) -> None:
    assert not is_sound("responses", orjson.loads(response_answer(status=status)))
