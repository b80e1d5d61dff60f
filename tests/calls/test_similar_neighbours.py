"""What lies around a would-be hit: who agrees, who does not, and how near."""

from __future__ import annotations

import pytest

from lichen.calls.similar.neighbours import FAR, Around, Neighbour, around


def test_neighbours_of_the_hits_group_are_inside_and_others_outside() -> None:
    near = [
        Neighbour(0.97, "a"),
        Neighbour(0.95, "a"),
        Neighbour(0.90, "b"),
        Neighbour(0.85, "a"),
        Neighbour(0.70, "b"),
    ]

    seen = around(near)

    assert seen[:4] == (2, 1, 0.90, 0.95)
    assert seen.mean == pytest.approx((0.97 + 0.95 + 0.85) / 3)


def test_a_nearer_question_that_a_guard_tells_apart_is_no_hit_but_speaks_against_one() -> None:
    near = [Neighbour(0.99, "a", differs=True), Neighbour(0.91, "b")]

    seen = around(near)

    assert seen.apart == 0.99
    assert seen.outside == 0


def test_nobody_near_is_the_same_as_nobody() -> None:
    assert around([Neighbour(0.5, "a")]) == around([]) == Around(0, 0, FAR, FAR, FAR)
