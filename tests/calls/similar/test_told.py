"""A question as bytes for other services: it comes back, and nothing else is taken for one."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.similar.kept import Question
from lichen.calls.similar.told import UNREADABLE, Maker, read, written
from lichen.text.nearest import Small

BY = Maker("made here", 8)
MOMENTS = st.integers(0, 2**63 - 1)
VECTORS = st.builds(
    lambda levels, scale: Small(np.frombuffer(levels, np.int8), scale),
    st.binary(min_size=8, max_size=8),
    st.floats(1e-6, 1.0),
)
QUESTIONS = st.builds(
    Question,
    key=st.binary(min_size=32, max_size=32),
    scope=st.binary(min_size=16, max_size=16),
    owner=st.just("t1"),
    entry=st.text("0123456789abcdef", min_size=1, max_size=16),
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
    vector=st.none() | VECTORS,
    stored_us=MOMENTS,
    expires_us=MOMENTS,
    was_right=st.integers(0, 9),
    was_wrong=st.integers(0, 9),
    group=st.binary(min_size=32, max_size=32),
)


def plain(question: Question) -> tuple[object, ...]:
    """It as plain values, without what was verified of it."""
    vector = question.vector
    told = question._replace(vector=None, was_right=0, was_wrong=0)
    return (*told, vector and (vector.levels.tobytes(), vector.scale))


@given(QUESTIONS)
def test_a_question_comes_back_as_it_was_without_what_was_verified(question: Question) -> None:
    came = read("t1", question.key, written(question, BY), BY)

    assert plain(came) == plain(question)
    assert (came.was_right, came.was_wrong) == (0, 0)


@given(QUESTIONS, st.text(max_size=5))
def test_whose_it_is_comes_from_the_log_alone(question: Question, owner: str) -> None:
    line = written(question._replace(owner="somebody else"), BY)

    came = read(owner, question.key, line, BY)

    assert came.owner == owner
    assert b"somebody" not in line.replace(question.text.encode(), b"")


@given(QUESTIONS)
def test_the_vector_of_another_embedder_is_made_anew(question: Question) -> None:
    came = read("t1", question.key, written(question, Maker("made elsewhere", 8)), BY)

    assert came.vector is None
    assert came.text == question.text


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda end: b"lichenQ1" + end))
def test_any_bytes_are_a_question_or_refused(line: bytes) -> None:
    with suppress(*UNREADABLE):
        read("t1", b"k" * 32, line, BY)


@given(QUESTIONS, st.data())
def test_a_line_that_was_cut_is_refused(question: Question, data: st.DataObject) -> None:
    whole = written(question._replace(vector=Small(np.ones(8, np.int8), 0.5)), BY)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]

    with pytest.raises(UNREADABLE):
        read("t1", question.key, cut, BY)


@pytest.mark.parametrize(
    "change",
    [
        {"entry": "a\r\nset-cookie: b"},
        {"entry": ""},
        {"text": ""},
        {"text": "x" * 2001},
        {"scope": b"short"},
        {"group": b"short"},
        {"stored_us": -1},
        {"expires_us": 2**63},
        {"vector": Small(np.ones(7, np.int8), 0.5)},
        {"vector": Small(np.ones(8, np.int8), -0.5)},
    ],
)
def test_a_line_that_says_what_cannot_be_is_refused(change: dict[str, object]) -> None:
    sound = Question(b"k" * 32, b"s" * 16, "t1", "e1", "How?", None, 1, 2, group=b"g" * 32)

    with pytest.raises(UNREADABLE):
        read("t1", sound.key, written(sound._replace(**change), BY), BY)  # type: ignore[arg-type]
