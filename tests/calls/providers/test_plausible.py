"""Plausible: which token counts the bytes of a call bear out, and what is guessed without any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.exchange import Call
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.providers.plausible import estimated_usage, is_plausible
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from lichen.calls.providers.dialect import Dialect


def a_call(kind: str = "chat.completions", *, dialect: Dialect = OPENAI, **fields: Any) -> Call:
    return Call(kind, fields, "m", stream=False, deterministic=True, reusable=True, dialect=dialect)


def test_an_estimate_counts_bytes_in_and_frames_out() -> None:
    assert estimated_usage(a_call(), b"x" * 400, b"", 30) == Tokens(100, decode=30)


def test_an_estimate_of_a_whole_answer_counts_half_its_bytes() -> None:
    assert estimated_usage(a_call(), b"x" * 400, b"y" * 800, 0) == Tokens(100, decode=100)


def test_an_estimated_embedding_writes_nothing() -> None:
    made = estimated_usage(a_call("embeddings"), b"x" * 40, b"0.25," * 3000, 0)

    assert made == Tokens(prefill=10)


@pytest.mark.parametrize(
    ("told", "believed"),
    [
        (Tokens(prefill=12, decode=5), True),
        # A service's own prompt, and thoughts that are not shown.
        (Tokens(prefill=200_000, decode=5), True),
        (Tokens(prefill=12, decode=5, reasoning=200_000), True),
        (Tokens(prefill=300_000, decode=5), False),
        (Tokens(prefill=12, cache_read=300_000, decode=5), False),
        (Tokens(prefill=12, decode=300_000), False),
        (Tokens(prefill=12, decode=5, reasoning=300_000), False),
        (Tokens(prefill=9 * 10**18, decode=5), False),
    ],
)
def test_counts_beyond_what_the_bytes_bear_out_are_not_believed(
    told: Tokens, *, believed: bool
) -> None:
    assert is_plausible(told, a_call(), b'{"messages": []}', 400) is believed


@pytest.mark.parametrize(
    "request_body",
    [
        b'{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}',
        b'{"type": "input_file", "file_id": "file-1"}',
        b'{"input": "Go on", "previous_response_id": "resp_1"}',
        b'{"tools": [{"type": "web_search"}]}',
    ],
)
def test_input_from_elsewhere_may_be_longer_than_the_request_but_not_endless(
    request_body: bytes,
) -> None:
    assert is_plausible(Tokens(prefill=900_000, decode=5), a_call(), request_body, 400)
    assert not is_plausible(Tokens(prefill=10_000_001, decode=5), a_call(), request_body, 400)


def test_a_long_request_may_have_many_tokens() -> None:
    assert is_plausible(Tokens(prefill=900_000, decode=5), a_call(), b"x" * 4_000_000, 400)


def test_each_of_many_answers_may_be_thought_about() -> None:
    told = Tokens(prefill=12, decode=5, reasoning=900_000)

    assert is_plausible(told, a_call(n=4), b"{}", 400)
    assert not is_plausible(told, a_call(n=2), b"{}", 400)
    assert is_plausible(told, a_call(prompt=["a", "b", "c", "d"]), b"{}", 400)
    assert not is_plausible(Tokens(decode=10**8), a_call(n=10**9), b"{}", 400)
