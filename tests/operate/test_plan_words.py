"""Plan words: every plan that lichen makes is told in words, and no state twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lichen.operate.watch.plan_words import planned, remark

PLANS = Path(__file__).parent.parent.parent / "src" / "lichen" / "plan"


def test_each_method_of_a_plan_has_words() -> None:
    text = "".join(path.read_text("utf-8") for path in PLANS.glob("*.py"))
    lines = [line for line in text.splitlines() if "method" in line]
    methods = {found for line in lines for found in re.findall(r"\"([a-z-]+/\d)", line)}

    assert {"contiguous/1", "interruptible/1", "elastic/1", "place/1", "run-now/1"} <= methods
    assert [method for method in methods if "/" in planned(method)] == []


@pytest.mark.parametrize(
    ("state", "note", "told"),
    [
        ("waiting", "waiting: contiguous/1", "for the cleanest hours, in one piece"),
        (
            "waiting",
            "waiting: place/1 contiguous/1",
            "in the cleanest place for the cleanest hours, in one piece",
        ),
        ("running", "running", ""),
        ("waiting", "waiting: mine/7", "mine/7"),
        ("failed", "it ended with exit code 1", "it ended with exit code 1"),
        ("lost", "Slurm says CANCELLED by 0", "Slurm says CANCELLED by 0"),
    ],
)
def test_a_note_is_told_in_words_and_never_says_the_state_again(
    state: str, note: str, told: str
) -> None:
    said = remark(state, note)

    assert said == told
