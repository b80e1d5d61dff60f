"""Results of a provider's batch, read as they pass: each line for what it is, however it is cut."""

from __future__ import annotations

from contextlib import suppress

import orjson
import pytest

from lichen.calls.batch.fetched.paths import Which, which_of
from lichen.calls.batch.fetched.reading import (
    TOO_LONG,
    UNREADABLE,
    ByLine,
    NoResults,
    TooMany,
    Whole,
    reading_of,
)
from lichen.calls.batch.fetched.said import IMPLAUSIBLE, NOT_TOLD, SAID
from lichen.calls.batch.fetched.uses import Use
from lichen.calls.providers.doors import NOT_MODELLED
from lichen.ledger.tokens import Tokens
from lichen.testing.anthropic_answers import message_usage
from lichen.testing.batch_results import (
    anthropic_failed,
    anthropic_line,
    gemini_batch,
    gemini_inline,
    gemini_line,
    lines,
    openai_failed,
    openai_line,
)
from lichen.testing.gemini_answers import content_object, content_usage
from lichen.testing.upstreams import chat_answer, chat_usage, embedding_answer, response_answer

MOST = 1e6
MODEL = "gpt-4o-mini-2024-07-18"
SAMPLES = {
    "openai": [openai_line("a", chat_answer()), openai_failed("b")],
    "anthropic": [anthropic_line("a"), anthropic_failed("b", "errored")],
    "gemini": [gemini_line("a"), {"key": "b", "error": {"code": 3}}],
}


def used(provider: str, content: bytes, *, whole: bool = False) -> list[tuple[int, Use]] | None:
    """What some results used; None where they are not whole."""
    reading = reading_of(Which(provider, "x", whole=whole), MOST)
    reading.feed(content)
    uses = reading.end()
    return None if uses is None else list(uses)


def test_answered_lines_of_openais_are_uses_and_others_none() -> None:
    content = lines(
        openai_line("a", chat_answer(usage=chat_usage(20, 7))),
        openai_line("b", b'{"error": {"message": "no"}}', status=400),
        openai_failed("c"),
        openai_line("d", response_answer()),
        openai_line("e", embedding_answer(8)),
        openai_line("f", chat_answer(object="text_completion")),
    )

    assert used("openai", content) == [
        (1, Use("chat.completions", MODEL, Tokens(prefill=20, decode=7))),
        (4, Use("responses", MODEL, Tokens(prefill=12, decode=5))),
        (5, Use("embeddings", "embed-1", Tokens(prefill=8))),
        (6, Use("completions", MODEL, Tokens(prefill=12, decode=5))),
    ]


def test_answered_lines_of_anthropics_are_uses_and_others_none() -> None:
    usage = message_usage(12, 5, kept=3, cached=40)
    content = lines(
        anthropic_failed("a", "errored"),
        anthropic_line("b", model="claude-opus-5", usage=usage),
        anthropic_failed("c", "canceled"),
        anthropic_failed("d", "expired"),
    )

    assert used("anthropic", content) == [
        (
            2,
            Use(
                "messages",
                "claude-opus-5",
                Tokens(prefill=12, cache_read=40, cache_write=3, decode=5),
            ),
        )
    ]


def test_answered_lines_of_geminis_files_are_uses_and_others_none() -> None:
    told = content_usage(30, 4, cached=10, thought=6)
    content = lines(
        gemini_line("a", usage=told),
        {"key": "b", "error": {"code": 400, "message": "no"}},
        {"key": "c", "status": {"code": 3}},
        content_object("an answer alone"),
        {"key": "d", "response": {"embedding": {"values": [0.5]}, "tokenCount": 9}},
        openai_line("e", chat_answer(model="gemini-2.5-pro")),
    )
    model = "gemini-2.5-flash"

    assert used("gemini", content) == [
        (
            1,
            Use(
                "generate_content",
                model,
                Tokens(prefill=20, cache_read=10, decode=4, reasoning=6),
            ),
        ),
        (4, Use("generate_content", model, Tokens(prefill=12, decode=5))),
        (5, Use("embed_content", "", Tokens(prefill=9))),
        (6, Use("chat.completions", "gemini-2.5-pro", Tokens(prefill=12, decode=5))),
    ]


def test_results_within_a_batch_of_geminis_count_once_though_they_stand_there_twice() -> None:
    inline = [gemini_inline(), {"error": {"code": 3}}, gemini_inline(usage=content_usage(1, 2))]

    found = used("gemini", gemini_batch(inline), whole=True)

    assert found == [
        (1, Use("generate_content", "gemini-2.5-flash", Tokens(prefill=12, decode=5))),
        (3, Use("generate_content", "gemini-2.5-flash", Tokens(prefill=1, decode=2))),
    ]


def test_results_that_stand_in_a_batchs_metadata_alone_count_too() -> None:
    told = orjson.loads(gemini_batch([gemini_inline()]))
    told["response"] = {"@type": "x"}

    assert [place for place, _ in used("gemini", orjson.dumps(told), whole=True) or ()] == [1]


def test_embeddings_within_a_batch_go_by_its_model() -> None:
    inline = [{"response": {"embedding": {"values": [0.1]}, "tokenCount": 4}}]

    found = used("gemini", gemini_batch(inline, model="embed-2", embeds=True), whole=True)

    assert found == [(1, Use("embed_content", "embed-2", Tokens(prefill=4)))]


