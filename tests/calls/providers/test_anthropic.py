"""Anthropic's dialect: what is read in its calls and answers, and what lichen says in its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from anthropic.types import Message

from lichen.calls.providers.anthropic.dialect import ANTHROPIC
from lichen.calls.providers.view import Text, Turn, View
from lichen.ledger.errors import InputError
from lichen.ledger.tokens import Tokens
from lichen.testing.anthropic_answers import (
    ERROR,
    asked_tool,
    event_frame,
    message,
    message_frames,
    message_object,
    message_usage,
)

if TYPE_CHECKING:
    from lichen.calls.exchange import Call

KEPT = {"type": "ephemeral"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def call(**fields: Any) -> Call:
    asked = {"model": "claude-haiku-4-5", "max_tokens": 9, **fields}
    return ANTHROPIC.read_call("messages", b"/v1/messages", orjson.dumps(asked))


def view(**fields: Any) -> View:
    return ANTHROPIC.view(call(**fields))


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        # Anthropic, "Messages", the example of a first call.
        ({"input_tokens": 12, "output_tokens": 6}, Tokens(12, decode=6)),
        # Anthropic, "Prompt caching": the book is written to the cache, then read from it.
        (
            {
                "cache_creation_input_tokens": 188086,
                "cache_read_input_tokens": 0,
                "input_tokens": 21,
                "output_tokens": 393,
            },
            Tokens(21, cache_write=188086, decode=393),
        ),
        (
            {
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 188086,
                "input_tokens": 21,
                "output_tokens": 393,
            },
            Tokens(21, cache_read=188086, decode=393),
        ),
        (message_usage(10, 30, kept=5, cached=7, thought=12), Tokens(10, 7, 5, 18, 12)),
        (
            {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": None},
            Tokens(3, decode=4),
        ),
    ],
)
def test_cached_tokens_stand_beside_the_input(usage: dict[str, Any], tokens: Tokens) -> None:
    assert ANTHROPIC.usage("messages", {"usage": usage}) == tokens


@pytest.mark.parametrize(
    "usage", [None, {}, [], {"input_tokens": 3}, {"output_tokens": 3}, {"input_tokens": -1}]
)
def test_what_makes_no_sense_is_no_usage(usage: object) -> None:
    assert ANTHROPIC.usage("messages", {"usage": usage}) is None


def test_a_streams_last_word_counts() -> None:
    frames = message_frames("Hello there.", usage=message_usage(10, 30, kept=5, cached=7))
    stream = b"".join(frames)

    assert ANTHROPIC.stream_usage("messages", stream[:800], stream[-300:]) == Tokens(10, 7, 5, 30)


def test_a_delta_may_tell_the_input_again() -> None:
    begun = b'event: message_start\ndata: {"type":"message_start","message":{"usage":'
    begun += b'{"input_tokens":10,"cache_read_input_tokens":1,"output_tokens":1}}}\n\n'
    end = b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":'
    end += b'{"input_tokens":99,"output_tokens":7}}\n\nevent: message_stop\ndata: {}\n\n'

    assert ANTHROPIC.stream_usage("messages", begun, begun + end) == Tokens(99, 1, 0, 7)


def test_a_stream_that_broke_off_before_its_end_tells_no_usage() -> None:
    stream = b"".join(message_frames("Hello there.")[:4])

    assert ANTHROPIC.stream_usage("messages", stream, stream) is None


def test_what_a_model_wrote_about_usage_is_not_taken_for_it() -> None:
    written = '"usage": {"input_tokens": 9999, "output_tokens": 9999} "message_delta" event: error'
    stream = b"".join(message_frames(written))

    assert ANTHROPIC.stream_usage("messages", stream, stream) == Tokens(12, decode=5)
    assert ANTHROPIC.ended_well("messages", stream)


@pytest.mark.parametrize("stop", ["end_turn", "max_tokens", "stop_sequence", "tool_use"])
def test_a_message_that_stopped_is_whole(stop: str) -> None:
    assert ANTHROPIC.is_sound("messages", message_object("Hello.", stop=stop))
    assert ANTHROPIC.ended_well("messages", b"".join(message_frames("Hello.", stop=stop)))


@pytest.mark.parametrize("stop", ["pause_turn", "refusal"])
def test_one_that_is_paused_or_refused_is_not(stop: str) -> None:
    assert not ANTHROPIC.is_sound("messages", message_object("Hello.", stop=stop))
    assert not ANTHROPIC.ended_well("messages", b"".join(message_frames("Hello.", stop=stop)))


def test_a_stream_without_its_stop_or_with_an_error_did_not_end_well() -> None:
    frames = message_frames("Hello there.")

    assert not ANTHROPIC.ended_well("messages", b"".join(frames[:-1]))
    assert not ANTHROPIC.ended_well("messages", b"".join([*frames[:4], event_frame(ERROR)]))
    assert not ANTHROPIC.ended_well("messages", b"".join([event_frame(ERROR), *frames]))
    assert not ANTHROPIC.is_sound("messages", ERROR)


def test_the_end_alone_is_enough_to_judge_a_stream() -> None:
    stream = b"".join(message_frames("word " * 500))

    assert ANTHROPIC.ended_well("messages", stream[-300:])


def test_a_conversation_has_instructions_turns_and_what_tools_gave_back() -> None:
    result = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "text", "text": "42"}],
    }
    seen = view(
        system=[{"type": "text", "text": "Be terse."}],
        messages=[
            user("Hello"),
            {"role": "assistant", "content": asked_tool("look")},
            user([result, {"type": "text", "text": "And?"}, IMAGE]),
        ],
    )

    assert seen.system == (Text(("system", 0, "text"), "Be terse."),)
    assert seen.turns == (
        Turn("user", (Text(("messages", 0, "content"), "Hello"),)),
        Turn("assistant", (), (("messages", 1, "content", 0),)),
        Turn("tool", (Text(("messages", 2, "content", 0, "content", 0, "text"), "42"),)),
        Turn(
            "user",
            (Text(("messages", 2, "content", 1, "text"), "And?"),),
            (("messages", 2, "content", 2),),
        ),
    )
    assert seen.asks
    assert seen.question is not None
    assert seen.question.text == "And?"
    assert (seen.limit, seen.limit_path) == (9, ("max_tokens",))


def test_a_document_of_plain_text_is_a_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "A long report."}

    seen = view(messages=[user([{"type": "document", "source": source}])])

    assert seen.turns[0].texts == (
        Text(("messages", 0, "content", 0, "source", "data"), "A long report."),
    )


def test_what_stands_before_the_last_breakpoint_is_pinned() -> None:
    marked = {"type": "text", "text": "manual", "cache_control": KEPT}
    seen = view(system=[marked, {"type": "text", "text": "today"}], messages=[user("Hello")])

    assert [text.pinned for text in seen.texts] == [True, False, False]


def test_a_breakpoint_in_the_tools_pins_no_text() -> None:
    tool = {"name": "f", "input_schema": {}, "cache_control": KEPT}

    assert not any(text.pinned for text in view(tools=[tool], system="s", messages=[]).texts)


def test_an_automatic_breakpoint_pins_all_but_the_last_turn() -> None:
    turns = [user("one"), {"role": "assistant", "content": "two"}, user("three")]

    seen = view(cache_control=KEPT, system="Be terse.", messages=turns)

    assert [text.pinned for text in seen.texts] == [True, True, True, False]


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
        {"tools": ["nonsense"]},
        {"mcp_servers": [{"type": "url", "url": "https://x.example", "name": "x"}]},
        {"container": "c"},
        {"messages": [user([{"type": "image", "source": {"type": "url", "url": "https://x/a"}}])]},
    ],
)
def test_what_leans_on_a_state_elsewhere_is_not_reusable(fields: dict[str, Any]) -> None:
    made = call(temperature=0, **fields)

    assert not made.reusable
    assert not made.deterministic


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"name": "f", "input_schema": {}}]},
        {"tools": [{"type": "custom", "name": "f", "input_schema": {}}]},
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {"messages": [user('a text that says "url": "https://x.example"')]},
        {"messages": [user([IMAGE])]},
    ],
)
def test_what_the_client_runs_or_shows_itself_is_reusable(fields: dict[str, Any]) -> None:
    assert call(temperature=0, **fields).deterministic
    assert not call(**fields).deterministic


def test_who_asks_does_not_change_the_call() -> None:
    def canonical(**fields: Any) -> bytes:
        return ANTHROPIC.canonical("messages", call(**fields).fields)

    assert canonical(metadata={"user_id": "u"}, cache_control=KEPT) == canonical()
    assert canonical(temperature=0.0) == canonical(temperature=0)
    assert canonical(service_tier="auto") != canonical()


def test_the_text_of_an_answer_is_read_whole_or_streamed() -> None:
    assert ANTHROPIC.answer_text("messages", message("Hello there.")) == "Hello there."
    assert ANTHROPIC.answer_text("messages", b"".join(message_frames("Hello there."))) == (
        "Hello there."
    )
    assert ANTHROPIC.calls_tools("messages", message(asked_tool("f")))
    assert ANTHROPIC.calls_tools("messages", b"".join(message_frames(asked_tool("f"))))
    assert not ANTHROPIC.calls_tools("messages", message("a tool_use in words"))


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_of_ours_is_a_message_that_its_client_takes(*, stream: bool) -> None:
    told = ANTHROPIC.answer_with(call(stream=stream), "It is 42.")

    assert ANTHROPIC.answer_text("messages", told.body) == "It is 42."
    if stream:
        assert ANTHROPIC.ended_well("messages", told.body)
        assert ANTHROPIC.stream_usage("messages", told.body, told.body) == Tokens()
    else:
        assert Message.model_validate_json(told.body).stop_reason == "end_turn"


def test_another_kind_cannot_be_answered_in_words() -> None:
    asked = call()
    asked.kind = "embeddings"

    with pytest.raises(InputError, match="cannot be answered in words"):
        ANTHROPIC.answer_with(asked, "no")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (404, "not_found_error"),
        (429, "rate_limit_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_an_error_has_the_providers_own_shape(status: int, kind: str) -> None:
    told = orjson.loads(ANTHROPIC.error_body(status, "what happened", "a_code"))

    assert told == {
        "type": "error",
        "error": {"type": kind, "message": "what happened", "code": "a_code"},
    }
