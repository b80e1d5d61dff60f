"""Patterns: what they match, and that none can run away."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.gate.pattern import LONGEST, Pattern, PatternSet
from lichen.calls.gate.template import Template
from lichen.ledger.errors import InputError

# Each takes a backtracking engine minutes to years on a text made for it.
BOMBS = [
    (r"(a+)+$", "a" * 2000 + "!"),
    (r"(a|aa)+$", "a" * 2000 + "!"),
    (r"(a|a)*b", "a" * 2000),
    (r"(x+x+)+y", "x" * 2000),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 2000),
    (r"(.*)*(.*)*(.*)*=", "x" * 2000),
    (r"((a{0,100}){0,9}){0,1}$", "a" * 2000 + "!"),
]


@pytest.mark.parametrize(("bomb", "text"), BOMBS)
def test_no_pattern_runs_away(bomb: str, text: str) -> None:
    began = time.perf_counter()

    Pattern(bomb).groups_in(text)
    PatternSet([Pattern(bomb)]).matching(text)

    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    "written", [r"(?=a)b", r"(a)\1", r"(?<!x)y", r"(", r"a{1000}{1000}", "x" * 5000]
)
def test_what_cannot_be_matched_in_linear_time_is_refused(written: str) -> None:
    with pytest.raises(InputError, match=r"look-around|longer than"):
        Pattern(written)


def test_a_text_too_long_for_a_rule_is_not_matched() -> None:
    pattern = Pattern("a")

    assert pattern.groups_in("a" * LONGEST) == {}
    assert pattern.groups_in("a" * (LONGEST + 1)) is None
    assert not PatternSet([pattern]).matching("a" * (LONGEST + 1))


def test_half_of_a_surrogate_pair_matches_nothing() -> None:
    pattern = Pattern(".")

    assert pattern.groups_in("\ud800") is None
    assert not PatternSet([pattern]).matching("\ud800")


def test_a_template_takes_the_groups_of_a_pattern() -> None:
    pattern = Pattern(r"(?i)^hours in (?P<city>\pL+)( on (?P<day>\w+))?\??$")
    template = Template("{{{city}}} {day}: nine to five", pattern.groups)

    groups = pattern.groups_in("Hours in Malmö?")

    assert groups is not None
    assert template.filled(groups) == "{Malmö} : nine to five"


@pytest.mark.parametrize(
    "written", ["{city}", "{0}", "{city.__class__}", "{city!r}", "a { b", "a } b"]
)
def test_a_template_knows_no_other_names_formats_or_attributes(written: str) -> None:
    with pytest.raises(InputError, match=r"no group|single"):
        Template(written, frozenset())


@given(st.text(max_size=200))
def test_what_a_client_wrote_stays_text(said: str) -> None:
    assert Template("<{said}>", {"said"}).filled({"said": said}) == f"<{said}>"


@given(
    st.lists(st.sampled_from(["a", "b+", "^c", "d$", "e|f"]), min_size=1),
    st.text("abcdef", max_size=9),
)
def test_a_set_finds_what_each_pattern_finds(written: list[str], text: str) -> None:
    patterns = [Pattern(each) for each in written]

    found = set(PatternSet(patterns).matching(text))

    assert found == {n for n, each in enumerate(patterns) if each.groups_in(text) is not None}
