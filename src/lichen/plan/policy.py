"""Policies: a job and some signals in, a plan out.

RunNow   start at once: the baseline of every other
Shift    the best time: the best start, or the best hours of a job that can be paused

`lichen.plan.elastic.Elastic` chooses how many nodes, `lichen.plan.where.Place` which site. Each
looks at running now beside what it found and takes the better, so that no plan emits more than
running now under the signal it was given.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lichen.ledger.errors import SignalUnavailable
from lichen.plan.contiguous import best_start
from lichen.plan.curve import Curve, of_zone, one_kind
from lichen.plan.interruptible import best_runs
from lichen.plan.plan import Plan, Segment
from lichen.plan.states import Costs, Run
from lichen.plan.uncertain import Stretches, durations, expected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Carbon
    from lichen.ledger.signal import GridSignal
    from lichen.plan.job import Job

# What a plan says when its signal ends before the deadline.
SIGNAL_SHORT = "signal-short"


class Policy(Protocol):
    """Plans jobs over signals. A pure function: the same in, the same out."""

    def plan(self, job: Job, signals: Sequence[GridSignal]) -> Plan:
        """When, where and on how many nodes a job runs.

        Raises:
            UnitError: average and marginal signals are mixed.
            SignalUnavailable: no signal is of the job's zone, or it does not cover running now;
                whoever asked runs the job now.
        """
        ...


class View(NamedTuple):
    """What a policy sees of a signal: the part in the job's window, and until when it may plan."""

    signal: GridSignal
    curve: Curve
    first_s: float
    last_s: float

    @classmethod
    def of(cls, job: Job, signals: Sequence[GridSignal]) -> View:
        """The job's zone, from release to deadline or the signal's end.

        Raises:
            UnitError: average and marginal signals are mixed.
            SignalUnavailable: as `Policy.plan`.
        """
        one_kind(signals)
        signal = of_zone(job.zone, signals)
        if job.release < signal.start or job.release + job.p90 > signal.end:
            raise SignalUnavailable(
                f"a plan from {job.release.isoformat()} for {job.p90} in {job.zone}",
                f"{signal.source} covers {signal.start.isoformat()} to {signal.end.isoformat()}",
                "run now, or give a signal that covers release and duration",
            )
        curve = Curve.of(signal, job.release, job.deadline)
        last = min(curve.seconds(job.deadline), curve.length_s)
        return cls(signal, curve, curve.seconds(job.release), last)

    def planned(self, job: Job, segments: Sequence[Segment], carbon: Carbons, method: str) -> Plan:
        """The plan of some segments in this view."""
        return Plan(
            segments=tuple(segments),
            expected=carbon.expected,
            run_now=carbon.run_now,
            latest_safe_start=job.latest_safe_start,
            method=method,
            kind=self.signal.kind,
            sources=(self.signal.source,),
            issued_at=self.signal.issued_at,
            gaps=(SIGNAL_SHORT,) if self.signal.end < job.deadline else (),
        )

    def moment(self, seconds: float) -> datetime:
        """The moment of a time on the curve. [s]"""
        return self.curve.moment(seconds)


class Carbons(NamedTuple):
    """Expected carbon of a plan and of running now. [gCO₂e]"""

    expected: Estimate[Carbon]
    run_now: Estimate[Carbon]


class RunNow:
    """Starts at once, in the job's own zone."""

    method = "run-now/1"

    def plan(self, job: Job, signals: Sequence[GridSignal]) -> Plan:
        """The job from its release on.

        Raises:
            UnitError: as `Policy.plan`.
            SignalUnavailable: as `Policy.plan`.
        """
        view = View.of(job, signals)
        carbon = expected(view.curve, job, Stretches.of([at_once(job, view)]))
        segment = Segment(job.release, job.release + job.p90, job.zone)
        return view.planned(job, [segment], Carbons(carbon, carbon), self.method)


class Shift:
    """Runs at the best time in the job's own zone, in one piece or with pauses as the job allows.

    Times are exact in what they look at: any start for a job in one piece, the bounds of steps for
    pauses and resumes. For a job of uncertain duration room is kept for p90, and the mean over its
    durations is least: of two plans with pauses, one made for p90 and one made for p50 that runs on
    until it is done, the better is taken.
    """

    def plan(self, job: Job, signals: Sequence[GridSignal]) -> Plan:
        """The best plan, and never one that emits more than running now.

        Raises:
            UnitError: as `Policy.plan`.
            SignalUnavailable: as `Policy.plan`.
        """
        view = View.of(job, signals)
        ways = [tuple(way) for way in self._ways(job, view)]
        carbons = [expected(view.curve, job, Stretches.of(way)) for way in ways]
        # Running now is the first: of equals it is taken.
        best = min(range(len(ways)), key=lambda at: carbons[at].value.in_grams)
        method = "interruptible/1" if job.pause else "contiguous/1"
        carbon = Carbons(carbons[best], carbons[0])
        return view.planned(job, segments(view, job, ways[best]), carbon, method)

    @staticmethod
    def _ways(job: Job, view: View) -> Iterator[Sequence[Run]]:
        first, last = view.first_s, view.last_s
        p50, p90 = job.p50.total_seconds(), job.p90.total_seconds()
        yield [at_once(job, view)]
        start = best_start(view.curve, durations(job), first, max(last - p90, first))
        yield [Run(start, start + p90)]
        if job.pause is None:
            return
        costs = Costs.of(job.pause, job.power.value.in_watts)
        by = job.pause.first_by
        until = None if by is None else view.curve.seconds(by)
        found = best_runs(view.curve, p90, first, last, costs, until)
        if found:
            yield found.runs
        if p90 == p50:
            return
        found = best_runs(view.curve, p50, first, last - (p90 - p50), costs, until)
        if found:
            *before, final = found.runs
            yield [*before, Run(final.start_s, final.end_s + p90 - p50)]


def at_once(job: Job, view: View) -> Run:
    """The stretch of a job that starts at its release. [s]"""
    return Run(view.first_s, view.first_s + job.p90.total_seconds())


def segments(view: View, job: Job, runs: Sequence[Run]) -> list[Segment]:
    """Stretches as segments in the job's zone, none past the deadline by a rounded microsecond."""
    slack = timedelta(microseconds=1)
    made = []
    for start, end in runs:
        stop = view.moment(end)
        if job.deadline < stop <= job.deadline + slack:
            stop = job.deadline
        made.append(Segment(view.moment(start), stop, job.zone))
    return made
