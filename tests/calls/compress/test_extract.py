"""Selection: what serves the question stays, in its order, within the budget."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from lichen.calls.compress.extract import Extract
from lichen.calls.compress.units import GAP, units_of
from lichen.calls.compress.words import Words, anchors, stems
from lichen.ledger.errors import InputError, MissingExtra
from lichen.text.embeddings import MiniLm
from lichen.text.tokens import tokenizer_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from lichen.testing.callers import House

    Build = Callable[..., House]

TOKENIZER = tokenizer_for("gpt-4o")


class NoMeaning:
    """An embedder to which all texts are alike: what is found is found by words."""

    name, dimension = "none", 2

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.tile(np.array([1, 0], np.float32), (len(texts), 1))

    def is_whole(self, _text: str) -> bool:
        return True


@pytest.fixture(scope="module")
def minilm() -> MiniLm:
    """The house's embedder."""
    try:
        return MiniLm()
    except MissingExtra as error:
        pytest.skip(str(error))


def log(needle: str, count: int = 120) -> str:
    draw = random.Random(4)
    lines = [
        f"2026-11-25T08:{n // 60:02d}:{n % 60:02d}Z INFO api request completed "
        f"id={draw.getrandbits(32):08x} took={draw.randrange(900)}ms"
        for n in range(count)
    ]
    lines[70] = f"2026-11-25T08:01:10Z {needle}"
    return "\n".join(lines)


def prose(needle: str) -> str:
    draw = random.Random(5)
    words = [
        "river",
        "stone",
        "morning",
        "quiet",
        "window",
        "garden",
        "letter",
        "winter",
        "market",
        "story",
    ]
    sentences = [
        f"The {draw.choice(words)} and the {draw.choice(words)} of the {draw.choice(words)} "
        f"were seen near the {draw.choice(words)}."
        for _ in range(60)
    ]
    sentences[33] = needle
    return " ".join(sentences)


def test_a_line_that_a_name_of_the_question_points_at_stays() -> None:
    text = log("WARN db disk usage on volume Tundra at 91 percent")

    made = Extract(NoMeaning).compress(text, "How full is Tundra?", 0.5, TOKENIZER)

    assert "volume Tundra at 91 percent" in made
    assert TOKENIZER.count(made) <= 0.5 * TOKENIZER.count(text)


def test_what_stays_keeps_its_order_and_what_went_leaves_a_mark() -> None:
    text = log("ERROR db gone")

    made = Extract(NoMeaning).compress(text, "What is gone?", 0.3, TOKENIZER)

    lines = [line for line in made.split("\n") if line != GAP]
    assert [line for line in text.split("\n") if line in lines] == lines
    assert GAP in made
    assert lines[0] == text.split("\n")[0]


def test_a_sentence_that_shares_no_word_with_the_question_is_found_by_meaning(
    minilm: MiniLm,
) -> None:
    text = prose("Our cafeteria stops serving hot meals at a quarter past two.")

    made = Extract(lambda: minilm).compress(
        text, "Until when can employees get lunch?", 0.5, TOKENIZER
    )

    assert "cafeteria stops serving" in made


def test_rows_stay_whole_and_their_number_is_told() -> None:
    rows = [{"id": n, "name": f"n{n}", "note": "x" * (n % 7)} for n in range(100)]
    rows[40]["note"] = "broken hinge"

    made = Extract(NoMeaning).compress(
        json.dumps(rows), "Which one has the broken hinge?", 0.4, TOKENIZER
    )

    told = re.match(r"\((\d+) of 100 rows, those that fit the question\)\n<rows (\d+): ", made)
    assert told is not None
    assert told[1] == told[2]
    assert "broken hinge" in made


def test_the_same_text_and_question_give_the_same_selection(minilm: MiniLm) -> None:
    text = prose("Nobody came to the fair.")
    extract = Extract(lambda: minilm)

    assert extract.compress(text, "Who came?", 0.5, TOKENIZER) == extract.compress(
        text, "Who came?", 0.5, TOKENIZER
    )


@pytest.mark.parametrize("text", ["", "Short.", "one two three", "[]", '{"a": 1}', "\n\n\n"])
def test_a_text_with_too_few_pieces_stays(text: str) -> None:
    assert Extract(NoMeaning).compress(text, "What?", 0.5, TOKENIZER) == text


def test_code_in_a_fence_is_one_piece() -> None:
    fence = "```python\nx = 1. \ny = 2. \n```"
    units = units_of(f"One is here. Two is there.\n{fence}\nThree it is. Four. Five it is.")

    assert units is not None
    assert fence in units.texts


def test_abbreviations_end_no_sentence() -> None:
    units = units_of("Dr. Who met Mr. Smith. They spoke. It rained. All went home. The end came.")

    assert units is not None
    assert next(iter(units.texts)) == "Dr. Who met Mr. Smith. "


def test_names_and_numbers_of_a_question_are_what_it_hangs_on() -> None:
    assert anchors("What did Ada pay for order ORD-4711 in march?") >= {"ada", "ord-4711", "4711"}
    assert "march" not in anchors("What did she pay in march?")
    assert stems("The returned parcels") == ["return", "parcel"]


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    pieces = ["the common thing", "the common case", "a rare thing", "common again"]

    fit = Words(pieces).fit("Which rare and common thing?")

    assert max(range(4), key=fit.__getitem__) == 2


async def test_a_route_that_says_lossy_sends_what_fits_the_question_of_its_own_turn(
    build: Build, minilm: MiniLm
) -> None:
    assert minilm.dimension > 0
    house = build(route=({"compress": "lossy"},), holdout={"share": 0})
    context = log("ERROR db disk usage on volume Tundra at 91 percent")

    def asked(*later: str) -> dict[str, Any]:
        parts = [{"type": "text", "text": context}, {"type": "text", "text": "How full is Tundra?"}]
        messages: list[dict[str, Any]] = [{"role": "user", "content": parts}]
        for text in later:
            messages += [
                {"role": "assistant", "content": "91 percent."},
                {"role": "user", "content": text},
            ]
        return {"model": "gpt-4o", "messages": messages}

    await house.ask(asked())
    await house.ask(asked("And how many requests were there?"))

    first, second = (
        orjson.loads(call.body)["messages"]
        for call in house.upstream.calls  # type: ignore[attr-defined]
    )
    assert "Tundra at 91" in first[0]["content"][0]["text"]
    assert len(first[0]["content"][0]["text"]) < 0.6 * len(context)
    assert first[0]["content"][1]["text"] == "How full is Tundra?"
    assert second[0] == first[0]


def test_a_compressor_that_nothing_provides_is_refused_with_those_there_are(build: Build) -> None:
    with pytest.raises(InputError, match=r"no compressor 'magic'.*extract, llmlingua"):
        build(route=({"compress": "lossy"},), compress={"compressor": "magic"})


def test_llmlingua_says_what_it_needs(build: Build) -> None:
    try:
        import llmlingua  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtra, match="llmlingua"):
            build(route=({"compress": "lossy"},), compress={"compressor": "llmlingua"})
