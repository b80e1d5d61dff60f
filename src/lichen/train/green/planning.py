"""Planning: a forecast asked for with a limit, looked at, and planned over.

    no forecast, or none that can be believed  →  no plan: run now, and say why

A source that hangs is left behind in its thread; one that raises, is out of date, is of another
zone or in another unit is named in a gap. None of this moves the deadline.

A zone may be a cloud region, such as aws:eu-north-1: its signal is that of its grid zone, its PUE
the published one. A source that knows regions says both (`grid_zone`, `pue_of`: `grid.Chain`).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from lichen.ledger.errors import InputError, LichenError, SignalUnavailable, UnknownZone
from lichen.plan.trust import believed
from lichen.train.green.issued import Planning
from lichen.train.green.pue import counted, published

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lichen.ledger.ports import ForecastSource
    from lichen.ledger.signal import GridSignal
    from lichen.plan.job import Job
    from lichen.plan.plan import Plan
    from lichen.plan.policy import Policy
    from lichen.plan.replan import Progress
    from lichen.plan.where import Verdict
    from lichen.train.green.order import Order
    from lichen.train.green.record import Record

# How long a forecast may take: a runner goes on looking after its jobs meanwhile.
LIMIT = timedelta(seconds=20)
# How far ahead a source is asked to see, the farthest first: no forecast goes beyond that.
_REACHES = (timedelta(days=14), timedelta(days=3), timedelta(days=1))
# A gap: the first pause would best have come later than it safely may.
UNPROVEN = "pause-unproven"
_NONE = timedelta(0)


class Replanning(Protocol):
    """A policy that can also change its mind: `lichen.plan.replan.Replan` keeps it."""

    def plan(self, job: Job, signals: Sequence[GridSignal]) -> Plan:
        """The plan of a job."""
        ...

    def again(
        self,
        job: Job,
        plan: Plan,
        signals: Sequence[GridSignal],
        *,
        now: datetime,
        progress: Progress | None = None,
    ) -> Plan:
        """The plan for what is left."""
        ...


def _replan() -> Replanning:
    from lichen.plan.replan import Replan  # noqa: PLC0415 (numpy, when it is needed)

    return Replan()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans orders over the forecasts of a source; None: there is none."""

    source: ForecastSource | None
    limit: timedelta = LIMIT
    policy: Replanning = field(default_factory=_replan)

    def plan(self, order: Order, now: datetime) -> Planning:
        """The first plan of an order.

        Raises:
            UnknownZone: the source knows no such zone; that is the user's to mend.
        """
        try:
            # The order is a moment older than this planning, and its release with it.
            at = min(now, order.release)
            slack = max(order.must_run_from(_NONE) - now, _NONE)
            signals = self.signals(order, at, min(self.limit, slack))
            policy = policy_of(order, self.policy, self.source)
            job = order.job() if order.places else job_in(order.zone, order, self.source)
            plan = policy.plan(job, signals)
            if not _sure(order, plan):
                # Its first pause would be refused when it comes: no job hangs on a promise.
                plan = policy.plan(_provable(order, job), signals)
                plan = replace(plan, gaps=(*plan.gaps, UNPROVEN))
            return Planning(now, "submitted", plan, signals)
        except UnknownZone:
            raise
        except Exception as error:  # noqa: BLE001 (a stranger's forecast or policy: run now)
            why = (
                str(error) if isinstance(error, LichenError) else f"{type(error).__name__}: {error}"
            )
            return Planning(now, f"run now: {why}", None, ())

    def again(self, record: Record, before: Planning, now: datetime) -> Planning | None:
        """A plan for what is left of a job, where it is another one; None: keep the old one."""
        from lichen.plan.replan import Progress  # noqa: PLC0415 (numpy, when it is needed)

        order = record.order
        if before.plan is None:
            return None
        try:
            if order.places and not record.stretches:
                signals = self.signals(order, now)
                plan = self._elsewhere(record, before.plan, signals, now)
            else:
                # Once it ran it stays where it is, whatever the other zones are.
                zone = record.zone
                signals = self.signals(order, now, zones=(zone,))
                job = job_in(zone, order, self.source)
                job = job if record.proven else _provable(order, job)
                progress = Progress(record.done(now), running=record.open is not None)
                plan = self.policy.again(job, before.plan, signals, now=now, progress=progress)
        except Exception:  # noqa: BLE001 (as in `plan`; here there is a plan to keep)
            return None
        runs_at = now if record.open else None
        if plan is before.plan or not (record.proven or _sure(order, plan, runs_at)):
            return None
        return Planning(now, "planned anew", plan, signals)

    def places(self, order: Order, planning: Planning) -> list[Verdict]:
        """The plan of each place that an order may choose from; empty where there is no choice.

        Raises:
            SignalUnavailable: a forecast of the planning does not cover running now at home.
        """
        from lichen.plan.where import Place  # noqa: PLC0415 (numpy, when it is needed)

        policy = policy_of(order, self.policy, self.source)
        if planning.plan is None or not isinstance(policy, Place):
            return []
        job = order.job()
        if UNPROVEN in planning.plan.gaps:
            job = _provable(order, job)
        return policy.verdicts(job, planning.signals)

    def _elsewhere(
        self, record: Record, plan: Plan, signals: Sequence[GridSignal], now: datetime
    ) -> Plan:
        """The plan of a job that waits and may still go to another place."""
        from lichen.plan.replan import Replan  # noqa: PLC0415 (numpy, when it is needed)
        from lichen.plan.where import Place  # noqa: PLC0415

        order = record.order
        policy = policy_of(order, self.policy, self.source)
        assert isinstance(policy, Place)
        mine = self.policy if isinstance(self.policy, Replan) else Replan(policy=self.policy)
        job = order.job() if record.proven else _provable(order, order.job())
        return policy.again(job, plan, signals, now=now, replan=mine)

    def signals(
        self,
        order: Order,
        now: datetime,
        limit: timedelta | None = None,
        zones: Sequence[str] = (),
    ) -> tuple[GridSignal, ...]:
        """The forecast of these zones, or of each of an order's, within one limit or the own one.

        Raises:
            UnknownZone: the source knows no such zone.
            SignalUnavailable: there is none that can be believed.
        """
        zones = zones or tuple(dict.fromkeys((order.zone, *order.place)))
        until = time.monotonic() + (self.limit if limit is None else limit).total_seconds()
        return tuple(self._signal(zone, order, now, until) for zone in zones)

    def _signal(self, zone: str, order: Order, now: datetime, until: float) -> GridSignal:
        least = max(order.release - now, _NONE) + order.p90
        whole = max(order.deadline - now, least)
        # A source that does not reach the deadline may still reach some way.
        for horizon in dict.fromkeys(max(min(whole, reach), least) for reach in _REACHES):
            left = timedelta(seconds=max(until - time.monotonic(), 0.0))
            try:
                signal = _within(self.source, zone, horizon, now, left)
            except SignalUnavailable as error:
                failure = error
            else:
                believed(signal, zone, now)
                return signal_of(zone, signal, self.source)
        raise failure


