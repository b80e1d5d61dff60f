"""Sums that are answered here, exactly, and all that looks like one and is left alone."""

from __future__ import annotations

from decimal import Decimal, getcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.gate.arithmetic import value_of

SUMS = [
    ("What is 12 * (3 + 4)?", "84"),
    ("what's 7 times 6?", "42"),
    ("How much is 15% of 80?", "12"),
    ("2 + 2", "4"),
    ("2+2=", "4"),
    ("calculate 0.1 + 0.2", "0.3"),
    ("Calculate 1/3 + 1/6", "0.5"),
    ("compute 2/3", "2/3 ≈ 0.666667"),
    ("evaluate 10^20 / 3", "100000000000000000000/3 ≈ 33333333333333333333.333333"),
    ("What is 1,500 + 1?", "1501"),
    ("What is 2 ** 10?", "1024"),
    ("work out -1/4", "-0.25"),
    ("3 - -2", "5"),
    ("what is 100 divided by 8", "12.5"),
    ("What is 999999999999 × 999999999999?", "999999999998000000000001"),
]
NO_SUMS = [
    "9/11",
    "What is 9/11?",
    "what is 24/7?",
    "What is 24 / 7?",
    "what is 50/50?",
    "What is 7-11?",
    "555-1234",
    "2024-01-02",
    "10/12",
    "4x4",
    "what is 4x4?",
    "1.500 + 1",
    "what is 1,5 + 1?",
    "-3^2",
    "2^3^2",
    "6/2(1+2)",
    "What is 2 ** 0.5?",
    "10^1000 =",
    "1/0 =",
    "0^0 =",
    "What is 911?",
    "42",
    "What is 12 apples + 3?",
    "What is 5 km + 3 km?",
    "What is 2+2? Explain.",
    "Write a poem about 2 + 2",
    "is 2 + 2 = 5?",
    "2 + 2 = 5",
    "1e5 + 1",
    "what is (1 + 2",
    "what is 1 + + 2",
    "__import__('os').getcwd()",
    "What is 2 + 2 in binary?",
    "",
    "(" * 100 + "1+1" + ")" * 100,
]


@pytest.mark.parametrize(("question", "value"), SUMS)
def test_a_sum_has_its_exact_value(question: str, value: str) -> None:
    assert value_of(question) == value


@pytest.mark.parametrize("question", NO_SUMS)
def test_what_is_not_surely_a_sum_is_left_to_the_model(question: str) -> None:
    assert value_of(question) is None


WHOLE = st.integers(min_value=0, max_value=10**9)


@given(WHOLE, WHOLE, st.sampled_from("+-*"))
def test_whole_numbers_are_exact(one: int, other: int, sign: str) -> None:
    expected = {"+": one + other, "-": one - other, "*": one * other}[sign]

    assert value_of(f"calculate {one} {sign} {other}") == str(expected)


@given(
    st.decimals(min_value=0, max_value=10**6, places=3),
    st.decimals(min_value=0, max_value=10**6, places=3),
)
def test_decimals_are_exact(one: Decimal, other: Decimal) -> None:
    getcontext().prec = 40

    told = value_of(f"calculate {one} * {other}")

    assert told is not None
    assert Fraction(told) == Fraction(one) * Fraction(other)


@given(st.text(alphabet="0123456789+-*/^(). x=?", max_size=40))
def test_nothing_that_is_written_breaks_it(text: str) -> None:
    told = value_of(text)

    assert told is None or len(told) < 100
