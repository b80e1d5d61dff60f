"""Plan: when, where and how many. Pure functions over signals: nothing is read or started here.

job            what must run: power, duration (p50, p90), release, deadline, pauses
plan           when and where it runs, what that emits, and what running now would
curve          a signal as a running sum, for any start and any length
contiguous     the best start of a job that cannot be paused; millions of them at once
cheapest       the cheapest steps of many windows: what free pauses could save
interruptible  the best hours of a job that can, with restart cost and shortest run, exactly
first_pause    the same, where its first pause may not come late
uncertain      a duration that nobody knows: p50, p90, and the latest safe start
elastic        how many nodes, hour by hour, from a measured scaling profile
where          which site: E × PUE × I + transfer, filtered by residency, latency, hardware, price
replan         when to change one's mind
trust          whether a forecast can be what it says
policy         `Policy`, and the policies made of these

    plan = Shift().plan(job, [signal])

The types need the standard library only. What computes needs numpy (the extra `grid`),
which is imported when one of those names is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import MissingExtra

if TYPE_CHECKING:
    from lichen.plan.cheapest import cheapest_steps
    from lichen.plan.contiguous import Starts, best_starts, means
    from lichen.plan.elastic import Elastic, Scaling
    from lichen.plan.job import Job, Pause
    from lichen.plan.plan import Plan, Segment
    from lichen.plan.policy import Policy, RunNow, Shift
    from lichen.plan.replan import Progress, Replan
    from lichen.plan.where import Limits, Place, Site

_HOMES = {
    "Elastic": "elastic",
    "Job": "job",
    "Limits": "where",
    "Pause": "job",
    "Place": "where",
    "Plan": "plan",
    "Policy": "policy",
    "Progress": "replan",
    "Replan": "replan",
    "RunNow": "policy",
    "Scaling": "elastic",
    "Segment": "plan",
    "Shift": "policy",
    "Site": "where",
    "Starts": "contiguous",
    "best_starts": "contiguous",
    "cheapest_steps": "cheapest",
    "means": "contiguous",
}

__all__ = [
    "Elastic",
    "Job",
    "Limits",
    "Pause",
    "Place",
    "Plan",
    "Policy",
    "Progress",
    "Replan",
    "RunNow",
    "Scaling",
    "Segment",
    "Shift",
    "Site",
    "Starts",
    "best_starts",
    "cheapest_steps",
    "means",
]


def __getattr__(name: str) -> Any:
    """Import a name from its home when it is first used.

    Raises:
        MissingExtra: it computes, and numpy is not installed.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'lichen.plan' has no attribute {name!r}")
    try:
        home = importlib.import_module(f"lichen.plan.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise MissingExtra(f"lichen.plan.{name}", "numpy", "grid") from error
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
