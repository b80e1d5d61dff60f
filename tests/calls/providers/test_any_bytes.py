"""The three parsers bear any bytes: they refuse with `InputError` and raise nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.providers.anthropic.dialect import ANTHROPIC
from lichen.calls.providers.gemini.dialect import GEMINI
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.providers.plausible import estimated_usage, is_plausible
from lichen.ledger.errors import InputError
from lichen.testing.anthropic_answers import message, message_frames, message_usage
from lichen.testing.gemini_answers import content, content_array, content_frames
from lichen.testing.upstreams import chat_answer, chat_frames, chat_usage, response_frames

if TYPE_CHECKING:
    from lichen.calls.providers.dialect import Dialect

KINDS: list[tuple[Dialect, str]] = [
    (OPENAI, "chat.completions"),
    (OPENAI, "responses"),
    (OPENAI, "completions"),
    (OPENAI, "embeddings"),
    (ANTHROPIC, "messages"),
    (GEMINI, "generate_content"),
    (GEMINI, "embed_content"),
    (GEMINI, "batch_embed_contents"),
]
TARGET = b"/v1beta/models/m:streamGenerateContent?alt=sse"
# Words that the formats know, so that what is drawn goes deep.
NAMES = (
    "messages",
    "contents",
    "content",
    "parts",
    "text",
    "role",
    "user",
    "assistant",
    "model",
    "tool",
    "system",
    "instructions",
    "input",
    "prompt",
    "tools",
    "type",
    "tool_use",
    "tool_result",
    "source",
    "data",
    "url",
    "function",
    "functionCall",
    "functionResponse",
    "response",
    "generationConfig",
    "temperature",
    "seed",
    "maxOutputTokens",
    "candidateCount",
    "usage",
    "usageMetadata",
    "input_tokens",
    "output_tokens",
    "prompt_tokens",
    "promptTokenCount",
    "thoughtsTokenCount",
    "choices",
    "delta",
    "candidates",
    "finishReason",
    "error",
    "message",
    "stop_reason",
    "index",
    "output",
    "cache_control",
    "requests",
    "n",
    "systemInstruction",
    "stream",
)
WORDS = st.sampled_from(NAMES)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | WORDS
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)
objects = st.dictionaries(WORDS, values, max_size=6)
ANSWERS = (
    chat_answer(),
    b"".join(chat_frames(usage=chat_usage())),
    b"".join(response_frames()),
    message(usage=message_usage(1, 2, kept=3, cached=4)),
    b"".join(message_frames()),
    content(),
    b"".join(content_frames()),
    b"".join(content_array()),
)


def read_all(dialect: Dialect, kind: str, body: bytes) -> None:
    """Read a body as a request in every way there is."""
    try:
        call = dialect.read_call(kind, TARGET, body)
    except InputError:
        return
    seen = dialect.view(call)
    changed = dialect.with_texts(call.fields, {text.path: text.text for text in seen.texts})
    assert changed == call.fields
    assert seen.question is None or seen.question in seen.texts
    assert dialect.answers(call.fields) >= 1
    assert dialect.limit(call) == seen.limit
    dialect.reads_elsewhere(call.fields, body)
    tokens = estimated_usage(call, body, b"", 0)
    assert is_plausible(tokens, call, body, tokens.output)
    try:
        dialect.canonical(kind, call.fields)
    except TypeError:
        assert not orjson_takes(call.fields)


def orjson_takes(fields: object) -> bool:
    try:
        orjson.dumps(fields)
    except TypeError:
        return False
    return True


def hear_all(dialect: Dialect, kind: str, body: bytes) -> None:
    """Read a body as an answer in every way there is."""
    dialect.ended_well(kind, body)
    dialect.stream_usage(kind, body[:200], body[-200:])
    dialect.calls_tools(kind, body)
    assert isinstance(dialect.answer_text(kind, body), str)
    try:
        said: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    if type(said) is dict:
        dialect.is_sound(kind, said)
        dialect.usage(kind, said)


@pytest.mark.parametrize(("dialect", "kind"), KINDS)
@given(body=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(dialect: Dialect, kind: str, body: bytes) -> None:
    read_all(dialect, kind, body)
    hear_all(dialect, kind, body)


@pytest.mark.parametrize(("dialect", "kind"), KINDS)
@given(fields=objects)
def test_any_json_is_read_or_refused(dialect: Dialect, kind: str, fields: dict[str, Any]) -> None:
    body = orjson.dumps(fields)

    read_all(dialect, kind, body)
    for framed in (body, b"data: %b\n\n" % body, b"event: x\r\ndata: %b\r\n\r\n" % body):
        hear_all(dialect, kind, framed)
    hear_all(dialect, kind, b"[%b\n,\r\n%b\n]\n" % (body, body))


@pytest.mark.parametrize(("dialect", "kind"), KINDS)
@given(
    answer=st.sampled_from(ANSWERS),
    cut=st.tuples(st.integers(0, 2000), st.integers(0, 2000)),
    put=st.binary(max_size=6),
)
def test_a_broken_answer_is_heard_without_harm(
    dialect: Dialect, kind: str, answer: bytes, cut: tuple[int, int], put: bytes
) -> None:
    first, last = sorted(min(place, len(answer)) for place in cut)

    hear_all(dialect, kind, answer[:first] + put + answer[last:])


@pytest.mark.parametrize(("dialect", "kind"), KINDS)
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"usage":' * 20_000])
def test_deep_nesting_is_refused_or_read(dialect: Dialect, kind: str, body: bytes) -> None:
    read_all(dialect, kind, body)
    hear_all(dialect, kind, body)
    hear_all(dialect, kind, b"data: %b\n\n" % body)
