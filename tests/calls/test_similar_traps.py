"""The traps: questions that look alike and are not, so that no bound may ever answer them alike."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest

from lichen.calls.similar.guards import differ

_FOLDER = Path(__file__).parents[2] / "benchmarks" / "similar"


def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize(
    "kind",
    ["numbers", "dates", "negation", "swapped roles", "units", "names", "language", "versions"],
)
def test_no_trap_gets_past_the_guards_either_way_round(kind: str) -> None:
    traps = [trap for trap in _rows("traps.csv") if trap["kind"] == kind]

    through = [
        trap
        for trap in traps
        if differ(trap["stored"], trap["asked"]) is None
        or differ(trap["asked"], trap["stored"]) is None
    ]

    assert len(traps) >= 30
    assert through == []


def test_of_the_second_hundred_at_most_one_gets_past() -> None:
    through = [
        trap["stored"]
        for trap in _rows("traps_second.csv")
        if differ(trap["stored"], trap["asked"]) is None
        or differ(trap["asked"], trap["stored"]) is None
    ]

    assert through in ([], ["How do I plan a one-way trip?"])


def test_of_the_third_hundred_at_most_two_names_get_past() -> None:
    through = {
        trap["kind"]
        for trap in _rows("traps_third.csv")
        if differ(trap["stored"], trap["asked"]) is None
        or differ(trap["asked"], trap["stored"]) is None
    }

    assert through <= {"names"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Which trains go from Paris to Rome?", "Which trains go to Paris from Rome?"),
        ("Can my landlord sue me?", "Can I sue my landlord?"),
        ("Can my ex claim my pension?", "Can I claim my ex's pension?"),
        ("Who taught Plato?", "Who did Plato teach?"),
        ("What happens if I miss one payment?", "What happens if I miss every payment?"),
        ("How do I delete a branch?", "How do I delete a branch remotely?"),
        ("Is aspirin safe?", "Is aspirin safe during pregnancy?"),
    ],
)
def test_roles_by_small_words_and_narrower_questions_are_refused(one: str, other: str) -> None:
    assert differ(one, other) is not None
    assert differ(other, one) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Can you eat raw eggs?", "Can I eat raw eggs?"),
        ("Tell me how to boil rice.", "How do I boil rice?"),
        ("How do I get to Rome?", "How can I get to Rome?"),
        ("What is the capital of Peru?", "Which is the capital of Peru?"),
    ],
)
def test_who_asks_and_how_politely_makes_no_other_question(one: str, other: str) -> None:
    assert differ(one, other) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is it toll-free?", "Is there a toll?"),
        ("a spotless kitchen", "a kitchen"),
        ("Where do I log in?", "Where do I log out?"),
        ("the takeoff speed", "the take on speed"),
        ("pre-war houses", "post-war houses"),
    ],
)
def test_small_parts_that_turn_a_word_round_are_seen_both_ways(one: str, other: str) -> None:
    assert differ(one, other) is not None
    assert differ(other, one) is not None


def test_a_hyphen_or_a_phrase_alone_turns_nothing_round() -> None:
    assert differ("How do I check in at the hotel?", "How can I check in at the hotel?") is None
    assert differ("Is an e-mail enough?", "Is an email enough?") != "negation"


def test_guards_let_nearly_all_paraphrases_through() -> None:
    pairs = _rows("paraphrases.csv")

    through = [pair for pair in pairs if differ(pair["stored"], pair["asked"]) is None]

    assert len(pairs) == 100
    assert len(through) >= 95


@pytest.mark.parametrize(
    "unit", ["word 7 Name's not ", '"a" -', "9.9.", "un", "a/b_c.d() ", "aB", "a1", "x_", '"']
)
def test_guards_take_time_in_proportion_to_the_text(unit: str) -> None:
    # Possessive matches only: base64 in a prompt took time by the square.
    text = unit * 20_000

    start = time.process_time()
    differ(text, text + "x")

    assert time.process_time() - start < 5
