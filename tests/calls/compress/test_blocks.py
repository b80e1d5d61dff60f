"""What is said twice is said once, and can be read back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.calls.compress.blocks import Said
from lichen.calls.compress.expand import resolved

WORDS = st.lists(st.sampled_from(["lichen", "moss", "bark", "stone", "rain"]), min_size=45)
PARAGRAPHS = st.lists(WORDS.map(" ".join), min_size=1, max_size=4)


def referring(texts: list[str]) -> list[str]:
    said = Said()
    return [said.referring(text) for text in texts]


@settings(max_examples=150, deadline=None)
@given(st.lists(PARAGRAPHS, min_size=2, max_size=3), st.data())
def test_references_are_read_back_to_the_letter(
    paragraphs: list[list[str]], data: st.DataObject
) -> None:
    pool = [paragraph for each in paragraphs for paragraph in each]
    texts = [
        "\n\n".join(data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=5)))
        for _ in range(4)
    ]

    assert resolved(referring(texts)) == texts


@settings(max_examples=50, deadline=None)
@given(st.lists(PARAGRAPHS.map("\n\n".join), min_size=3, max_size=6))
def test_what_follows_changes_nothing_of_what_came_before(texts: list[str]) -> None:
    for count in range(1, len(texts)):
        assert referring(texts)[:count] == referring(texts[:count])


@pytest.mark.parametrize(
    "text",
    [
        '<same as text 1, "other words">',
        '<same as text 2, "what was said">',
        '<same as text 0, "what was said">',
        '<same as text 1, characters 5 to 8, "what">',
        '<same as text 1, "what was said"',
    ],
)
def test_what_only_looks_like_a_reference_stays(text: str) -> None:
    assert resolved(["what was said", text]) == ["what was said", text]


def test_code_in_a_fence_is_never_referred_to_but_as_part_of_a_whole() -> None:
    code = "```\n" + "print('a line of code')\n" * 20 + "```"

    made = referring([f"First.\n\n{code}", f"Second.\n\n{code}", f"Second.\n\n{code}"])

    assert made[1] == f"Second.\n\n{code}"
    assert made[2].startswith("<same as text 2, ")
