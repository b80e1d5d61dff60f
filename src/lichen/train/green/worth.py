"""Worth: how much of what could be had a settled job got, and of what its forecast promised.

    got                  = avoided / baseline, both of operational carbon        [1]
    of all               = avoided / baseline, embodied carbon included          [1]
    share of the oracle  = got / what the best plan there was avoids             [1]
    share of the promise = got / (what the forecast said / its own run-now)      [1]

A plan, its promise and the oracle move operational carbon alone: energy times the grid. So they are
compared by that; `of all` is the share of the two carbons that stand beside it in a report.

The oracle is the planner itself (`plan.Shift`, or `plan.Place` among zones) on the actual signal
from run-now to the deadline, for the job as it turned out: perfect foresight. It is known once the
deadline has passed. Nothing promised, or nothing to be had, has no share: None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.ledger.errors import LichenError, SignalUnavailable
from lichen.ledger.show import percent
from lichen.ledger.window import Window
from lichen.train.green.actual import as_it_was
from lichen.train.green.planning import policy_of, signal_of
from lichen.train.green.settle import run_now_span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lichen.ledger.entry import Baseline, Entry, Saving
    from lichen.ledger.ports import IntensitySource
    from lichen.plan.plan import Plan
    from lichen.train.green.issued import Planning
    from lichen.train.green.record import Record

# Less than this of running now is nothing to be had: rounding is left.
_NOTHING = 1e-9


class Worth(NamedTuple):
    """Shares of a settled job [1]; None where there is none, `why` where it is not known yet.

    `got`, `promised` and `oracle` are of operational carbon; `of_all` is of all carbon, and None
    where the job's own windows booked a part of it: then the entry is of the rest.
    """

    got: float
    promised: float | None
    oracle: float | None
    why: str = ""
    of_all: float | None = None

    def said(self) -> str:
        """What was avoided of running now, in words."""
        grid = f"{percent(self.got, 1)} of its operational carbon"
        if self.of_all is None:
            return grid
        return f"{percent(self.of_all, 1)} of all its carbon, {grid}"

    @property
    def of_promise(self) -> float | None:
        """How much of what the forecast promised came."""
        return self.got / self.promised if self.promised and self.promised > _NOTHING else None

    @property
    def of_oracle(self) -> float | None:
        """How much of what perfect foresight would have avoided was avoided."""
        return self.got / self.oracle if self.oracle and self.oracle > _NOTHING else None

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "avoided_share": self.got,
            "avoided_share_of_all": self.of_all,
            "promised_share": self.promised,
            "oracle_share": self.oracle,
            "of_promise": self.of_promise,
            "of_oracle": self.of_oracle,
            "why": self.why,
        }


def worth_of(
    record: Record,
    entry: Entry,
    plannings: Sequence[Planning],
    actual: IntensitySource,
    now: datetime,
) -> Worth | None:
    """The shares of a settled job; None where it claims no saving."""
    saving, baseline = entry.saving, entry.figures.baseline
    if saving is None or baseline is None:
        return None
    # Of the whole job, also of what its own windows have booked.
    whole = float(entry.figures.raw.get("run_now_g", baseline.footprint.operational.value.in_grams))
    got = saving.footprint.operational.value.in_grams / whole if whole else 0.0
    plans = [each.plan for each in plannings if each.plan]
    promised = plans[0].share if plans else None
    of_all = _of_all(entry, saving, baseline)
    try:
        return Worth(got, promised, oracle(record, actual, now).share, of_all=of_all)
    except LichenError as error:
        return Worth(got, promised, None, str(error), of_all)


def _of_all(entry: Entry, saving: Saving, baseline: Baseline) -> float | None:
    """Avoided over baseline, embodied carbon included. [1]"""
    all_of_it = baseline.footprint.carbon.value.in_grams
    if float(entry.figures.raw.get("booked_share", 0.0)) or not all_of_it:
        return None
    return saving.footprint.carbon.value.in_grams / all_of_it


def oracle(record: Record, actual: IntensitySource, now: datetime) -> Plan:
    """The best plan there was, for a job that has ended, with perfect foresight.

    Raises:
        SignalUnavailable: the deadline has not passed, or it is not known what the grid emitted.
        UnknownZone: the source of that knows no such zone.
        InputError: nothing of the job's work was kept, so there is nothing to plan.
    """
    from lichen.plan.job import Job  # noqa: PLC0415 (numpy, when it is needed)
    from lichen.plan.policy import Shift  # noqa: PLC0415

    order = record.order
    start, lasts = run_now_span(record)
    ended = record.ended_at or record.stretches[-1].end or now
    deadline = max(order.deadline, ended, start + lasts)
    if deadline > now:
        raise SignalUnavailable(
            "the best plan there was",
            f"the deadline {deadline:%F %R} UTC has not passed",
            "ask again then",
        )
    zones = dict.fromkeys((order.zone, *order.place))
    signals = [
        signal_of(zone, as_it_was(actual, Window(start, deadline, zone), now), actual)
        for zone in zones
    ]
    job = Job(
        power=order.power,
        p50=lasts,
        release=start,
        deadline=deadline,
        zone=order.zone,
        pause=order.job().pause,
    )
    return policy_of(order, Shift(), actual).plan(job, signals)
