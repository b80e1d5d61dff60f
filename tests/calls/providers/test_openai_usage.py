"""Usage: what an answer says it took, in every dialect, and what is no usage at all."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lichen.calls.providers.openai.usage import usage_at_end, usage_of
from lichen.ledger.tokens import Tokens
from lichen.testing.upstreams import chat_frames, chat_usage, response_frames


def tokens(usage: object) -> Tokens | None:
    """The tokens of a usage object, which must be the same in a whole answer and in a stream."""
    found = usage_of({"usage": usage})
    streamed = b"data: %b\n\ndata: [DONE]\n\n" % orjson.dumps({"id": "1", "usage": usage})
    assert usage_at_end(streamed) == found
    return found


def test_a_chat_has_prompt_and_completion_tokens() -> None:
    usage = {"prompt_tokens": 120, "completion_tokens": 80, "total_tokens": 200}

    assert tokens(usage) == Tokens(prefill=120, decode=80)


def test_cached_tokens_are_taken_out_of_the_input() -> None:
    usage = chat_usage(120, 80, prompt_tokens_details={"cached_tokens": 100})

    assert tokens(usage) == Tokens(prefill=20, cache_read=100, decode=80)


def test_tokens_written_to_the_cache_are_a_class_of_their_own() -> None:
    details = {"cached_tokens": 1024, "cache_write_tokens": 512}

    usage = chat_usage(2000, 80, prompt_tokens_details=details)

    assert tokens(usage) == Tokens(464, cache_read=1024, cache_write=512, decode=80)


def test_reasoning_tokens_are_taken_out_of_the_output() -> None:
    usage = chat_usage(120, 80, completion_tokens_details={"reasoning_tokens": 64})

    assert tokens(usage) == Tokens(prefill=120, decode=16, reasoning=64)


def test_a_response_has_input_and_output_tokens() -> None:
    usage = {
        "input_tokens": 36,
        "input_tokens_details": {"cached_tokens": 30},
        "output_tokens": 87,
        "output_tokens_details": {"reasoning_tokens": 7},
        "total_tokens": 123,
    }

    assert tokens(usage) == Tokens(prefill=6, cache_read=30, decode=80, reasoning=7)


def test_embeddings_have_no_output() -> None:
    assert tokens({"prompt_tokens": 8, "total_tokens": 8}) == Tokens(prefill=8)


def test_reasoning_beside_the_output_shows_in_the_total() -> None:
    usage = {
        "prompt_tokens": 20,
        "completion_tokens": 198,
        "completion_tokens_details": {"reasoning_tokens": 405},
        "total_tokens": 623,
    }

    assert tokens(usage) == Tokens(prefill=20, decode=198, reasoning=405)


def test_what_the_total_has_more_than_its_parts_was_thought() -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}

    assert tokens(usage) == Tokens(prefill=20, decode=198, reasoning=405)


def test_another_name_for_cached_tokens_is_known() -> None:
    assert tokens(chat_usage(50, 5, prompt_cache_hit_tokens=48)) == Tokens(2, 48, 0, 5)


def test_more_cached_or_thought_than_counted_is_cut_to_what_was_counted() -> None:
    usage = chat_usage(
        10,
        4,
        prompt_tokens_details={"cached_tokens": 99},
        completion_tokens_details={"reasoning_tokens": 99},
    )

    assert tokens(usage) == Tokens(cache_read=10, reasoning=4)


@pytest.mark.parametrize(
    "rubbish",
    [
        None,
        7,
        "many",
        [],
        {},
        {"prompt_tokens": 5},
        {"completion_tokens": 5},
        {"prompt_tokens": "5", "completion_tokens": 5},
        {"prompt_tokens": -5, "completion_tokens": 5},
        {"prompt_tokens": 5.5, "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": None, "completion_tokens": None, "total_tokens": 10},
    ],
)
def test_rubbish_is_no_usage(rubbish: object) -> None:
    assert tokens(rubbish) is None


@pytest.mark.parametrize("details", [None, 7, [], "x", {"cached_tokens": "3"}])
def test_details_that_make_no_sense_are_left_out(details: object) -> None:
    assert tokens(chat_usage(10, 4, prompt_tokens_details=details)) == Tokens(10, decode=4)


def test_a_stream_tells_its_usage_in_its_last_frame_and_null_before() -> None:
    stream = b"".join(chat_frames(usage=chat_usage(12, 5)))

    assert stream.count(b'"usage":null') == 3
    assert usage_at_end(stream) == Tokens(prefill=12, decode=5)


def test_a_stream_of_a_response_tells_it_in_its_last_event() -> None:
    assert usage_at_end(b"".join(response_frames())) == Tokens(prefill=12, decode=5)


def test_the_last_of_many_usages_counts() -> None:
    frames = [b'data: {"usage": %b}\n\n' % orjson.dumps(chat_usage(12, i)) for i in range(4)]

    assert usage_at_end(b"".join(frames)) == Tokens(prefill=12, decode=3)


def test_a_usage_of_null_after_the_true_one_does_not_hide_it() -> None:
    stream = b'data: {"usage": %b}\n\ndata: {"usage":null}\n\n' % orjson.dumps(chat_usage(12, 5))

    assert usage_at_end(stream) == Tokens(prefill=12, decode=5)


def test_what_the_model_wrote_about_usage_is_not_taken_for_it() -> None:
    written = orjson.dumps({"usage": chat_usage(999, 999)}).decode()
    stream = b"".join(chat_frames([written]))

    assert usage_at_end(stream) is None


def test_a_stream_without_usage_has_none() -> None:
    assert usage_at_end(b"".join(chat_frames())) is None


@pytest.mark.parametrize(
    "end", [b"", b'"usage"', b'"usage":', b'"usage": {', b'{"usage": {"prompt_tok', b'"usage":[{}]']
)
def test_a_stream_that_broke_off_in_its_usage_has_none(end: bytes) -> None:
    assert usage_at_end(end) is None


def test_white_space_around_usage_does_not_matter() -> None:
    usage: dict[str, Any] = chat_usage(12, 5)

    assert usage_at_end(b'{"usage" : \n ' + orjson.dumps(usage) + b"}") == Tokens(12, decode=5)
