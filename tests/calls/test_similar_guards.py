"""Guards name what makes two texts different questions, whatever their cosine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.similar.guards import differ

_SENTENCE = """how do I not convert 5 five km miles to from USD EUR Paris london best worst 3.11 `x`
before after is it safe unsafe "hello" why when -v, the of? Java and Python"""
_WORDS = st.sampled_from(_SENTENCE.split())
_TEXTS = st.lists(_WORDS, max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("How far is 5 km?", "How far is 6 km?", "numbers"),
        ("List five fruits", "List six fruits", "numbers"),
        ("How long is 5 km?", "How long is 5 miles?", "units"),
        ("What opens on Monday?", "What opens on Tuesday?", "dates"),
        ("Is tap water safe?", "Is tap water not safe?", "negation"),
        ("Is tap water drinkable?", "Is tap water undrinkable?", "negation"),
        ("How do I enable sync?", "How do I disable sync?", "polarity"),
        ("When was it built?", "Where was it built?", "asked"),
        ("What does `a == b` do?", "What does `a != b` do?", "code"),
        ("What is the capital of france?", "What is the capital of germany?", "class"),
        ("Who is Ada Lovelace?", "Who is Ada Byron?", "names"),
        ("A train from Paris to Rome", "A train from Rome to Paris", "order"),
        ("Convert USD to EUR", "Convert EUR to USD", "order"),
        ("Wie spät ist es?", "Wie spät ist das?", "language"),
    ],
)
def test_a_guard_names_what_differs(one: str, other: str, reason: str) -> None:
    named = differ(one, other)

    assert named == reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I learn Python?", "How can I learn python?"),
        ("What is the 2nd planet?", "What is the second planet?"),
        ("In India, how can I learn French?", "How can I learn French in India?"),
        ("How do I lose weight?", "What is the best way to lose weight?"),
    ],
)
def test_a_paraphrase_is_let_through(one: str, other: str) -> None:
    named = differ(one, other)

    assert named is None


@given(_TEXTS, _TEXTS)
def test_guards_are_symmetric(one: str, other: str) -> None:
    assert differ(one, other) == differ(other, one)


_NAMES = {
    *("language", "numbers", "units", "dates", "code", "negation", "polarity", "asked", "quoted"),
    *("class", "names", "order", "thing", "more", None),
}


@given(st.text(max_size=200), st.text(max_size=200))
def test_guards_read_any_text(one: str, other: str) -> None:
    assert differ(one, other) in _NAMES


@given(st.text(max_size=200))
def test_a_text_never_differs_from_itself(text: str) -> None:
    assert differ(text, text) is None
