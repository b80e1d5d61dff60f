"""Token counts: by the model's own tokenizer where it is known, else an estimate that says so."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from lichen.text import tokens
from lichen.text.tokens import encoding_of, tokenizer_for

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-5.1-codex", "o200k_base"),
        ("openai/gpt-oss-20b", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("ft:gpt-4o-2024-08-06:me::1", "o200k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("claude-opus-4", ""),
        ("gemini-2.5-pro", ""),
        ("", ""),
    ],
)
def test_a_model_has_the_encoding_of_its_family(model: str, encoding: str) -> None:
    assert encoding_of(model) == encoding
    assert tokenizer_for(model).is_estimate is (not encoding)


# Counts by tiktoken 0.14.0 with the same ranks.
@pytest.mark.parametrize(
    ("text", "o200k", "cl100k"),
    [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("To be, or not to be: that is the question.", 13, 13),
        ('{"id": 1, "name": "Ada"}', 12, 12),
        ("Übergrößenträger 東京タワー 🗼", 12, 18),
    ],
)
def test_counts_are_those_of_tiktoken(text: str, o200k: int, cl100k: int) -> None:
    assert tokenizer_for("gpt-4o").count(text) == o200k
    assert tokenizer_for("gpt-4").count(text) == cl100k


def test_half_of_a_pair_of_surrogates_is_counted_and_no_error() -> None:
    assert tokenizer_for("gpt-4o").count("a\ud800b") > 0


@pytest.fixture
def no_ranks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without `rs-bpe`."""
    monkeypatch.setitem(sys.modules, "rs_bpe.bpe", None)
    tokens._ranks.cache_clear()
    yield
    tokens._ranks.cache_clear()


@pytest.mark.usefixtures("no_ranks")
def test_without_the_package_bytes_are_an_estimate() -> None:
    counting = tokenizer_for("gpt-4o")

    assert (counting.name, counting.is_estimate, counting.count("abcde")) == ("bytes/4", True, 2)
