"""OpenAI views: the texts of each kind of call, where they stand, and how one is changed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.providers.view import Text, Turn, View

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def view(kind: str = "chat.completions", **fields: Any) -> View:
    return OPENAI.view(OPENAI.read_call(kind, b"", orjson.dumps(fields)))


def test_a_chat_has_instructions_and_turns_in_their_order() -> None:
    seen = view(
        messages=[
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
        ]
    )

    assert seen.system == (Text(("messages", 0, "content"), "Be terse."),)
    assert seen.turns == (
        Turn("user", (Text(("messages", 1, "content"), "Hello"),)),
        Turn("assistant", (), (("messages", 2, "tool_calls"),)),
        Turn("tool", (Text(("messages", 3, "content"), "42"),)),
    )
    assert not seen.asks


def test_parts_that_are_no_text_are_named_and_left_where_they_are() -> None:
    parts = [{"type": "text", "text": "What is this?"}, IMAGE]

    seen = view(messages=[{"role": "user", "content": parts}])

    assert seen.question == Text(("messages", 0, "content", 0, "text"), "What is this?")
    assert seen.turns[0].others == (("messages", 0, "content", 1),)
    assert seen.asks


def test_a_response_may_be_one_text_with_instructions() -> None:
    seen = view("responses", instructions="Be terse.", input="Hello")

    assert seen.system == (Text(("instructions",), "Be terse."),)
    assert seen.question == Text(("input",), "Hello")


def test_a_responses_items_are_messages_tool_calls_and_their_outputs() -> None:
    seen = view(
        "responses",
        input=[
            {"role": "developer", "content": "Be terse."},
            {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "42"},
        ],
    )

    assert seen.system == (Text(("input", 0, "content"), "Be terse."),)
    assert [turn.role for turn in seen.turns] == ["user", "assistant", "tool"]
    assert seen.turns[2].texts == (Text(("input", 3, "output"), "42"),)
    assert seen.question == Text(("input", 1, "content", 0, "text"), "Hello")


@pytest.mark.parametrize(("kind", "name"), [("completions", "prompt"), ("embeddings", "input")])
def test_several_inputs_are_several_turns(kind: str, name: str) -> None:
    seen = view(kind, **{name: ["one", "two"]})

    assert [turn.texts for turn in seen.turns] == [
        (Text((name, 0), "one"),),
        (Text((name, 1), "two"),),
    ]


def test_an_input_of_tokens_is_no_text() -> None:
    seen = view("embeddings", input=[[1, 2, 3], [4, 5]])

    assert seen.turns == (Turn("user", (), (("input", 0), ("input", 1))),)
    assert seen.question is None


def test_tools_format_and_bounds_are_told() -> None:
    seen = view(
        messages=[],
        tools=[CALL],
        tool_choice="auto",
        response_format={"type": "json_object"},
        max_tokens=7,
        n=3,
    )

    assert seen.tools == {"tools": [CALL], "tool_choice": "auto"}
    assert seen.format == {"response_format": {"type": "json_object"}}
    assert (seen.limit, seen.limit_path, seen.answers) == (7, ("max_tokens",), 3)


def test_a_call_without_a_bound_says_where_it_would_stand() -> None:
    assert view("responses", input="x").limit is None
    assert view("responses", input="x").limit_path == ("max_output_tokens",)


def test_one_text_is_changed_and_nothing_else() -> None:
    fields: dict[str, Any] = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "long"}, IMAGE]},
            {"role": "user", "content": "and this"},
        ],
        "odd": {"unknown": [1, 2]},
    }
    before = orjson.dumps(fields)
    path = ("messages", 0, "content", 0, "text")

    changed = OPENAI.with_texts(fields, {path: "short", ("max_tokens",): 5})

    assert changed["messages"][0]["content"] == [{"type": "text", "text": "short"}, IMAGE]
    assert changed["messages"][1] is fields["messages"][1]
    assert changed["odd"] is fields["odd"]
    assert changed["max_tokens"] == 5
    assert orjson.dumps(fields) == before


def test_none_takes_a_value_away() -> None:
    fields = {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}

    changed = OPENAI.with_texts(fields, {("messages", 0): None})

    assert changed == {"messages": [{"role": "user", "content": "b"}]}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "output", "tool_calls", "n"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
names = st.sampled_from(["messages", "input", "prompt", "instructions", "tools", "n", "max_tokens"])


@given(
    st.dictionaries(names, json_values, max_size=5),
    st.sampled_from(["chat.completions", "responses", "completions", "embeddings"]),
)
def test_any_object_has_a_view_whose_texts_stand_where_it_says(
    fields: dict[str, Any], kind: str
) -> None:
    call = OPENAI.read_call(kind, b"", orjson.dumps({**fields, "n": 1}))

    seen = OPENAI.view(call)

    for text in seen.texts:
        value: Any = call.fields
        for name in text.path:
            value = value[name]
        assert value == text.text
    changes = {text.path: text.text for text in seen.texts}
    assert OPENAI.with_texts(call.fields, changes) == call.fields
