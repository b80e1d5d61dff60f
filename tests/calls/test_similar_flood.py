"""A flood of easy repeats certifies itself, and nothing that other questions may be given by."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.similar.certificate import run_again, run_kinds_again
from lichen.calls.similar.decision import Decider
from lichen.calls.similar.kinds import REGIONS, Kind, SeenKinds, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRIOR = (0.0, 1.0)
_EASY, _HARD = 2000, 600


class Asked(NamedTuple):
    """A would-be hit of the simulation: whether it is hard, its kind, and whether it serves."""

    hard: bool
    kind: Kind
    correct: bool


def _bytes(number: int) -> bytes:
    return number.to_bytes(8)


def _flood(lot: random.Random, questions: int, edits: int, *, region: int = 1) -> Iterator[Asked]:
    """Easy repeats of a few questions by a few changes of words, then what nobody asked before.

    One in three of the latter is another question, at the scores at which the flood was right.
    """
    for _ in range(_EASY):
        edit, group = lot.randrange(edits), lot.randrange(questions)
        yield Asked(
            hard=False,
            kind=Kind(region, _bytes(edit), _bytes(group)),
            correct=lot.random() > 0.003,
        )
    for number in range(_HARD):
        own = _bytes(2**32 + number)
        yield Asked(hard=True, kind=Kind(2, own, own), correct=lot.random() > 1 / 3)


def _error(delta: float, seed: int, regions: int, *, questions: int, edits: int) -> tuple[int, int]:
    """Hits among the hard ones, and how many of them were wrong."""
    lot = random.Random(seed)
    decider = Decider(delta, prior=_PRIOR, draw=lot.random, regions=regions)
    hits = wrong = 0
    for asked in _flood(lot, questions, edits, region=1 if edits == questions else 2):
        verdict = decider.decide((lot.gauss(3.5, 0.7),), asked.kind)
        if not verdict.accept:
            decider.learn(verdict, correct=asked.correct)
        elif asked.hard:
            hits += 1
            wrong += not asked.correct
    return hits, wrong


# One question in all wordings; few changes of words to all questions; many of both that are small.
@pytest.mark.parametrize(("questions", "edits"), [(1, 3000), (3000, 5), (2000, 2000)])
@pytest.mark.parametrize("delta", [0.05, 0.1])
def test_a_flood_of_easy_repeats_lets_nothing_else_through(
    delta: float, questions: int, edits: int
) -> None:
    seeds = range(3)

    held = [_error(delta, s, len(REGIONS), questions=questions, edits=edits) for s in seeds]
    before = [_error(delta, s, 0, questions=questions, edits=edits) for s in seeds]

    assert all(wrong <= delta * hits for hits, wrong in held)
    # Or else the scenario would be no flood: without kinds it breaks the bound each time.
    assert all(wrong > 2 * delta * hits > 0 for hits, wrong in before)


def test_a_thousand_repeats_of_one_kind_are_one_piece_of_evidence() -> None:
    decider = Decider(0.1, prior=_PRIOR, draw=lambda: 0.5, regions=len(REGIONS))

    for _ in range(1000):
        verdict = decider.decide((4.0,), Kind(1, b"edit", b"group"))
        decider.learn(verdict, correct=True)

    assert not decider.certified
    assert decider.standing.verified == 1000


def test_one_change_of_words_teaches_the_score_no_more_after_ten_times() -> None:
    decider = Decider(0.1, prior=_PRIOR, draw=lambda: 0.5, regions=len(REGIONS))

    weights = []
    for number in range(1000):
        verdict = decider.decide((2.0,), Kind(1, b"edit", b"%d" % number))
        decider.learn(verdict, correct=True)
        weights.append(decider.weights)
    decider.learn(decider.decide((2.0,), Kind(1, b"another", b"group")), correct=True)

    assert len(set(weights[:10])) == 10
    assert set(weights[9:]) == {weights[9]}
    assert decider.weights != weights[9]


def test_a_region_without_evidence_of_its_own_is_given_nothing() -> None:
    decider = _convinced()

    known = decider.decide((4.0,), Kind(1, b"new", b"new"))
    other = decider.decide((4.0,), Kind(2, b"newer", b"newer"))

    assert known.accept
    assert (other.accept, other.reason) == (False, "region")


def test_what_is_known_of_kinds_and_regions_survives_a_restart() -> None:
    decider, again = _convinced(), Decider(0.1, prior=_PRIOR, regions=len(REGIONS))
    kind = Kind(1, b"seen", b"seen")
    decider.decide((4.0,), kind)

    taken = again.restore(json.loads(json.dumps(decider.state())))

    assert taken
    assert again.certificate(kind) == decider.certificate(kind) != ""
    assert again.state() == decider.state()
    assert not again.decide((4.0,), kind).new


def test_a_certificate_of_kinds_shows_the_error_asked_for_and_its_regions() -> None:
    decider = _convinced()
    threshold = decider.standing.threshold
    assert threshold is not None
    text = decider.certificate(Kind(1, b"new", b"new"))
    everything, kinds, region = text.split(" | ")

    good = [
        run(text, delta=0.1, confidence=0.95, threshold=threshold)[0]
        for run in (run_again, run_kinds_again)
    ]
    forged = [
        f"{everything} | {kinds}",
        f"{everything} | {kinds} | {region.rpartition('/')[0]}/40",
        f"{everything} | {kinds.replace('/0', '/30')} | {region}",
    ]

    assert good == [True, True]
    for each in forged:
        found, why = run_kinds_again(each, delta=0.1, confidence=0.95, threshold=threshold)
        assert not found, why


def test_a_region_that_turns_bad_is_verified_whole_before_the_evidence_is_dropped() -> None:
    decider = _convinced(outcomes=1500)
    reasons = []

    for number in range(3000):
        verdict = decider.decide((4.0,), Kind(1, b"b%d" % number, b"b%d" % number))
        reasons.append(verdict.reason)
        if not verdict.accept:
            decider.learn(verdict, correct=number % 2 == 0)

    first = reasons.index("suspect")
    assert "served" in reasons[:first]
    assert set(reasons[first : reasons.index("abstains")]) == {"suspect"}
    assert decider.standing.alarms == 1


def test_a_turn_for_the_worse_that_nothing_tells_from_the_flood_ends_within_hundreds_of_hits() -> (
    None
):
    """Same region, same scores, thousands of kinds: that is drift, and its bet alone finds it."""
    hits = [_drift(seed) for seed in range(5)]

    assert max(hits) < 800
    assert min(hits) > 0


def _drift(seed: int) -> int:
    """Answers given after easy traffic of many kinds turned to one wrong in three."""
    lot = random.Random(seed)
    decider = Decider(0.1, prior=_PRIOR, draw=lot.random, regions=len(REGIONS))
    given = 0
    for number in range(4000):
        turned = number >= 2000
        kind = Kind(2, _bytes(number), _bytes(number))
        verdict = decider.decide((lot.gauss(3.5, 0.7),), kind)
        given += turned and verdict.accept
        if not verdict.accept:
            decider.learn(verdict, correct=lot.random() > (1 / 3 if turned else 0.003))
    return given


def _convinced(outcomes: int = 150) -> Decider:
    """A decider that answers in region 1 after shadow mode, and knows nothing of the others."""
    lot = random.Random(1)
    decider = Decider(0.1, prior=_PRIOR, draw=lot.random, regions=len(REGIONS))
    for number in range(outcomes):
        kind = Kind(1, b"%d" % number, b"%d" % number)
        decider.learn(decider.decide((4.0,), kind), correct=True, weight=1.0)
    return decider


@pytest.mark.parametrize(
    ("one", "other", "region"),
    [
        ("How can I learn to row?", "how can I learn to row", 0),
        ("How can I learn to row?", "How could I learn to row?", 1),
        ("How can I learn to row?", "How can one be taught rowing?", 2),
    ],
)
def test_a_region_is_how_far_the_words_are_apart(one: str, other: str, region: int) -> None:
    there, back = kind_of(one, other, b"g"), kind_of(other, one, b"g")

    assert there.region == region
    assert there == back


def test_the_same_change_of_words_is_one_edit_whatever_it_is_done_to() -> None:
    row = kind_of("How can I row?", "Please, how can I row?", b"1")
    swim = kind_of("Where do I swim?", "Please, where do I swim?", b"2")
    other = kind_of("Where do I swim?", "So where do I swim?", b"2")

    assert row.edit == swim.edit != other.edit


@given(
    st.lists(st.tuples(st.integers(0, 23), st.integers(0, 50), st.integers(0, 50)), max_size=200)
)
def test_a_kind_is_never_new_twice_in_a_band(drawn: list[tuple[int, int, int]]) -> None:
    seen = SeenKinds()
    edits: set[tuple[int, int]] = set()
    groups: set[tuple[int, int]] = set()

    for band, edit, group in drawn:
        new = seen.is_new(band, Kind(0, _bytes(edit), _bytes(group)))

        assert not (new and ((band // 4, edit) in edits or (band, group) in groups))
        if new:
            edits.add((band // 4, edit))
            groups.add((band, group))


def test_kinds_begin_anew_once_the_bits_are_half_set() -> None:
    seen = SeenKinds()

    new = [seen.is_new(0, Kind(0, b"%d" % n, b"%d" % n)) for n in range(80_000)]

    assert all(new[:50])
    assert sum(new[-10_000:]) > 3_000
