from __future__ import annotations

import pytest

from lichen.calls.providers.doors import DOORS
from lichen.calls.similar.judge import agree, is_whole
from lichen.testing.upstreams import chat_answer, chat_frames
from lichen.text.embeddings import MiniLm

SWIM = "Find a teacher. Practise in shallow water each day. Learn to float first."


@pytest.fixture(scope="module")
def embedder() -> MiniLm:
    return MiniLm()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SWIM, SWIM),
        (SWIM, SWIM.lower().replace(".", " !")),
        ("Paris is the capital of France.", "The capital of France is Paris."),
        (SWIM, "Look for a teacher. Practise in shallow water every day. Learn to float first."),
    ],
)
def test_answers_that_say_the_same_agree(embedder: MiniLm, one: str, other: str) -> None:
    assert agree(one, other, embedder)
    assert agree(other, one, embedder)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It takes 3 days.", "It takes 4 days."),
        ("It is safe.", "It is not safe."),
        ("Paris is the capital of France.", "Lyon is the capital of France."),
        (SWIM, "I am sorry, I cannot help with that."),
        (SWIM, f"{SWIM} Then buy shares of a bank and sell them in spring."),
        (SWIM, ""),
        ("x " * 9000, f"{'x ' * 9000}y"),
        ("Ja, das geht.", "Nein, das geht nicht."),
    ],
)
def test_answers_that_do_not_say_the_same_disagree(embedder: MiniLm, one: str, other: str) -> None:
    assert not agree(one, other, embedder)
    assert not agree(other, one, embedder)


def test_a_whole_answer_ended_of_itself() -> None:
    door = DOORS[b"/v1/chat/completions"]
    call = door.dialect.read_call(
        door.kind, b"/v1/chat/completions", b'{"model": "m", "messages": []}'
    )
    cut = chat_answer().replace(b'"stop"', b'"length"')

    assert is_whole(call, chat_answer())
    assert is_whole(call, b"".join(chat_frames()))
    assert not is_whole(call, cut)
    assert not is_whole(call, chat_answer(""))
