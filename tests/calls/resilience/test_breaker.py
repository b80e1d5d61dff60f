"""The breaker: when it opens, what it lets through, when it closes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.resilience.breaker import Breaker, BreakerOpen, Storms, Trip

TRIP = Trip(most=0.5, least=4, hold=2.0, longest=10.0)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(TRIP, clock)


def call(breaker: Breaker, *, ok: bool | None, wait: float | None = None) -> None:
    breaker.note(ok=ok, probe=breaker.admit(), wait=wait)


def open_it(breaker: Breaker, wait: float | None = None) -> None:
    for _ in range(TRIP.least):
        call(breaker, ok=False, wait=wait)


def test_it_opens_once_half_of_the_last_calls_failed(breaker: Breaker) -> None:
    opened = []

    for ok in (True, True, False, False):
        call(breaker, ok=ok)
        opened.append(breaker.is_open)

    assert opened == [False, False, False, True]
    with pytest.raises(BreakerOpen) as caught:
        breaker.admit()
    assert caught.value.wait == 2.0


def test_a_few_failures_at_first_do_not_open_it(breaker: Breaker) -> None:
    for _ in range(TRIP.least - 1):
        call(breaker, ok=False)

    assert not breaker.is_open


def test_failures_of_long_ago_do_not_count(breaker: Breaker, clock: Clock) -> None:
    for _ in range(TRIP.least - 1):
        call(breaker, ok=False)
    clock.now += 20

    call(breaker, ok=False)

    assert not breaker.is_open


def test_calls_that_say_nothing_of_the_upstream_do_not_count(breaker: Breaker) -> None:
    for _ in range(50):
        call(breaker, ok=None)

    assert breaker.is_quiet


def test_after_its_time_one_probe_passes_and_its_answer_closes_it(
    breaker: Breaker, clock: Clock
) -> None:
    open_it(breaker)
    clock.now += 2.5

    probe = breaker.admit()
    with pytest.raises(BreakerOpen):
        breaker.admit()
    breaker.note(ok=True, probe=probe)

    assert probe
    assert not breaker.is_open
    assert breaker.admit() is False


def test_a_probe_that_fails_opens_it_twice_as_long_up_to_the_longest(
    breaker: Breaker, clock: Clock
) -> None:
    open_it(breaker)
    waits = []

    for _ in range(4):
        clock.now += 100
        call(breaker, ok=False)
        with pytest.raises(BreakerOpen) as caught:
            breaker.admit()
        waits.append(caught.value.wait)

    assert waits == [4.0, 8.0, 10.0, 10.0]


def test_a_probe_whose_client_left_leaves_room_for_the_next(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += 2.5

    call(breaker, ok=None)

    assert breaker.admit() is True


def test_it_stays_open_as_long_as_the_upstream_asks_within_bounds(
    breaker: Breaker, clock: Clock
) -> None:
    open_it(breaker, wait=7.0)

    with pytest.raises(BreakerOpen) as caught:
        breaker.admit()
    assert caught.value.wait == 7.0
    clock.now += 7.0
    call(breaker, ok=False, wait=500.0)

    with pytest.raises(BreakerOpen) as caught:
        breaker.admit()
    assert caught.value.wait == 10.0


def test_what_ends_after_it_opened_does_not_open_it_longer(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)

    for _ in range(10):
        breaker.note(ok=False, probe=False)
    clock.now += 2.5

    assert breaker.admit() is True
    assert breaker.opened == 1


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from([True, False, None]))))
def test_whatever_happens_it_lets_a_call_through_within_its_longest_time(
    events: list[tuple[float, bool | None]],
) -> None:
    clock = Clock()
    breaker = Breaker(TRIP, clock)

    for pause, ok in events:
        clock.now += pause
        with suppress(BreakerOpen):
            call(breaker, ok=ok)
    clock.now += TRIP.longest

    assert breaker.admit() in (True, False)


def test_storms_are_told_apart_and_bounded_in_number(clock: Clock) -> None:
    storms = Storms(TRIP, clock)
    for _ in range(TRIP.least):
        storms.begin(("one", "m")).note(ok=False, probe=False)
    for number in range(3000):
        storms.begin((str(number), "m")).note(ok=False, probe=False)

    assert storms.find(("other", "m")) is None
    assert len(storms._breakers) <= 1024


def test_an_open_storm_is_kept_while_quiet_ones_are_forgotten(clock: Clock) -> None:
    storms = Storms(TRIP, clock)
    for _ in range(TRIP.least):
        storms.begin(("one", "m")).note(ok=False, probe=False, wait=10.0)
    for number in range(1023):
        storms.begin((str(number), "m")).note(ok=False, probe=False)
    clock.now += 11.5  # the others' refusals are past the window

    storms.begin(("last", "m"))

    found = storms.find(("one", "m"))
    assert found is not None
    assert found.is_open
    assert storms.open == 1


def test_storms_that_are_over_are_forgotten_in_a_while(clock: Clock) -> None:
    storms = Storms(TRIP, clock)
    for _ in range(TRIP.least):
        storms.begin(("one", "m")).note(ok=False, probe=False)
    before = storms.any
    clock.now += 5
    meanwhile = storms.any
    clock.now += 20

    assert (before, meanwhile, storms.any) == (True, True, False)
