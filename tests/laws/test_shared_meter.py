"""Laws of apportioning: the parts of a shared meter sum to the whole, whatever the order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.ledger.errors import InputError, MeterUnavailable
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Energy
from lichen.meter.shared import SharedMeter

# An event: energy spent before it [J], and what happens: None begins a call, a number ends one.
EVENTS = st.lists(
    st.tuples(st.floats(0, 1e6), st.one_of(st.none(), st.integers(0, 7))), max_size=40
)


class Scripted:
    """A meter that reads what it is told to."""

    def __init__(self) -> None:
        self.joules = 0.0
        self.broken = False

    def read(self) -> Estimate[Energy]:
        if self.broken:
            raise MeterUnavailable("the scripted meter", "it is broken", "mend it")
        return Estimate(
            Energy.joules(self.joules),
            Energy.joules(self.joules / 2),
            Energy.joules(self.joules * 3),
            Basis.MODELLED,
        )


def play(events: list[tuple[float, int | None]]) -> tuple[float, list[Estimate[Energy]]]:
    """The whole, and the parts it was split into."""
    meter = Scripted()
    shared = SharedMeter(meter)
    flying: list[int] = []
    parts: list[Estimate[Energy]] = []
    for joules, which in events:
        meter.joules += joules
        if which is None or not flying:
            flying.append(shared.begin())
        else:
            parts.append(shared.end(flying.pop(which % len(flying))))
    parts += [shared.end(token) for token in flying]
    parts.append(shared.drain_idle())
    return meter.joules, parts


@given(EVENTS)
def test_the_parts_sum_to_the_whole(events: list[tuple[float, int | None]]) -> None:
    whole, parts = play(events)

    assert sum(part.value.in_joules for part in parts) == pytest.approx(whole, abs=1e-3)
    assert sum(part.low.in_joules for part in parts) == pytest.approx(whole / 2, abs=1e-3)
    assert sum(part.high.in_joules for part in parts) == pytest.approx(whole * 3, abs=1e-3)


@given(EVENTS)
def test_no_part_is_less_than_nothing(events: list[tuple[float, int | None]]) -> None:
    _, parts = play(events)

    assert all(part.low.in_joules >= -1e-3 for part in parts)


@given(st.integers(1, 20), st.floats(0, 1e6))
def test_calls_in_flight_over_the_same_time_get_the_same(calls: int, joules: float) -> None:
    meter = Scripted()
    shared = SharedMeter(meter)
    tokens = [shared.begin() for _ in range(calls)]
    meter.joules += joules

    parts = [shared.end(token).value.in_joules for token in tokens]

    assert parts == pytest.approx([joules / calls] * calls)


def test_overlapping_calls_share_only_the_overlap() -> None:
    meter = Scripted()
    shared = SharedMeter(meter)
    meter.joules += 1
    first = shared.begin()
    meter.joules += 10
    second = shared.begin()
    meter.joules += 6
    first_part = shared.end(first)
    meter.joules += 4
    second_part = shared.end(second)
    meter.joules += 2

    idle = shared.drain_idle()

    assert first_part.value.in_joules == 13
    assert second_part.value.in_joules == 7
    assert idle.value.in_joules == 3


def test_what_was_idle_is_drained_once() -> None:
    meter = Scripted()
    shared = SharedMeter(meter)
    meter.joules += 5
    shared.drain_idle()

    assert shared.drain_idle().value.in_joules == 0


def test_a_call_ends_once() -> None:
    shared = SharedMeter(Scripted())
    token = shared.begin()
    shared.end(token)

    with pytest.raises(InputError, match="end it once"):
        shared.end(token)


def test_a_call_whose_end_cannot_be_metered_is_over_all_the_same() -> None:
    meter = Scripted()
    shared = SharedMeter(meter)
    token = shared.begin()
    meter.broken = True

    with pytest.raises(MeterUnavailable):
        shared.end(token)

    assert shared.in_flight == 0
