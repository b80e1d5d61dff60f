"""The decider keeps the share of wrong answers among hits below what was asked, or abstains."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.similar.bets import Certificate, Group, upper
from lichen.calls.similar.certificate import read, run_again, written
from lichen.calls.similar.decision import MARGIN, Decider, Standing
from lichen.calls.similar.evidence import Evidence
from lichen.ledger.errors import InputError

_PRIOR = (0.0, 1.0)


def _run(
    seed: int, delta: float, *, calls: int = 4000, hopeless: bool = False
) -> tuple[Decider, int, int]:
    """Traffic whose odds are the feature itself: the decider, its hits and how many were wrong."""
    lot = random.Random(seed)
    decider = Decider(delta, prior=_PRIOR, draw=lot.random)
    hits = wrong = 0
    for _ in range(calls):
        odds = lot.gauss(2.5, 2.0)
        chance = 0.7 if hopeless else 1 / (1 + 2.718281828**-odds)
        correct = lot.random() < chance
        verdict = decider.decide((odds,))
        if verdict.accept:
            hits += 1
            wrong += not correct
        else:
            decider.learn(verdict, correct=correct)
    return decider, hits, wrong


@pytest.mark.parametrize(("delta", "least"), [(0.02, 50), (0.05, 500), (0.1, 1300)])
def test_the_error_among_hits_stays_below_what_was_asked(delta: float, least: int) -> None:
    runs = [_run(seed, delta) for seed in range(20)]

    broken = sum(wrong > delta * hits for _, hits, wrong in runs)
    assert broken <= 1
    assert sum(hits for _, hits, _ in runs) > 20 * least


def test_a_hopeless_stream_is_never_answered() -> None:
    decider, hits, _ = _run(1, 0.05, hopeless=True)

    assert hits == 0
    assert str(decider.standing).startswith("no safe threshold at 5 % on this traffic yet: ")


def test_what_was_learnt_survives_a_restart() -> None:
    decider, _, _ = _run(2, 0.05)
    again = Decider(0.05, prior=_PRIOR)

    taken = again.restore(json.loads(json.dumps(decider.state())))

    assert taken
    assert again.standing == decider.standing
    assert again.certificate() == decider.certificate() != ""
    assert again.state() == decider.state()


@pytest.mark.parametrize("seed", range(4))
def test_a_certificate_shows_the_error_that_was_asked_and_no_smaller_one(seed: int) -> None:
    decider, _, _ = _run(seed, 0.1)
    threshold = decider.standing.threshold
    assert threshold is not None
    certified = 0.1 * (1 - MARGIN)

    good, said = run_again(
        decider.certificate(), delta=certified, confidence=0.95, threshold=threshold
    )
    better, why = run_again(
        decider.certificate(), delta=certified, confidence=0.99999, threshold=threshold
    )

    assert good, said
    assert "at most 8.5 % of answers given are wrong, with 95 % confidence" in said
    assert not better
    assert "does not show" in why


@given(
    st.integers(0, 2),
    st.lists(
        st.tuples(
            st.floats(0.5, 1),
            st.lists(st.tuples(*[st.integers(0, 999)] * 3), min_size=1).map(tuple),
        ),
        min_size=1,
    ).map(tuple),
)
def test_a_certificate_is_read_as_it_was_written(
    chain: int, steps: tuple[tuple[float, tuple[tuple[int, int, int], ...]], ...]
) -> None:
    made = Certificate(
        chain, tuple((at, tuple(Group(*counts) for counts in groups)) for at, groups in steps)
    )

    assert read(written(made)) == made


def test_a_state_of_another_shape_is_left_alone() -> None:
    decider, _, _ = _run(2, 0.05)
    other = Decider(0.05, prior=(0.0, 1.0, 1.0))

    taken = other.restore(decider.state())

    assert not taken
    assert isinstance(other.standing, Standing)
    assert other.standing.threshold is None


def test_traffic_that_turns_bad_ends_the_answers() -> None:
    decider, _, _ = _run(3, 0.05)
    lot = random.Random(4)
    decider_hits = []
    for _ in range(20000):
        verdict = decider.decide((6.0,))
        decider_hits.append(verdict.accept)
        if not verdict.accept:
            decider.learn(verdict, correct=lot.random() < 0.7)

    assert decider_hits[0]
    assert not any(decider_hits[-1000:])
    assert sum(decider_hits) < 3000


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.1, 5.0])
def test_a_bound_that_is_no_share_is_refused(delta: float) -> None:
    with pytest.raises(InputError, match="give a share between 0 and 1"):
        Decider(delta, prior=_PRIOR)


def test_the_upper_bound_is_clopper_and_pearsons() -> None:
    # 0 of 59: 1 − .05^(1/59); 5 of 100: .10225 (any table of exact binomial limits).
    assert upper(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59), abs=1e-6)
    assert upper(5, 100) == pytest.approx(0.10225, abs=1e-4)
    assert upper(3, 3) == 1.0


@pytest.mark.parametrize("delta", [0.02, 0.05, 0.1])
def test_what_is_wrong_as_often_as_is_borne_is_hardly_ever_certified(delta: float) -> None:
    lot = random.Random(7)
    certified = 0
    for _ in range(100):
        evidence = Evidence(delta)
        for count in range(1000):
            evidence.see(0.999)
            evidence.add(0.999, correct=lot.random() >= delta)
            if count % 20 == 0 and evidence.certified() is not None:
                certified += 1
                break

    # 5 % of 100 are 5; as many as 9 come by chance once in 30 times.
    assert certified <= 9


def test_thinned_outcomes_of_an_upper_band_stand_for_those_not_verified() -> None:
    evidence = Evidence(0.1)
    lot = random.Random(8)
    for _ in range(12000):
        score, chance = lot.choice([(0.99, 0.02), (0.91, 0.13)])
        evidence.see(score)
        # The upper band is verified one time in ten: its good outcomes must count for ten.
        if score < 0.95 or lot.random() < 0.1:
            evidence.add(score, correct=lot.random() >= chance)

    place = evidence.certified()

    assert place is not None
    assert evidence.thresholds[place] <= 0.91
    verified, wrong = evidence.counted(place)
    assert wrong > 0.1 * verified


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans()), max_size=60))
def test_evidence_survives_being_kept(outcomes: list[tuple[float, bool, bool]]) -> None:
    evidence, again = Evidence(0.05), Evidence(0.05)
    for score, verified, correct in outcomes:
        evidence.see(score)
        if verified:
            evidence.add(score, correct=correct)
    place = evidence.certified()

    taken = again.restore(json.loads(json.dumps(evidence.state())))

    assert taken
    assert again.certified() == place
    assert all(again.bet(n) == evidence.bet(n) for n in range(len(evidence.thresholds)))
