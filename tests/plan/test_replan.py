"""When to change one's mind, and when not to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import InputError, NaiveTime, UnitError
from lichen.ledger.signal import SignalKind
from lichen.plan import Elastic, Pause, Progress, Replan, Scaling

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lichen.ledger.signal import GridSignal
    from lichen.plan import Job

HOUR = timedelta(hours=1)
FLAT = [300.0] * 72


def flat_but(**clean: float) -> list[float]:
    """Three days of 300 g/kWh, but for hours such as h5=100."""
    values = FLAT.copy()
    for name, value in clean.items():
        values[int(name[1:])] = value
    return values


def test_a_plan_within_a_day_is_kept_whatever_the_new_forecast(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, day = Replan(), job(1, 24)
    plan = policy.plan(day, [signal(flat_but(h5=100))])

    again = policy.again(day, plan, [signal(flat_but(h9=10))], now=hour(1))

    assert again is plan


def test_on_a_longer_window_a_much_better_hour_is_taken(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, long = Replan(), job(1, 72)
    plan = policy.plan(long, [signal(flat_but(h5=100))])

    again = policy.again(long, plan, [signal(flat_but(h5=100, h40=50))], now=hour(1))

    assert (plan.start, again.start) == (hour(5), hour(40))
    assert again.latest_safe_start == plan.latest_safe_start


def test_a_little_better_hour_is_not_worth_a_change(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, long = Replan(), job(1, 72)
    plan = policy.plan(long, [signal(flat_but(h5=100))])

    again = policy.again(long, plan, [signal(flat_but(h5=100, h40=99))], now=hour(1))

    assert again is plan


def test_past_the_latest_safe_start_it_runs_whatever_the_grid(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, day = Replan(), job(2, 24, p90=6)
    plan = policy.plan(day, [signal(flat_but(h17=100))])

    again = policy.again(day, plan, [signal(flat_but(h23=1))], now=hour(18))

    assert again.start == hour(18)
    assert again.end == hour(24)


def test_a_job_in_one_piece_that_runs_is_left_alone(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, long = Replan(), job(4, 72)
    plan = policy.plan(long, [signal(flat_but(h1=1))])

    again = policy.again(
        long, plan, [signal(flat_but(h40=1))], now=hour(2), progress=Progress(HOUR, running=True)
    )

    assert again is plan


def test_a_paused_job_pays_its_restart_in_the_new_plan(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, long = Replan(), job(2, 72, pause=Pause(restart=HOUR / 10))
    plan = policy.plan(long, [signal(flat_but(h1=100, h5=100))])

    again = policy.again(
        long,
        plan,
        [signal(flat_but(h5=250, h40=50))],
        now=hour(3),
        progress=Progress(HOUR),
    )

    # The restart is made before the clean hour, not in it.
    assert again.start == hour(39.9)
    assert again.running == 1.1 * HOUR


def test_a_running_job_that_may_pause_does_so_where_it_is_worth_the_restart(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, long = Replan(), job(3, 72, pause=Pause(restart=HOUR / 10))
    plan = policy.plan(long, [signal(flat_but(h1=100, h2=100, h3=100))])
    running = Progress(HOUR, running=True)

    worth = policy.again(
        long, plan, [signal(flat_but(h40=50, h41=50))], now=hour(2), progress=running
    )
    not_worth = policy.again(
        long, plan, [signal(flat_but(h40=290, h41=290))], now=hour(2), progress=running
    )

    assert worth.start == hour(39.9)
    assert worth.running == 2.1 * HOUR
    assert not_worth is plan


def test_a_job_that_is_done_has_nothing_to_plan(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, long = Replan(), job(1, 72)
    plan = policy.plan(long, [signal(FLAT)])

    again = policy.again(
        long, plan, [signal(FLAT)], now=hour(3), progress=Progress(HOUR, running=True)
    )

    assert again is plan


def test_a_plan_that_was_missed_is_made_again(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, long = Replan(), job(1, 72)
    plan = policy.plan(long, [signal(flat_but(h5=100))])

    again = policy.again(long, plan, [signal(flat_but(h5=100))], now=hour(7))

    assert again.start >= hour(7)


def test_a_missed_plan_is_made_again_even_within_a_day(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, day = Replan(), job(1, 24)
    plan = policy.plan(day, [signal(flat_but(h5=100))])

    again = policy.again(day, plan, [signal(flat_but(h5=100))], now=hour(7))

    assert again.start >= hour(7)


def test_what_cannot_be_compared_is_refused(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    policy, long = Replan(), job(2.5, 72)
    plan = policy.plan(long, [signal(FLAT)])
    bent = Scaling((1, 2), (1.0, 1.9), (100.0, 200.0))
    nodes = Elastic(bent).plan(long, [signal(flat_but(h5=100, h6=100))])

    with pytest.raises(UnitError, match="average and marginal never mix"):
        policy.again(long, plan, [signal(FLAT, kind=SignalKind.MARGINAL)], now=hour(1))
    with pytest.raises(InputError, match=r"a plan on \[1, 2\] nodes"):
        policy.again(long, nodes, [signal(FLAT)], now=hour(1))
    with pytest.raises(NaiveTime):
        policy.again(long, plan, [signal(FLAT)], now=hour(1).replace(tzinfo=None))
    with pytest.raises(InputError, match="time done must be 0 or more"):
        replace(Progress(), done=-HOUR)
