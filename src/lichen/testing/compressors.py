"""CompressorContract: what every compressor keeps.

    class TestMyCompressor(CompressorContract):
        @pytest.fixture
        def compressor(self) -> Compressor:
            return MyCompressor(...)

A plug-in that passes can be configured in place of the built-in one: `[compress] compressor`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lichen.text.tokens import tokenizer_for

if TYPE_CHECKING:
    from lichen.calls.compress.compressor import Compressor

_TOKENIZER = tokenizer_for("gpt-4o")
_QUESTION = "When is the harbour closed?"
_STORY = " ".join(
    f"Boat {n} lay at the pier and waited for the wind. The crew mended net {n}." for n in range(40)
)
_TEXTS = (
    f"{_STORY} The harbour is closed on Sunday morning. {_STORY}",
    "\n".join(f"08:{n:02d} INFO boat {n} left the pier" for n in range(60)),
    json.dumps([{"boat": n, "crew": n % 7, "left": f"08:{n:02d}"} for n in range(60)]),
)
_ODD = ("", " ", "word", "\ud800", "[" * 3000, "{\n}" * 50, "游泳 🏊 " * 80)


class CompressorContract:
    """The laws of `Compressor`; inherit it and give `compressor`."""

    @pytest.fixture
    def compressor(self) -> Compressor:
        """The compressor under test."""
        raise NotImplementedError

    @pytest.mark.parametrize("text", _TEXTS)
    def test_a_text_comes_out_shorter_and_not_empty(
        self, compressor: Compressor, text: str
    ) -> None:
        """It keeps about the share of tokens that was asked for."""
        made = compressor.compress(text, _QUESTION, 0.5, _TOKENIZER)

        assert 0 < _TOKENIZER.count(made) <= 0.65 * _TOKENIZER.count(text)

    @pytest.mark.parametrize("text", _TEXTS)
    def test_the_same_text_and_question_give_the_same_result(
        self, compressor: Compressor, text: str
    ) -> None:
        """A provider's prompt cache serves the same bytes alone."""
        one = compressor.compress(text, _QUESTION, 0.5, _TOKENIZER)
        compressor.compress("Another text. " * 50, "Which?", 0.5, _TOKENIZER)

        assert compressor.compress(text, _QUESTION, 0.5, _TOKENIZER) == one

    @pytest.mark.parametrize("text", _ODD)
    def test_odd_texts_are_borne(self, compressor: Compressor, text: str) -> None:
        """Nothing that a text says is an error, and none grows."""
        made = compressor.compress(text, _QUESTION, 0.5, _TOKENIZER)

        assert _TOKENIZER.count(made) <= _TOKENIZER.count(text)

    def test_what_answers_the_question_stays(self, compressor: Compressor) -> None:
        """The one sentence that says it."""
        made = compressor.compress(_TEXTS[0], _QUESTION, 0.5, _TOKENIZER)

        assert "closed on Sunday" in made
