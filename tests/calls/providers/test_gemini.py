"""Gemini's dialect: what is read in its calls and answers, and what lichen says in its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from google.genai.types import GenerateContentResponse

from lichen.calls.providers.gemini.dialect import GEMINI
from lichen.calls.providers.view import Text, Turn, View
from lichen.ledger.tokens import Tokens
from lichen.testing.gemini_answers import (
    called,
    content,
    content_array,
    content_frames,
    content_object,
    content_usage,
)

if TYPE_CHECKING:
    from lichen.calls.exchange import Call

KIND = "generate_content"
PATH = b"/v1beta/models/gemini-2.5-flash:generateContent"
STREAM = b"/v1beta/models/gemini-2.5-flash:streamGenerateContent"


def call(target: bytes = PATH, kind: str = KIND, **fields: Any) -> Call:
    return GEMINI.read_call(kind, target, orjson.dumps(fields))


def view(kind: str = KIND, **fields: Any) -> View:
    return GEMINI.view(call(kind=kind, **fields))


def said(*texts: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text} for text in texts]}


@pytest.mark.parametrize(
    ("target", "stream", "as_array"),
    [(PATH, False, False), (STREAM, True, True), (STREAM + b"?alt=sse", True, False)],
)
def test_the_path_says_which_model_and_how_it_answers(
    target: bytes,
    *,
    stream: bool,
    as_array: bool,
) -> None:
    made = call(target)

    assert (made.model, made.stream, made.as_array) == ("gemini-2.5-flash", stream, as_array)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        # Google, "Counting tokens": the usage of a plain call.
        (
            {"promptTokenCount": 4, "candidatesTokenCount": 715, "totalTokenCount": 719},
            Tokens(4, decode=715),
        ),
        # Google, "Thinking": thoughts stand beside the candidates.
        (
            {
                "promptTokenCount": 24,
                "candidatesTokenCount": 300,
                "thoughtsTokenCount": 900,
                "totalTokenCount": 1224,
            },
            Tokens(24, decode=300, reasoning=900),
        ),
        # A service that counts them within the candidates.
        (
            {
                "promptTokenCount": 24,
                "candidatesTokenCount": 1200,
                "thoughtsTokenCount": 900,
                "totalTokenCount": 1224,
            },
            Tokens(24, decode=300, reasoning=900),
        ),
        # Google, "Context caching": cached tokens are part of the prompt.
        (
            {
                "promptTokenCount": 696219,
                "cachedContentTokenCount": 696190,
                "candidatesTokenCount": 214,
                "totalTokenCount": 696433,
            },
            Tokens(29, cache_read=696190, decode=214),
        ),
        (content_usage(100, 5, tools=40), Tokens(140, decode=5)),
        ({"promptTokenCount": 8}, Tokens(8)),
        ({"prompt_token_count": 8, "candidates_token_count": 2}, Tokens(8, decode=2)),
    ],
)
def test_cached_tokens_are_taken_out_and_thoughts_stand_beside(
    usage: dict[str, Any], tokens: Tokens
) -> None:
    assert GEMINI.usage(KIND, {"usageMetadata": usage}) == tokens


@pytest.mark.parametrize("usage", [None, {}, [], {"candidatesTokenCount": 3}])
def test_what_makes_no_sense_is_no_usage(usage: object) -> None:
    assert GEMINI.usage(KIND, {"usageMetadata": usage}) is None


@pytest.mark.parametrize("make", [content_frames, content_array])
def test_the_last_chunk_that_tells_usage_counts(make: Any) -> None:
    stream = b"".join(make("Hello there.", usage=content_usage(100, 7, thought=3)))

    assert GEMINI.stream_usage(KIND, b"", stream[-400:]) == Tokens(100, decode=7, reasoning=3)


@pytest.mark.parametrize("finish", ["STOP", "MAX_TOKENS"])
def test_an_answer_that_stopped_is_whole(finish: str) -> None:
    assert GEMINI.is_sound(KIND, content_object("Hello.", finish=finish))
    assert GEMINI.ended_well(KIND, b"".join(content_frames("Hello there.", finish=finish)))
    assert GEMINI.ended_well(KIND, b"".join(content_array("Hello there.", finish=finish)))


@pytest.mark.parametrize("finish", [None, "SAFETY", "RECITATION", "OTHER", "CONTINUATION"])
def test_one_without_an_end_or_held_back_is_not(finish: str | None) -> None:
    assert not GEMINI.is_sound(KIND, content_object("Hello.", finish=finish))
    assert not GEMINI.ended_well(KIND, b"".join(content_frames("Hello there.", finish=finish)))
    assert not GEMINI.ended_well(KIND, b"".join(content_array("Hello there.", finish=finish)))


def test_a_blocked_prompt_is_no_answer() -> None:
    assert not GEMINI.is_sound(KIND, {"promptFeedback": {"blockReason": "SAFETY"}})
    assert not GEMINI.is_sound(KIND, {"error": {"code": 400}})


def test_a_stream_that_breaks_off_or_errs_did_not_end_well() -> None:
    frames, pieces = content_frames("Hello there."), content_array("Hello there.")
    error = b'data: {"error": {"code": 503, "message": "overloaded"}}\r\n\r\n'

    assert not GEMINI.ended_well(KIND, b"".join(frames[:-1]))
    assert not GEMINI.ended_well(KIND, b"".join(pieces[:-1]))
    assert not GEMINI.ended_well(KIND, b"".join([*frames, error]))


def test_a_chunk_of_usage_alone_may_come_last() -> None:
    last = b'data: {"usageMetadata": {"promptTokenCount": 3}}\n\n'

    assert GEMINI.ended_well(KIND, b"".join([*content_frames("Hello there."), last]))


@pytest.mark.parametrize("make", [content_frames, content_array])
def test_the_end_alone_is_enough_to_judge_a_stream(make: Any) -> None:
    stream = b"".join(make("data: ] [ " + "word " * 200))

    assert GEMINI.ended_well(KIND, stream[-1800:])


def test_vectors_are_whole_where_they_are_there() -> None:
    assert GEMINI.is_sound("embed_content", {"embedding": {"values": [1.0]}})
    assert GEMINI.is_sound("batch_embed_contents", {"embeddings": [{"values": [1.0]}]})
    assert not GEMINI.is_sound("embed_content", {})


@pytest.mark.parametrize("instruction", ["systemInstruction", "system_instruction"])
def test_a_conversation_has_instructions_turns_and_what_functions_gave_back(
    instruction: str,
) -> None:
    back = {"functionResponse": {"name": "f", "response": {"result": "sunny", "n": 3}}}
    asked: dict[str, Any] = {instruction: said("Be terse.")}
    seen = view(
        **asked,
        contents=[
            said("Weather?"),
            {"role": "model", "parts": called("f")},
            {"role": "user", "parts": [back]},
        ],
        generationConfig={"maxOutputTokens": 7, "candidateCount": 2},
    )

    assert seen.system == (Text((instruction, "parts", 0, "text"), "Be terse."),)
    where = ("contents", 2, "parts", 0, "functionResponse", "response", "result")
    assert seen.turns == (
        Turn("user", (Text(("contents", 0, "parts", 0, "text"), "Weather?"),)),
        Turn("assistant", (), (("contents", 1, "parts", 0),)),
        Turn("tool", (Text(where, "sunny"),)),
    )
    assert not seen.asks
    assert (seen.limit, seen.answers) == (7, 2)
    assert seen.limit_path == ("generationConfig", "maxOutputTokens")


def test_each_text_to_embed_is_a_turn() -> None:
    requests = [{"content": said("one")}, {"content": said("two")}]

    seen = view("batch_embed_contents", requests=requests)

    assert [turn.texts[0].text for turn in seen.turns] == ["one", "two"]
    assert seen.turns[1].texts[0].path == ("requests", 1, "content", "parts", 0, "text")
    assert view("embed_content", content=said("one")).question is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"cachedContent": "cachedContents/1"},
        {"cached_content": "cachedContents/1"},
        {"tools": [{"googleSearch": {}}]},
        {"tools": [{"functionDeclarations": [], "codeExecution": {}}]},
        {"contents": [{"parts": [{"fileData": {"fileUri": "https://x.example/f"}}]}]},
        {"contents": [{"parts": [{"file_data": {"file_uri": "gs://b/f"}}]}]},
    ],
)
def test_what_leans_on_a_state_elsewhere_is_not_reusable(fields: dict[str, Any]) -> None:
    made = call(generationConfig={"temperature": 0}, **fields)

    assert not made.reusable
    assert not made.deterministic


@pytest.mark.parametrize(
    ("fields", "deterministic"),
    [
        ({"generationConfig": {"temperature": 0}}, True),
        ({"generation_config": {"temperature": 0.0}}, True),
        ({"generationConfig": {"seed": 0, "temperature": 1}}, True),
        ({"generationConfig": {"temperature": 1}}, False),
        ({}, False),
    ],
)
def test_temperature_0_and_a_seed_are_deterministic(
    fields: dict[str, Any],
    *,
    deterministic: bool,
) -> None:
    made = call(tools=[{"functionDeclarations": []}], **fields)

    assert made.reusable
    assert made.deterministic is deterministic


def test_who_pays_does_not_change_the_call_and_all_else_does() -> None:
    def canonical(**fields: Any) -> bytes:
        return GEMINI.canonical(KIND, fields)

    assert canonical(labels={"team": "a"}) == canonical()
    assert canonical(generationConfig={"topP": 1.0}) == canonical(generationConfig={"topP": 1})
    assert canonical(safetySettings=[]) != canonical()


def test_the_text_of_an_answer_is_read_whole_or_streamed() -> None:
    thought: list[dict[str, Any]] = [{"text": "hm", "thought": True}, {"text": "Hello there."}]
    bodies = [
        content("Hello there."),
        content(thought),
        b"".join(content_frames("Hello there.")),
        b"".join(content_array("Hello there.")),
    ]

    assert {GEMINI.answer_text(KIND, body) for body in bodies} == {"Hello there."}
    assert GEMINI.calls_tools(KIND, content(called("f")))
    assert GEMINI.calls_tools(KIND, b"".join(content_frames(called("f"))))
    assert not GEMINI.calls_tools(KIND, content("a functionCall in words"))


@pytest.mark.parametrize("target", [PATH, STREAM, STREAM + b"?alt=sse"])
def test_an_answer_of_ours_is_one_that_its_client_takes(target: bytes) -> None:
    told = GEMINI.answer_with(call(target), "It is 42.")

    assert GEMINI.answer_text(KIND, told.body) == "It is 42."
    if target == PATH:
        assert GenerateContentResponse.model_validate_json(told.body).text == "It is 42."
        assert GEMINI.is_sound(KIND, orjson.loads(told.body))
    else:
        assert GEMINI.ended_well(KIND, told.body)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (502, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ],
)
def test_an_error_has_the_providers_own_shape(status: int, name: str) -> None:
    told = orjson.loads(GEMINI.error_body(status, "what happened", "a_code"))["error"]

    assert (told["code"], told["message"], told["status"]) == (status, "what happened", name)
    assert told["details"][0]["reason"] == "A_CODE"
