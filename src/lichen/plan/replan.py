"""Re-planning: when to change one's mind, and when not to.

    window ≤ commit                     keep the plan
    now ≥ deadline − what is left       run, whatever the grid
    old − new ≥ threshold × old         take the new plan, else keep the old one

old, new   expected carbon of what is left of the job, both under the newest signal  [gCO₂e]

A forecast of the next day changes little that matters from hour to hour, so a plan for a day is
kept. A plan for a week was made on days that no forecast reaches well, and is worth making again,
but not for every promise of a little less.

Source: measured over 50 jobs in each of three zones, docs/method/plan.md: asking every hour gains
up to 24 points of the oracle's saving on windows of a week and little or nothing on those of a day;
a threshold of 2 % keeps most of it with a tenth of the changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError, SignalUnavailable, UnitError
from lichen.ledger.window import aware
from lichen.plan.curve import one_kind
from lichen.plan.policy import RunNow, Shift, View
from lichen.plan.states import Run
from lichen.plan.uncertain import Stretches, expected, latest_safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Carbon
    from lichen.ledger.signal import GridSignal
    from lichen.plan.job import Job
    from lichen.plan.plan import Plan
    from lichen.plan.policy import Policy

_NONE = timedelta(0)
# Source, both: the module's docstring.
COMMIT = timedelta(hours=24)
THRESHOLD = 0.02


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: running time done (restarts not counted), and whether it runs now.

    Raises:
        InputError: the time done is negative.
    """

    done: timedelta = _NONE
    running: bool = False

    def __post_init__(self) -> None:
        """Refuse work that cannot be."""
        if self.done < _NONE:
            raise InputError(f"the time done must be 0 or more, got {self.done}")

    @property
    def paused(self) -> bool:
        """Begun, and not running."""
        return self.done > _NONE and not self.running


@dataclass(frozen=True, slots=True, kw_only=True)
class Replan:
    """A policy that changes its mind when that is worth it.

    The job is the one that was planned, and stays in its zone: of a placed one, `Site.placed(job)`;
    `Place.again` asks whether one that waits had better go elsewhere.
    Windows of `commit` or less are planned once. On longer ones a new plan is taken when it emits
    less than the old one by a share of `threshold` [1], both under the newest signal. Ask again
    every hour.
    """

    policy: Policy = field(default_factory=Shift)
    threshold: float = THRESHOLD
    commit: timedelta = COMMIT

    def plan(self, job: Job, signals: Sequence[GridSignal]) -> Plan:
        """The policy's plan."""
        return self.policy.plan(job, signals)

    def again(
        self,
        job: Job,
        plan: Plan,
        signals: Sequence[GridSignal],
        *,
        now: datetime,
        progress: Progress | None = None,
    ) -> Plan:
        """The plan for what is left of a job: the same `plan` where nothing is to be changed.

        A new plan starts now or later and holds the rest of the job alone; its carbons, running
        now included, are those of the rest.

        Raises:
            UnitError: as `Policy.plan`, or the signals are of another kind than the plan's.
            SignalUnavailable: as `Policy.plan`; keep the old plan.
            NaiveTime: `now` has no time zone.
            InputError: the plan's number of nodes changes: plan the rest anew instead.
        """
        comparable(plan, signals)
        progress, now = progress or Progress(), max(aware(now), job.release)
        rest = left_of(job, now, progress)
        if rest is None or (progress.running and job.pause is None):
            return plan
        is_whole = whole(rest, plan)
        if now >= job.deadline - latest_safe(job, done=progress.done, paused=progress.paused):
            return plan if is_whole and _runs_on(rest, plan) else _at_once(rest, job, plan, signals)
        if job.window <= self.commit and is_whole:
            return plan
        new = self._new(rest, progress, signals)
        if is_whole and not self.worth(kept(rest, plan, signals), new):
            return plan
        return replace(new, latest_safe_start=job.latest_safe_start)

    def worth(self, old: Estimate[Carbon], new: Plan) -> bool:
        """Whether a new plan emits so much less than what is left of the old one. [gCO₂e]"""
        gain = old.value.in_grams - new.expected.value.in_grams
        return gain > 0 and gain >= self.threshold * old.value.in_grams

    def _new(self, rest: Job, progress: Progress, signals: Sequence[GridSignal]) -> Plan:
        """The best plan of the rest. A job that runs goes on for nothing, or pauses and resumes."""
        at_once = self.policy.plan(rest, signals)
        if not progress.running or at_once.start == rest.release or rest.pause is None:
            return at_once
        going_on = RunNow().plan(rest, signals)
        lost = rest.pause.restart
        if rest.release + rest.p90 + lost > rest.deadline:
            return going_on
        pausing = self.policy.plan(replace(rest, p50=rest.p50 + lost, p90=rest.p90 + lost), signals)
        return min(going_on, pausing, key=lambda plan: plan.expected.value.in_grams)


