from __future__ import annotations

from math import log

from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.text import shingles
from lichen.text.shingles import FirstLook, words

TEXTS = [
    "How do I learn to swim?",
    "What is the capital of France?",
    "How do I cook rice without a pot?",
    "Why is the sky blue in summer?",
    "Which bank has the best savings account?",
]


def look_at(texts: list[str], **how: float) -> FirstLook:
    made = FirstLook(**how)
    for row, text in enumerate(texts):
        made.add(row, words(text))
    return made


def test_the_forms_of_a_word_are_one() -> None:
    assert words("Swimming SWIMMERS swimm") == words("swimming")
    assert words("ﬁsh, fish") == words("FISH!")


def test_scripts_without_spaces_are_read_in_pairs() -> None:
    shared = words("我想去游泳") & words("去游泳池")

    assert len(shared) == 2


def test_a_paraphrase_might_be_similar_and_a_stranger_surely_is_not() -> None:
    look = look_at(TEXTS)

    assert look.might(words("How can one learn swimming?"))
    assert not look.might(words("Translate this contract into Finnish"))


def test_nothing_is_similar_to_nothing() -> None:
    look = look_at(["Only this"])
    look.remove(0)

    assert not look.might(words("Only this"))
    assert not FirstLook().might(words(""))


def test_a_text_that_was_removed_is_not_looked_at() -> None:
    look = look_at(TEXTS)

    look.remove(1)

    assert not look.might(words("capital of France"))


def test_more_looks_than_it_may_take_say_maybe() -> None:
    half = shingles._MOST_LOOKS // 2 + 1
    look = look_at([f"{word} {n}" for word in ("alpha", "omega") for n in range(half)])

    assert look.might(words("alpha omega"))


WORD = st.sampled_from(
    ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kite"]
)
TEXT = st.lists(WORD, min_size=1, max_size=7).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(TEXT, min_size=1, max_size=12).map(lambda texts: texts * 25),
    TEXT,
    st.sampled_from([0.2, 0.4, 0.6, 0.9]),
)
def test_no_is_sure(texts: list[str], query: str, least: float) -> None:
    """Against the definition, worked out for each text."""
    look = look_at(texts, least=least)

    said = look.might(words(query))

    asked, held = words(query), [words(text) for text in texts]
    idf = {w: log(1 + len(held) / (1 + sum(w in h for h in held))) for w in asked.union(*held)}
    total = sum(idf[w] for w in asked)
    best = max(sum(idf[w] for w in asked & h) / max(total, sum(idf[w] for w in h)) for h in held)
    # Rows keep the weight they came with, which is less: so a no may come late, never early.
    assert said or best < least * len(held) / shingles._FEW + 1e-5
