"""OpenAI answers: the text in one, whether it asks for a tool, and answers of lichen's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from lichen.calls.providers.openai.dialect import OPENAI
from lichen.ledger.errors import InputError
from lichen.testing.upstreams import (
    chat_answer,
    chat_frames,
    embedding_answer,
    response_answer,
    response_frames,
)

if TYPE_CHECKING:
    from lichen.calls.exchange import Call

ASKS = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def a_call(kind: str, **fields: Any) -> Call:
    return OPENAI.read_call(kind, b"", orjson.dumps({"model": "m", **fields}))


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("chat.completions", chat_answer("Hello."), "Hello."),
        ("chat.completions", b"".join(chat_frames()), "Hello."),
        ("responses", response_answer("Hello."), "Hello."),
        ("responses", b"".join(response_frames("Hello.")), "Hello."),
        ("completions", b'{"choices":[{"text":"Hello."}]}', "Hello."),
        ("embeddings", embedding_answer(), ""),
        ("chat.completions", b"rubbish", ""),
        ("responses", b'{"output": [7, {"content": [null]}]}', ""),
    ],
)
def test_the_text_of_an_answer_is_read_whole_or_streamed(kind: str, body: bytes, text: str) -> None:
    assert OPENAI.answer_text(kind, body) == text


def test_of_several_answers_the_first_is_the_text() -> None:
    choices = [
        {"index": place, "message": {"content": text}} for place, text in enumerate(("a", "b"))
    ]

    assert OPENAI.answer_text("chat.completions", orjson.dumps({"choices": choices})) == "a"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("chat.completions", {"choices": [{"message": {"content": None, "tool_calls": [ASKS]}}]}),
        ("chat.completions", {"choices": [{"message": {"function_call": {"name": "f"}}}]}),
        ("responses", {"output": [{"type": "function_call", "name": "f", "arguments": "{}"}]}),
    ],
)
def test_an_answer_that_asks_for_a_tool_is_known(kind: str, said: dict[str, Any]) -> None:
    assert OPENAI.calls_tools(kind, orjson.dumps(said))


def test_a_stream_that_asks_for_a_tool_is_known() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **ASKS}]}}]}
    item = {"type": "response.output_item.added", "item": {"type": "function_call", "name": "f"}}

    assert OPENAI.calls_tools("chat.completions", b"data: %b\n\n" % orjson.dumps(chunk))
    assert OPENAI.calls_tools("responses", b"data: %b\n\n" % orjson.dumps(item))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("chat.completions", chat_answer("I would call it tool_calls.")),
        ("chat.completions", b"".join(chat_frames(["call me"]))),
        ("responses", response_answer("a function_call")),
        ("embeddings", embedding_answer()),
    ],
)
def test_an_answer_in_words_asks_for_no_tool(kind: str, body: bytes) -> None:
    assert not OPENAI.calls_tools(kind, body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["chat.completions", "responses", "completions"])
def test_an_answer_of_ours_is_a_sound_one_of_the_providers(kind: str, *, stream: bool) -> None:
    told = OPENAI.answer_with(a_call(kind, stream=stream), "It is 42.")

    assert OPENAI.answer_text(kind, told.body) == "It is 42."
    if stream:
        assert OPENAI.ended_well(kind, told.body)
        assert told.content_type.startswith(b"text/event-stream")
    else:
        assert OPENAI.is_sound(kind, orjson.loads(told.body))
        usage = OPENAI.usage(kind, orjson.loads(told.body))
        assert usage is not None
        assert usage.total == 0


def test_vectors_cannot_be_given_in_words() -> None:
    with pytest.raises(InputError, match="cannot be answered in words"):
        OPENAI.answer_with(a_call("embeddings", input="x"), "no")
