"""PolicyContract: what every policy keeps.

    class TestMyPolicy(PolicyContract):
        @pytest.fixture
        def policy(self) -> Policy:
            return MyPolicy()

The contract plans jobs in `SE-SE3` over two days of hourly intensity. A policy that places jobs
needs a site in that zone.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import SignalUnavailable, UnitError
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Power
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.plan.job import Job

if TYPE_CHECKING:
    from lichen.plan.policy import Policy

_HOUR = timedelta(hours=1)
_START = datetime(2026, 3, 28, tzinfo=UTC)
_HOURS = 48


def two_days(kind: SignalKind = SignalKind.AVERAGE) -> GridSignal:
    """Hourly intensity of SE-SE3 over two days: dirty when it starts, clean at midday."""
    values = tuple(300 + 120 * math.cos(2 * math.pi * n / 24) for n in range(_HOURS))
    return GridSignal(
        zone="SE-SE3",
        kind=kind,
        basis=Basis.MODELLED,
        source="two days of a made-up grid",
        issued_at=_START,
        start=_START,
        step=_HOUR,
        values=values,
        lows=tuple(value / 1.2 for value in values),
        highs=tuple(value * 1.2 for value in values),
    )


def a_job() -> Job:
    """A kilowatt for about six hours, at most nine, within a day and a half."""
    return Job(
        power=Estimate.around(Power.watts(1000), 1.1),
        p50=6 * _HOUR,
        p90=9 * _HOUR,
        release=_START + timedelta(minutes=20),
        deadline=_START + 36 * _HOUR,
        zone="SE-SE3",
    )


class PolicyContract:
    """The laws of `Policy`; inherit it and give `policy`."""

    @pytest.fixture
    def policy(self) -> Policy:
        """The policy under test."""
        raise NotImplementedError("give the policy under test")

    @pytest.fixture
    def job(self) -> Job:
        """The job to plan, in SE-SE3 from 2026-03-28 on; give another where the policy asks."""
        return a_job()

    def test_it_emits_no_more_than_running_now(self, policy: Policy, job: Job) -> None:
        """Under the signal it was given."""
        plan = policy.plan(job, [two_days()])

        assert plan.expected.value <= plan.run_now.value
        assert plan.avoided.value.in_grams >= 0

    def test_it_keeps_to_the_window(self, policy: Policy, job: Job) -> None:
        """Nothing before the release, all done by the deadline even at p90, in order."""
        plan = policy.plan(job, [two_days()])

        assert job.release <= plan.start
        assert plan.end <= job.deadline
        assert all(one.end <= other.start for one, other in pairwise(plan.segments))
        assert plan.latest_safe_start == job.deadline - job.p90

    def test_the_same_job_and_signals_give_the_same_plan(self, policy: Policy, job: Job) -> None:
        """A policy is a pure function."""
        one = policy.plan(job, [two_days()])
        other = policy.plan(job, [two_days()])

        assert one == other

    def test_it_says_what_it_was_made_from(self, policy: Policy, job: Job) -> None:
        """Method, kind, source and age of the signal."""
        plan = policy.plan(job, [two_days(SignalKind.MARGINAL)])

        assert plan.method
        assert plan.kind is SignalKind.MARGINAL
        assert two_days().source in plan.sources
        assert plan.issued_at == _START

    def test_the_clock_a_job_is_told_in_changes_nothing(self, policy: Policy, job: Job) -> None:
        """An offset from UTC is the same moment."""
        there = timezone(timedelta(hours=5, minutes=45))
        told = replace(
            job, release=job.release.astimezone(there), deadline=job.deadline.astimezone(there)
        )

        assert policy.plan(told, [two_days()]) == policy.plan(job, [two_days()])

    def test_average_and_marginal_never_mix(self, policy: Policy, job: Job) -> None:
        """Two kinds of signal in one plan are refused."""
        with pytest.raises(UnitError, match="average and marginal"):
            policy.plan(job, [two_days(), two_days(SignalKind.MARGINAL)])

    def test_without_a_signal_it_says_so(self, policy: Policy, job: Job) -> None:
        """No signal at all, and none that covers running now."""
        late = replace(two_days(), start=_START + _HOUR)

        with pytest.raises(SignalUnavailable):
            policy.plan(job, [])
        with pytest.raises(SignalUnavailable):
            policy.plan(job, [late])
