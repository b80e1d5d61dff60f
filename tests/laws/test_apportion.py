"""Laws of apportioning: nothing is lost, nothing is counted twice, whatever opens inside what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.ledger.apportion import Apportioner, Share
from lichen.ledger.blind import Blind


class Turned(Blind):
    """A meter that reads what it is told to."""

    at = 0.0

    def stand(self) -> tuple[float, ...]:
        """Where it stands."""
        return (self.at,)


# What is spent, whether a window opens or closes then, and which one it is inside of or is.
EVENTS = st.lists(
    st.tuples(st.floats(0, 1000), st.booleans(), st.integers(-1, 20)), min_size=1, max_size=60
)


def play(events: list[tuple[float, bool, int]]) -> tuple[list[Share], list[Share], float]:
    """All windows, the outermost ones, and what was spent while any was open."""
    meter = Turned()
    apportioner = Apportioner(meter)
    shares: list[Share] = []
    spent = 0.0
    for amount, opens, which in events:
        meter.at += amount
        spent += amount if apportioner.busy else 0.0
        chosen = shares[which % len(shares)] if shares and which >= 0 else None
        if opens:
            shares.append(apportioner.open(chosen))
        elif chosen is not None:
            apportioner.close(chosen)
    for share in reversed(shares):
        apportioner.close(share)
    assert not apportioner.busy
    return shares, [share for share in shares if share.parent is None], spent


@given(EVENTS)
def test_parts_sum_to_the_whole(events: list[tuple[float, bool, int]]) -> None:
    shares, _, spent = play(events)

    assert sum(share.own[0] for share in shares) == pytest.approx(spent, abs=1e-6)


@given(EVENTS)
def test_no_part_is_negative(events: list[tuple[float, bool, int]]) -> None:
    shares, _, _ = play(events)

    assert all(share.own[0] >= -1e-6 for share in shares)


@given(EVENTS)
def test_a_window_alone_never_says_that_it_shared(events: list[tuple[float, bool, int]]) -> None:
    """Without parallels, closing in the order of a stack, nothing is shared."""
    meter = Turned()
    apportioner = Apportioner(meter)
    stack: list[Share] = []
    every: list[Share] = []
    for amount, opens, _ in events:
        meter.at += amount
        if opens:
            stack.append(apportioner.open(stack[-1] if stack else None))
            every.append(stack[-1])
        elif stack:
            apportioner.close(stack.pop())

    assert not any(share.shared for share in every)
