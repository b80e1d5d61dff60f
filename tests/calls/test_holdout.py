"""Holdout: a share of the calls is left alone, and the book shows what that was worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.holdout import Holdout, HoldoutOptions
from lichen.ledger.quantities import Energy
from lichen.ledger.trial import Sums, Trial, student, trials
from lichen.testing.upstreams import chat_answer, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Answer, Exchange, Onward
    from lichen.testing.callers import House

    Build = Callable[..., House]


def chat(text: str, **rest: Any) -> dict[str, Any]:
    """A chat of one turn."""
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **rest}


SIMILAR = "calls.similar"


class Asking:
    """A step that asks whether a call is held out."""

    def __init__(self, holdout: Holdout) -> None:
        self.holdout = holdout
        self.told: list[bool] = []

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        first = self.holdout.keeps(SIMILAR, exchange)
        assert self.holdout.keeps(SIMILAR, exchange) is first
        self.told.append(first)
        return await onward(exchange)


async def test_held_and_treated_calls_are_booked_as_a_trial_and_counted_in_no_total(
    build: Build,
) -> None:
    draws = iter([0.5, 0.01, 0.5, 0.5])
    step = Asking(Holdout(HoldoutOptions(0.02), lambda: next(draws)))
    house = build(whole(chat_answer()), around=[step])
    for n in range(4):
        await house.ask(chat(f"question {n}", temperature=1))

    house.gateway.layers.booker.steps.trials.book()

    assert step.told == [False, True, False, False]
    [trial] = trials(house.entries)
    assert (trial.strategy, trial.held.n, trial.treated.n) == (SIMILAR, 1, 3)
    summary = house.book.summary()
    assert summary.work.entries == 4
    assert summary.units == ["request"]


async def test_a_share_of_nothing_draws_nothing(build: Build) -> None:
    step = Asking(Holdout(HoldoutOptions(0.0), lambda: 0.0))
    house = build(around=[step])

    await house.ask(chat("hello"))

    assert step.told == [False]
    house.gateway.layers.booker.steps.trials.book()
    assert trials(house.entries) == []


def arm(*joules: float) -> Sums:
    """The sums of calls that took so much."""
    sums = Sums()
    for each in joules:
        sums.add(Energy.joules(each))
    return sums


def test_the_difference_of_the_arms_is_what_a_call_spares() -> None:
    trial = Trial(SIMILAR, arm(*(10.0, 12.0, 11.0, 9.0) * 10), arm(*(0.0, 0.0, 12.0, 0.0) * 10))

    avoided = trial.avoided

    assert avoided is not None
    assert avoided.value.in_joules == pytest.approx(7.5)
    # By hand: v = 50/39/40 and 1080/39/40, ν = 42.607, t = 1.6814 (R: qt(0.95, 42.607)).
    assert avoided.high.in_joules - avoided.value.in_joules == pytest.approx(1.4308, abs=1e-3)
    assert avoided.value.in_joules - avoided.low.in_joules == pytest.approx(1.4308, abs=1e-3)


@pytest.mark.parametrize(("freedom", "quantile"), [
    (10, 1.8125), (20, 1.7247), (29, 1.6991), (30, 1.6973), (60, 1.6706), (120, 1.6577),
])  # fmt: skip
def test_the_quantile_is_that_of_the_printed_tables(freedom: int, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, abs=1.5e-4)


@pytest.mark.parametrize(("held", "treated"), [(0, 99), (2, 2), (29, 99), (99, 29)])
def test_an_arm_of_less_than_thirty_calls_says_nothing(held: int, treated: int) -> None:
    trial = Trial(SIMILAR, arm(*[1.0] * held), arm(*[0.5] * treated))

    assert trial.avoided is None


def test_an_arm_that_took_nothing_does_not_say_that_nothing_is_ever_taken() -> None:
    trial = Trial(SIMILAR, arm(*[10.0] * 30), arm(*[0.0] * 60))

    avoided = trial.avoided

    assert avoided is not None
    assert avoided.low.in_joules == pytest.approx(10 - 3 / 60 * 10)
    assert (avoided.value.in_joules, avoided.high.in_joules) == (10, 10)


@given(st.lists(st.floats(0, 1e4), min_size=2, max_size=40))
def test_sums_know_the_mean_and_its_error(joules: list[float]) -> None:
    sums = Sums()
    for each in joules:
        sums.add(Energy.joules(each))

    mean = sum(joules) / len(joules)
    variance = sum((each - mean) ** 2 for each in joules) / (len(joules) - 1)
    assert sums.mean == pytest.approx(mean)
    assert sums.error == pytest.approx(variance / len(joules), abs=1e-3 + mean**2 * 1e-9)
