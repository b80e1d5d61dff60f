"""Plans and segments that can be, and the three policies that keep one protocol."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import InputError, NaiveTime
from lichen.ledger.window import Window
from lichen.plan import Elastic, Pause, Place, Replan, RunNow, Scaling, Segment, Shift, Site

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lichen.ledger.signal import GridSignal
    from lichen.plan import Job, Policy

HOUR = timedelta(hours=1)


def test_a_segment_that_does_not_last_is_refused(hour: Callable[[float], datetime]) -> None:
    with pytest.raises(InputError, match="a segment must last"):
        Segment(hour(1), hour(1), "DE")
    with pytest.raises(InputError, match="needs a node, got 0"):
        Segment(hour(1), hour(2), "DE", 0)
    with pytest.raises(NaiveTime):
        Segment(hour(1).replace(tzinfo=None), hour(2), "DE")


def test_a_plan_that_nobody_could_follow_is_refused(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    plan = RunNow().plan(job(2, 4), [signal([1, 2, 3, 4])])

    with pytest.raises(InputError, match="needs a segment"):
        replace(plan, segments=())
    with pytest.raises(InputError, match="segments overlap"):
        replace(plan, segments=(plan.segments[0], plan.segments[0]))


def test_what_a_plan_expects_is_what_its_signal_says_of_its_segments(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    grid = signal([500, 100, 300, 100, 500])

    plan = Shift().plan(job(2, 5, pause=Pause()), [grid])

    grams = sum(
        grid.over(Window(one.start, one.end, one.zone)).value.in_g_per_kwh * (one.duration / HOUR)
        for one in plan.segments
    )
    assert plan.expected.value.in_grams == pytest.approx(grams)


def test_where_running_now_emits_nothing_nothing_is_avoided(
    signal: Callable[..., GridSignal], job: Callable[..., Job]
) -> None:
    plan = Shift().plan(job(1, 3), [signal([0, 0, 0])])

    assert plan.share == 0
    assert plan.avoided.value.in_grams == 0


def test_all_policies_are_one_protocol() -> None:
    site = Site(name="here", zone="DE", pue=1.2, pue_low=1.1, pue_high=1.3)

    policies: list[Policy] = [
        RunNow(),
        Shift(),
        Elastic(Scaling((1,), (1.0,), (1.0,))),
        Place(sites=(site,), home=site),
        Replan(),
    ]

    assert all(callable(policy.plan) for policy in policies)