def test_a_batch_that_runs_has_used_nothing_yet() -> None:
    assert used("gemini", gemini_batch(done=False), whole=True) is None


def test_a_batch_with_its_results_in_a_file_has_none_within() -> None:
    told = orjson.loads(gemini_batch())
    told["response"] = told["metadata"]["output"] = {"responsesFile": "files/f1"}

    with pytest.raises(NoResults):
        used("gemini", orjson.dumps(told), whole=True)


def test_an_answered_line_without_usage_is_a_gap() -> None:
    content = lines(
        openai_line("a", chat_answer(usage=None)),
        openai_line("b", b'{"model": "an-image", "data": [], "usage": {"input_tokens": 9}}'),
        openai_line("c", chat_answer(usage=chat_usage(10**9, 1))),
    )

    assert [use.gap for _, use in used("openai", content) or ()] == [
        NOT_TOLD,
        NOT_MODELLED,
        IMPLAUSIBLE,
    ]


def test_a_line_that_is_none_is_a_gap_and_the_others_count() -> None:
    good = lines(openai_line("a", chat_answer()))
    long = b'{"custom_id": "' + b"x" * int(MOST) + b'"}\n'

    found = used("openai", good + b"rubbish\n" + long + b'{"other": 1}\n\n' + good)

    assert found is not None
    assert [(place, use.gap) for place, use in found] == [
        (1, ""),
        (2, UNREADABLE),
        (3, TOO_LONG),
        (4, UNREADABLE),
        (6, ""),
    ]


@pytest.mark.parametrize("provider", SAMPLES)
def test_a_last_line_that_breaks_off_says_that_more_was_to_come(provider: str) -> None:
    content = lines(*SAMPLES[provider])

    assert used(provider, content) is not None
    assert used(provider, content.rstrip()) is not None
    assert used(provider, content[:-5]) is None


def test_a_last_line_that_is_rubbish_and_whole_is_a_gap() -> None:
    content = lines(openai_line("a", chat_answer())) + b"rubbish\n"

    assert [use.gap for _, use in used("openai", content) or ()] == ["", UNREADABLE]


@pytest.mark.parametrize("provider", SAMPLES)
@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n",
        b"step,train_loss\n1,0.5\n",
        b'{"custom_id": "a", "method": "POST", "url": "/v1/messages", "body": {}}\n',
        b'{"messages": []}\n{"messages": []}\n',
        b'["custom_id", "response"]\n',
        b"{" * 2_000_000,
    ],
)
def test_a_file_of_another_kind_is_no_results(provider: str, content: bytes) -> None:
    with suppress(NoResults):
        assert used(provider, content) is None  # one that breaks off


def test_more_lines_than_any_batch_has_are_too_many() -> None:
    reading = ByLine("openai", MOST, most_lines=2)
    content = lines(*(openai_line(str(n), chat_answer()) for n in range(4)))

    with pytest.raises(TooMany):
        reading.feed(content)


def test_more_results_within_a_batch_than_any_has_are_too_many() -> None:
    reading = Whole("gemini", MOST, most_lines=2)

    with pytest.raises(TooMany):
        reading.feed(gemini_batch([gemini_inline()] * 3))


def test_lichens_own_calls_are_told_by_their_names() -> None:
    own = "dfr_" + "0a" * 16
    reading = ByLine("openai", MOST)

    reading.feed(lines(openai_line(own, chat_answer()), openai_line("dfr_x", chat_answer())))
    reading.end()

    assert reading.ours == [own]


@pytest.mark.parametrize(
    ("method", "provider", "target", "name"),
    [
        ("GET", "openai", "/v1/files/file-1/content", "file-1"),
        ("GET", "openai", "/v1/files/file-1", ""),
        ("GET", "openai", "/v1/files/file-1/content/x", ""),
        ("POST", "openai", "/v1/files/file-1/content", ""),
        ("HEAD", "openai", "/v1/files/file-1/content", ""),
        ("GET", "anthropic", "/v1/files/file-1/content", ""),
        ("GET", "anthropic", "/v1/messages/batches/b1/results", "b1"),
        ("GET", "anthropic", "/v1/messages/batches/b1/results?beta=true", "b1"),
        ("GET", "anthropic", "/v1/messages/batches/b1", ""),
        ("GET", "gemini", "/v1beta/batches/b1", "batches/b1"),
        ("GET", "gemini", "/v1beta/batches/b1?fields=done", ""),
        ("GET", "gemini", "/v1beta/batches/b1?alt=json&$fields=done", ""),
        ("GET", "gemini", "/v1beta/batches", ""),
        ("GET", "gemini", "/v1beta/files/f1:download?alt=media", "files/f1"),
        ("GET", "gemini", "/download/v1beta/files/f1:download?alt=media", "files/f1"),
        ("GET", "gemini", "/v1beta/openai/files/f1/content", "files/f1"),
        ("GET", "gemini", "/v1beta/files/f1", ""),
        ("GET", "other", "/v1/files/f1/content", ""),
    ],
)
def test_results_are_told_by_their_path(method: str, provider: str, target: str, name: str) -> None:
    found = which_of(method, target, provider)

    assert ("" if found is None else found.name) == name


def test_every_provider_whose_paths_are_known_can_be_read() -> None:
    assert set(SAID) == {"openai", "anthropic", "gemini"}