def _first_by(order: Order) -> datetime:
    """The last moment of a first pause that leaves time to do all of the work again."""
    grace = order.pausing.grace if order.pausing else _NONE
    return order.must_run_from(_NONE, resuming=True) - grace


def _sure(order: Order, plan: Plan, runs_at: datetime | None = None) -> bool:
    """Whether a plan's first pause comes by then, as `may_pause` asks.

    Of a job that runs at `runs_at` that is now, where the plan begins later.
    """
    pausing = order.pausing
    if pausing is None or pausing.freeze:
        return True
    if runs_at is not None and plan.start > runs_at:
        return runs_at < _first_by(order)
    return len(plan.segments) == 1 or plan.segments[0].end < _first_by(order)


def _provable(order: Order, job: Job) -> Job:
    """The job with its first pause by then, or with none."""
    by = _first_by(order) - timedelta(seconds=1)
    return replace(job, pause=replace(job.pause, first_by=by) if job.pause else None)


def signal_of(zone: str, signal: GridSignal, source: object) -> GridSignal:
    """A signal under the name its zone was asked by: a cloud region's is its grid zone's."""
    grid_zone = getattr(source, "grid_zone", str)
    return replace(signal, zone=zone) if signal.zone == grid_zone(zone) else signal


def job_in(zone: str, order: Order, source: object) -> Job:
    """An order as the planner sees it in a zone, its power at the meter where it counts PUE. [W]"""
    from lichen.plan.where import Site  # noqa: PLC0415 (numpy, when it is needed)

    pue, low, high = counted(order, source).get(zone) or (None, None, None)
    return Site(name=zone, zone=zone, pue=pue, pue_low=low, pue_high=high).placed(order.job())


def policy_of(order: Order, when: Policy, source: object = None) -> Policy:
    """Who plans an order: `when` in its own zone, or the best of the places it may choose from.

    `source` says the PUE of a zone that is a cloud region. That of any other is not known, and is
    then left out of all places, as `plan.Place` says.
    """
    if not order.places:
        return when
    from lichen.plan.where import Place, Site  # noqa: PLC0415 (numpy, when it is needed)

    # What the machines there are is not known: the same everywhere, so it does not choose.
    sites = {}
    for zone, known in published(order, source).items():
        pue, low, high = known or (None, None, None)
        sites[zone] = Site(name=zone, zone=zone, pue=pue, pue_low=low, pue_high=high)
    allowed = tuple(sites[zone] for zone in order.place)
    return Place(sites=allowed, home=sites[order.zone], data_gb=order.data_gb)


def _within(
    source: ForecastSource | None, zone: str, horizon: timedelta, now: datetime, limit: timedelta
) -> GridSignal:
    """Ask the source, for so long and no longer."""
    if source is None:
        raise SignalUnavailable(f"a forecast of {zone}", "no source is configured", "run now")
    got: list[GridSignal] = []
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            got.append(source.forecast(zone, horizon, issued_at=now))
        except BaseException as error:  # noqa: BLE001 (a stranger's code: whatever it is, run now)
            failed.append(error)

    thread = threading.Thread(target=ask, name=f"forecast of {zone}", daemon=True)
    thread.start()
    thread.join(limit.total_seconds())
    if got:
        return got[0]
    if not failed:
        raise SignalUnavailable(
            f"a forecast of {zone}", "its source did not answer in time", "run now"
        )
    error = failed[0]
    if isinstance(error, (SignalUnavailable, UnknownZone, InputError)):
        raise error
    raise SignalUnavailable(
        f"a forecast of {zone}", f"its source failed: {type(error).__name__}: {error}", "run now"
    ) from error
