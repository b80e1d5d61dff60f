"""When a job runs, when it may be paused, and what time it is believed to be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.testing.jobs import BySecond
from lichen.train.green.clock import Clock
from lichen.train.green.decide import may_pause, wants_to_run
from lichen.train.green.identity import Identity
from lichen.train.green.order import GRACE, Order, Pausing
from lichen.train.green.planning import Planner
from lichen.train.green.record import Record, State, Stretch

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def record(*, lasts: float = 2, within: float = 24, **changes: Any) -> Record:
    pausing = changes.pop("pausing", Pausing(restart=HOUR / 10))
    order = Order(
        argv=("true",), cwd="/", release=NOON, deadline=NOON + within * HOUR, p50=lasts * HOUR,
        zone="DE", pausing=pausing,
    )  # fmt: skip
    given_: dict[str, Any] = {"id": "0" * 16, "order": order, "submitted_at": NOON}
    return Record(**{**given_, **changes})


def span(start: float, end: float) -> tuple[datetime, datetime, str]:
    return NOON + start * HOUR, NOON + end * HOUR, "DE"


def ran(start: float, end: float | None, *, kept: bool = True) -> Stretch:
    ended = None if end is None else NOON + end * HOUR
    return Stretch(attempt=1, start=NOON + start * HOUR, end=ended, zone="DE", kept=kept)


@pytest.mark.parametrize(
    ("at", "runs"), [(0, False), (3, True), (4.5, False), (6, True), (9, True)]
)
def test_a_job_runs_in_its_segments_and_past_the_last_one(at: float, *, runs: bool) -> None:
    job = record(segments=(span(3, 4), span(6, 8)))

    assert wants_to_run(job, NOON + at * HOUR) is runs


@given(st.floats(0, 23.9), st.floats(0, 2), st.floats(0.1, 4))
def test_from_the_latest_safe_start_it_runs_and_is_never_paused(
    at: float, done: float, lasts: float
) -> None:
    far = (span(100, 101),)
    stretches = (ran(0, done),) if done else ()
    job = record(lasts=lasts, segments=far, stretches=stretches)
    now = NOON + max(at, done) * HOUR
    running = replace(job, stretches=(*stretches, ran(max(at, done), None)))

    if now >= job.must_run_from(now):
        assert wants_to_run(job, now)
        assert not may_pause(running, now)
    if may_pause(running, now):
        # After a pause as slow as it may be, the rest and a restart still fit.
        assert now + GRACE + HOUR / 10 + job.order.p90 - job.done(now) <= job.order.deadline


@given(st.floats(0, 23.9), st.floats(0.1, 4))
def test_until_it_left_a_checkpoint_a_job_is_paused_only_while_all_could_be_done_again(
    at: float, lasts: float
) -> None:
    job = record(lasts=lasts, segments=(span(100, 101),), stretches=(ran(0, None),))
    now = NOON + at * HOUR

    if may_pause(job, now):
        assert now + GRACE + HOUR / 10 + job.order.p90 <= job.order.deadline


def test_once_it_left_a_checkpoint_a_job_is_paused_later_too() -> None:
    first = replace(ran(0, 1), how="checkpoint")
    unproven = record(lasts=20, stretches=(ran(2, None),))
    proven = replace(unproven, stretches=(first, ran(2, None)))

    assert not may_pause(unproven, NOON + 12 * HOUR)
    assert may_pause(proven, NOON + 12 * HOUR)


def test_what_was_lost_is_not_counted_as_done() -> None:
    job = record(stretches=(ran(0, 1), ran(2, 2.5, kept=False)))

    assert job.done(NOON + 3 * HOUR) == HOUR - HOUR / 10


def test_a_committed_job_is_not_paused_whatever_the_clock_does_later() -> None:
    job = record(segments=(span(3, 4), span(6, 8)), committed=True, stretches=(ran(3, None),))

    assert wants_to_run(job, NOON + 4.5 * HOUR)
    assert not may_pause(job, NOON)


def test_a_job_in_one_piece_is_never_paused() -> None:
    job = record(pausing=None, segments=(span(3, 4), span(6, 8)), stretches=(ran(3, None),))

    assert not may_pause(job, NOON + 4.5 * HOUR)


def test_nothing_starts_before_its_release() -> None:
    job = record()
    late = replace(job, order=replace(job.order, release=NOON + HOUR))

    assert not wants_to_run(late, NOON)
    assert wants_to_run(late, NOON + HOUR)


class Hands:
    """Clocks that are set by hand."""

    def __init__(self) -> None:
        self.wall, self.boot_s = NOON, 1000.0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.boot_s)


def test_a_clock_that_is_set_forward_is_believed() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall += 5 * HOUR

    assert clock.now() == NOON + 5 * HOUR
    assert clock.jump() == 5 * HOUR


def test_a_clock_that_is_set_back_does_not_move_the_deadline_away() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall -= 5 * HOUR
    hands.boot_s += 60

    assert clock.now() == NOON + timedelta(seconds=60)
    assert clock.jump() < timedelta(0)


def test_suspend_is_time_that_passes() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.boot_s += 3600

    assert clock.now() == NOON + HOUR


def test_a_process_number_that_was_given_away_is_another_process() -> None:
    own = Identity.own()
    other = replace(own, start=own.start + 1)
    before_reboot = replace(own, boot="another")

    assert own.alive
    assert not other.alive
    assert not before_reboot.alive
    assert not other.send(signal.SIGKILL)
    assert not before_reboot.send_group(signal.SIGKILL)


def test_a_process_that_has_ended_is_gone_also_before_it_is_reaped() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    who = Identity.of(process.pid)
    assert who is not None
    alive = who.alive
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    dead = who.alive

    process.communicate()
    assert (alive, dead) == (True, False)


@pytest.mark.parametrize("text", ["", "{}", "void", '{"boot": 1}', json.dumps([1])])
def test_what_is_no_identity_is_none(text: str) -> None:
    assert Identity.parse(text) is None


def week(now: datetime, *hours: float) -> BySecond:
    """A week whose days are these hours, each hour as one value a second, shortened to seconds."""
    return BySecond(hours, now)


def test_a_window_of_a_day_is_planned_once_and_a_week_again() -> None:
    now = datetime.now(UTC)
    planner = Planner(source=week(now, *[900.0] * 60, *[50.0] * 600, 900.0))
    later = Planner(source=week(now, *[900.0] * 300, *[50.0] * 600, 900.0))
    made = {}
    for name, within in (("day", HOUR), ("week", 30 * HOUR)):
        order = Order(
            argv=("true",), cwd="/", release=now, deadline=now + within,
            p50=timedelta(seconds=100), zone="DE",
        )  # fmt: skip
        job = Record(id="0" * 16, order=order, submitted_at=now)
        made[name] = later.again(job, planner.plan(order, now), now)

    assert made["day"] is None
    assert made["week"] is not None
    assert made["week"].plan is not None
    assert made["week"].plan.start > now + timedelta(seconds=250)


def test_a_state_that_cannot_follow_is_a_fault() -> None:
    ends = [state for state in State if state.ended]

    assert {state.value for state in ends} == {"done", "failed", "cancelled", "lost"}


@pytest.mark.parametrize(("freeze", "least"), [(False, 2 * HOUR), (True, timedelta(0))])
def test_no_pause_is_planned_that_is_over_before_its_grace_is(
    *, freeze: bool, least: timedelta
) -> None:
    now = datetime.now(UTC)
    pausing = Pausing(grace=2 * HOUR, freeze=freeze)
    order = Order(
        argv=("true",), cwd="/", release=now, deadline=now + 20 * HOUR, p50=2 * HOUR, zone="DE",
        pausing=pausing,
    )  # fmt: skip

    pause = order.job().pause

    assert pause is not None
    assert least < pause.min_pause < least + HOUR
