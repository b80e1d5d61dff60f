"""Which calls are sent once more, after what pause, and how many in all."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls import directives
from lichen.calls.exchange import Answer, Exchange
from lichen.calls.resilience.retry import Budget, jittered, may_repeat, repeats_itself
from lichen.ledger.errors import NotAsked, UpstreamError
from lichen.testing.upstreams import ScriptedStream


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504, 529])
def test_an_answer_that_says_not_now_may_be_asked_for_again(status: int) -> None:
    assert may_repeat(Answer(status, []))


@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 409, 413, 422, 500, 501])
def test_any_other_answer_may_not(status: int) -> None:
    assert not may_repeat(Answer(status, []))


def test_an_answer_of_which_a_byte_is_on_its_way_may_not() -> None:
    assert not may_repeat(Answer(503, [], stream=ScriptedStream([b"x"])))


def test_an_upstream_that_says_not_to_is_heeded() -> None:
    assert not may_repeat(Answer(503, [(b"x-should-retry", b"false")]))


def test_an_account_without_money_is_not_asked_again() -> None:
    assert not may_repeat(Answer(429, [], b'{"error": {"code": "insufficient_quota"}}'))


def test_a_connection_that_was_not_made_may_be_tried_again_and_one_that_broke_may_not() -> None:
    not_made = UpstreamError("refused", sent=False)
    broke = UpstreamError("reset", sent=True)
    held_back = NotAsked("open", status=503, code="upstream_failing", wait_s=1)

    assert [may_repeat(error) for error in (not_made, broke, held_back)] == [True, False, False]


@pytest.mark.parametrize(
    ("value", "repeats"), [(b"0", False), (b"", False), (b"1", True), (b" 2 ", True)]
)
def test_a_client_that_tries_again_by_itself_is_seen(value: bytes, repeats: bool) -> None:  # noqa: FBT001
    headers = [(b"x-stainless-retry-count", value)]
    exchange = Exchange("POST", "/", headers, b"", "t", 0, directives.NO_WISHES)

    assert repeats_itself(exchange) is repeats


@given(st.integers(0, 1000), st.floats(0.001, 1), st.floats(1, 60))
def test_a_pause_lies_between_nothing_and_its_bound(
    before: int, first: float, longest: float
) -> None:
    pause = jittered(before, first=first, longest=longest)

    assert 0 <= pause <= min(longest, first * 2 ** min(before, 30))


def test_pauses_are_spread_over_their_whole_range() -> None:
    random.seed(7)

    pauses = [jittered(2, first=0.25, longest=5) for _ in range(2000)]

    assert min(pauses) < 0.05
    assert max(pauses) > 0.95
    assert 0.47 < sum(pauses) / len(pauses) < 0.53


@given(st.lists(st.booleans(), max_size=500))
def test_retries_never_exceed_a_tenth_of_the_calls_and_ten(asks: list[bool]) -> None:
    budget = Budget()
    calls = retries = 0

    for asks_again in asks:
        if asks_again:
            retries += budget.spend()
        else:
            budget.earn()
            calls += 1

    assert retries <= 10 + calls / 10


def test_ten_calls_earn_one_retry() -> None:
    budget = Budget()
    while budget.spend():
        pass

    for _ in range(10):
        budget.earn()

    assert budget.spend()
    assert not budget.spend()
