"""A text comes out with fewer tokens or as it went in, and always comes back."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.calls.compress.exact_json import Digits, read, write
from lichen.calls.compress.expand import expand
from lichen.calls.compress.lossless import shorten
from lichen.ledger.errors import InputError
from lichen.text.tokens import tokenizer_for

TOKENIZER = tokenizer_for("gpt-4o")
SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "text"

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["", "true", "null", "12", "-0", "1e5", "[x", '"q"', "<rows 3: a>", "a\tb"])
)
KEYS = st.text(max_size=8) | st.sampled_from(["id", "name", "a?", "b=c", "d{", "e,f", "g:text"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Objects of one shape, of which some lack keys."""
    keys = draw(st.lists(KEYS, min_size=1, max_size=5, unique=True))
    kinds = [
        draw(
            st.sampled_from(
                [
                    SCALARS,
                    st.text(max_size=12),
                    st.integers(),
                    st.just("EUR"),
                    st.integers(0, 10**6).map("2026-11-{}:00Z".format),
                    st.fixed_dictionaries({"x": st.integers(), "y": st.text(max_size=5)}),
                    st.lists(st.fixed_dictionaries({"sku": SCALARS, "n": SCALARS}), max_size=3),
                    VALUES,
                ]
            )
        )
        for _ in keys
    ]
    sparse = draw(st.booleans())
    made = []
    for _ in range(draw(st.integers(3, 12))):
        row = {key: draw(kind) for key, kind in zip(keys, kinds, strict=True)}
        if sparse and draw(st.booleans()):
            row.pop(draw(st.sampled_from(keys)))
        made.append(row)
    return made


def back(made: str, text: str) -> str:
    """What was shortened, written out again."""
    return text if made == text else expand(made)


def as_read(text: str) -> Any:
    """What a document says: order, names that stand twice and digits included."""
    return json.loads(text, object_pairs_hook=tuple, parse_float=str, parse_int=lambda d: ("n", d))


@settings(max_examples=300, deadline=None)
@given(given_rows=rows(), indent=st.sampled_from([None, 2]), escaped=st.booleans())
def test_rows_come_back_to_the_digit_and_in_their_order(
    given_rows: list[dict[str, Any]], indent: int | None, *, escaped: bool
) -> None:
    text = json.dumps(given_rows, indent=indent, ensure_ascii=escaped)

    made = shorten(text, TOKENIZER)

    assert as_read(back(made, text)) == as_read(text)
    assert TOKENIZER.count(made) <= TOKENIZER.count(text)
    assert made == text or TOKENIZER.count(made) < TOKENIZER.count(text)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, VALUES | rows(), max_size=4))
def test_a_document_with_tables_within_comes_back(document: dict[str, Any]) -> None:
    text = json.dumps(document)

    made = shorten(text, TOKENIZER)

    assert as_read(back(made, text)) == as_read(text)


@settings(max_examples=200, deadline=None)
@given(rows())
def test_lines_of_json_come_back_as_lines(given_rows: list[dict[str, Any]]) -> None:
    text = "\n".join(map(json.dumps, given_rows))

    made = shorten(text, TOKENIZER)

    assert [as_read(line) for line in back(made, text).split("\n")] == [
        as_read(line) for line in text.split("\n")
    ]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400) | st.text(alphabet=' \n\t[]{}":,-0159e.`', max_size=400))
def test_no_text_grows_or_raises(text: str) -> None:
    made = shorten(text, TOKENIZER)

    assert made == text or TOKENIZER.count(made) < TOKENIZER.count(text)


def orders(count: int = 400) -> list[dict[str, Any]]:
    """Rows as an API gives them."""
    draw = random.Random(7)
    return [
        {
            "order_id": f"ORD-{100000 + number * 37}",
            "customer": draw.choice(["Ada Lovelace", "Grace Hopper", "Alan Turing"]),
            "city": draw.choice(["Berlin", "Malmö", "Rome"]),
            "amount": round(draw.random() * 500, 2),
            "currency": "EUR",
            "created_at": f"2026-11-{draw.randrange(1, 26):02d}T{draw.randrange(24):02d}:15:00Z",
            "items": [{"sku": f"A{draw.randrange(99)}", "n": draw.randrange(1, 4)}],
        }
        for number in range(count)
    ]


def test_rows_of_json_lose_sixty_percent_of_their_tokens_and_none_of_the_rows() -> None:
    text = json.dumps(orders())

    made = shorten(text, TOKENIZER)

    assert TOKENIZER.count(made) <= 0.4 * TOKENIZER.count(text)
    assert json.loads(expand(made)) == orders()
    assert len(json.loads(expand(made))) == 400


def test_a_document_within_a_text_is_shortened_and_the_words_around_it_are_not() -> None:
    text = f"These are the orders:\n\n{json.dumps(orders(20))}\n\nWhich of them is the dearest?"

    made = shorten(text, TOKENIZER)

    assert made.startswith("These are the orders:\n\n<rows 20: order_id")
    assert made.endswith("</rows>\n\nWhich of them is the dearest?")