def comparable(plan: Plan, signals: Sequence[GridSignal]) -> None:
    """Refuse to compare under another kind of signal, or by one power where nodes change."""
    kind = one_kind(signals)
    if kind is not plan.kind:
        raise UnitError(
            f"the plan was made under {plan.kind.value} intensity and the signals are "
            f"{kind.value}: average and marginal never mix; give signals of the plan's kind"
        )
    nodes = {segment.nodes for segment in plan.segments}
    if len(nodes) > 1:
        raise InputError(
            f"a plan on {sorted(nodes)} nodes cannot be priced by the job's power alone: plan what "
            "is left anew by the policy that made it"
        )


def left_of(job: Job, now: datetime, progress: Progress) -> Job | None:
    """What is left of a job, as one from now on; None where that is nothing."""
    p90 = job.p90 - progress.done
    if p90 <= _NONE:
        return None
    # A job beyond its p50 is as likely as not to need half of what is left to its p90.
    p50 = max(job.p50 - progress.done, p90 / 2) if job.p50 < job.p90 else p90
    lost = job.pause.restart if progress.paused and job.pause else _NONE
    deadline = max(job.deadline, now + p90 + lost)
    return replace(job, p50=p50 + lost, p90=p90 + lost, release=now, deadline=deadline)


def kept(rest: Job, plan: Plan, signals: Sequence[GridSignal]) -> Estimate[Carbon]:
    """Carbon of what a plan has left, priced under new signals. [gCO₂e]

    Raises:
        UnitError: average and marginal signals are mixed.
        SignalUnavailable: they do not cover what is left.
    """
    view = View.of(rest, signals)
    runs = [Run(run.start_s + view.first_s, run.end_s + view.first_s) for run in _left(rest, plan)]
    return expected(view.curve, rest, Stretches.of(runs))


def _left(rest: Job, plan: Plan) -> list[Run]:
    """What a plan has left of its stretches, in seconds from now on. [s]"""
    since = [
        ((one.start - rest.release).total_seconds(), (one.end - rest.release).total_seconds())
        for one in plan.segments
    ]
    return [Run(max(start, 0.0), end) for start, end in since if end > 0]


def whole(rest: Job, plan: Plan) -> bool:
    """Whether what the plan has left holds the rest of the job."""
    left = sum(run.end_s - run.start_s for run in _left(rest, plan))
    return timedelta(seconds=left) >= rest.p90


def _runs_on(rest: Job, plan: Plan) -> bool:
    """Whether the plan runs from now to its end."""
    left = _left(rest, plan)
    return len(left) == 1 and left[0].start_s == 0


def _at_once(rest: Job, job: Job, plan: Plan, signals: Sequence[GridSignal]) -> Plan:
    """Past the latest safe moment: the rest at once.

    Without a signal nothing can be priced and the old plan stays: its latest safe start says that
    the job runs.
    """
    try:
        made = RunNow().plan(rest, signals)
    except SignalUnavailable:
        return plan
    return replace(made, latest_safe_start=job.latest_safe_start)
