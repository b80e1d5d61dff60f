"""Questions about the calendar that are answered here, and those that are left alone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.gate.dates import answer_to, read_date

TODAY = date(2026, 11, 25)
KNOWN = [
    ("What day of the week is 2024-02-29?", "Thursday"),
    ("Which weekday was the 3rd of March 2025?", "Monday"),
    ("What day of the week will December 25, 2026 be?", "Friday"),
    ("On which weekday did 20 July 1969 fall?", "Sunday"),
    ("How many days between 2024-01-01 and 2024-03-01?", "60 days"),
    ("How many days are there from 1 Jan 2024 to 1 Feb 2024?", "31 days"),
    ("How many days are in February 2023?", "28 days"),
    ("How many days does February 2024 have?", "29 days"),
    ("Is 2000 a leap year?", "Yes"),
    ("Is 2100 a leap year?", "No"),
    ("What is the date 30 days after 2024-01-31?", "2024-03-01"),
    ("What is 2 weeks before March 1, 2024?", "2024-02-16"),
    ("What is today's date?", "2026-11-25"),
    ("What day of the week is it today?", "Wednesday"),
    ("How many days until 2026-12-25?", "30 days"),
    ("How many days since 2026-11-24?", "1 day"),
]
LEFT = [
    "What day of the week is 03/04/2025?",
    "What day of the week is 2023-02-29?",
    "What day of the week was 25 October 1917?",
    "What day of the week is Christmas?",
    "How many days until 2020-01-01?",
    "How many working days between 2024-01-01 and 2024-03-01?",
    "What happened on 2024-02-29?",
    "What is the date one month after 2024-01-31?",
    "What is the date 99999999 days after 2024-01-31?",
    "Is 1900 a leap year in the Julian calendar?",
    "What day of the week is 9999-12-31?",
]


@pytest.mark.parametrize(("question", "answer"), KNOWN)
def test_a_date_question_has_its_answer(question: str, answer: str) -> None:
    assert answer_to(question, lambda: TODAY) == answer


@pytest.mark.parametrize("question", LEFT)
def test_what_has_no_one_answer_is_left_to_the_model(question: str) -> None:
    assert answer_to(question, lambda: TODAY) is None


@pytest.mark.parametrize("question", ["What is today's date?", "How many days until 2026-12-25?"])
def test_today_is_not_known_without_a_named_time_zone(question: str) -> None:
    assert answer_to(question, None) is None


DAYS = st.dates(min_value=date(1924, 1, 1), max_value=date(2200, 1, 1))


@given(DAYS)
def test_a_date_reads_the_same_however_it_is_written(day: date) -> None:
    assert read_date(day.isoformat()) == day
    assert read_date(f"{day.day} {day:%B} {day.year}") == day
    assert read_date(f"{day:%B} {day.day}, {day.year}") == day


@given(DAYS, st.integers(min_value=0, max_value=9999))
def test_days_added_are_days_between(day: date, count: int) -> None:
    later = answer_to(f"What is the date {count} days after {day.isoformat()}?", None)

    assert later == (day + timedelta(days=count)).isoformat()
    between = answer_to(f"How many days between {day.isoformat()} and {later}?", None)
    assert between == f"{count} day{'' if count == 1 else 's'}"