def test_fenced_json_is_quoted_text_and_stays() -> None:
    text = f"Format this:\n```json\n{json.dumps(orders(20), indent=2)}\n```\n"

    assert shorten(text, TOKENIZER) == text


@pytest.mark.parametrize("name", ["tinyshakespeare/input.txt", "gsm8k/test.jsonl"])
def test_verse_and_problems_stay_as_they_are(name: str) -> None:
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is not here: see ../shared beside the checkout")
    text = (SHARED / name).read_text()[:100_000]
    if name.endswith("jsonl"):
        text = "\n\n".join(json.loads(line)["question"] for line in text.split("\n")[:-1])

    assert shorten(text, TOKENIZER) == text


def test_code_stays_as_it_is() -> None:
    for path in sorted(Path(shorten.__code__.co_filename).parents[1].rglob("*.py")):
        assert shorten(path.read_text(), TOKENIZER) == path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2, "b": [1, 2, 3]}' + " " * 200,
        '[{"a": 1, "b": 2, "a": 3},' * 1
        + '{"a": 1, "b": 2, "a": 3},{"a": 1, "b": 2, "a": 3}  ]'
        + " " * 200,
    ],
)
def test_names_that_stand_twice_are_both_kept_in_their_order(text: str) -> None:
    made = shorten(text, TOKENIZER)

    assert as_read(expand(made)) == as_read(text)


@pytest.mark.parametrize(
    "number", ["1.50", "1e5", "1E+05", "-0", "0.10", "123456789012345678901234567890", "-0.0"]
)
def test_numbers_keep_their_digits(number: str) -> None:
    row = f'{{"first": {number}, "second": "{number}", "third": "x"}}'
    text = f"[{', '.join([row] * 30)}]"

    made = shorten(text, TOKENIZER)

    assert made != text
    assert as_read(expand(made)) == as_read(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 5000 + "]" * 5000,
        '{"a":' * 20_000 + "1" + "}" * 20_000,
        '[{"a": "\\ud800"}, {"a": "\\ud800"}, {"a": "b"}]' + " " * 150,
        '[{"a": NaN}, {"a": NaN}, {"a": Infinity}]' + " " * 150,
        '[{"a": ' + "9" * 10_000 + '}, {"a": 1}, {"a": 2}]' + " " * 150,
        "\ud800" * 200,
        "{" + " " * 500,
    ],
)
def test_what_cannot_be_held_exactly_is_left_or_comes_back(text: str) -> None:
    made = shorten(text, TOKENIZER)

    assert made == text or as_read(expand(made)) == as_read(text)
    assert made == text or made.encode()


def test_mixed_line_ends_stay() -> None:
    text = "one  \r\ntwo \n\n\n\n\nthree\r four   \n" * 20

    assert shorten(text, TOKENIZER) == text


def test_white_space_that_carries_nothing_goes_and_none_that_carries_something() -> None:
    text = (
        "A report.   \nIt has\t\nspaces.\n\n\n\n\n\nA break  \nin a line.\n"
        "    indented   \n| a   | table   \n- a list   \n```\ncode   \n\n\n\n\n```\n"
        "The end of it.\n"
    ) * 5

    made = shorten(text, TOKENIZER)

    assert made.startswith(
        "A report.\nIt has\nspaces.\n\n\nA break  \nin a line.\n    indented   \n"
    )
    assert "| a   | table   \n- a list   \n```\ncode   \n\n\n\n\n```\nThe end" in made


def test_a_text_that_shows_our_own_notation_is_left_alone() -> None:
    shown = "<rows 3: a>\n1\n2\n3\n</rows>"
    hidden = json.dumps([{"id": n, "text": shown} for n in range(9)]).replace("<", "\\u003c")

    for text in (f"{shown}\n{json.dumps(orders(9))}", hidden):
        assert shorten(text, TOKENIZER) == text


@pytest.mark.parametrize(
    "text",
    [
        "<rows 3: a>\n1\n2\n</rows>",
        "<rows 2: a,b>\n1\t2\t3\n1\t2\n</rows>",
        "<rows 2: a,b>\n1\n1\t2\n</rows>",
        "<rows 1: a\n1\n</rows>",
        "<rows 1: a[>\n1\n</rows>",
        '<rows 1: a>\n"x\n</rows>',
    ],
)
def test_a_table_that_was_cut_is_an_error_that_says_so(text: str) -> None:
    with pytest.raises(InputError, match="the table at character 0 cannot be read"):
        expand(text)


def test_digits_are_read_as_they_are_written() -> None:
    assert write(read('{"a": [1.50, -0, 7], "b": "x"}')) == '{"a":[1.50,-0,7],"b":"x"}'
    assert isinstance(read("1.50"), Digits)
