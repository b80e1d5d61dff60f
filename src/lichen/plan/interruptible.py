"""The best hours of a job that can be paused: an exact dynamic programme over the signal's steps.

    least Σ over stretches of [ P (F(end) − F(start)) ] + Σ over resumes of [ E I(resume) ]
          + idle (energy of the pauses)
    with  Σ (end − start) = d + restart × (number of resumes),  end − start ≥ min run,
          pauses ≥ min pause

P power [W]; d the job's work, as running time [s]; restart running time lost by each resume [s];
E energy a resume takes besides [J]; idle power while paused [W].

The job starts at its release or at the bound of a step, pauses and resumes at bounds, and ends when
its work is done, within a step if need be. Among these plans the one found is the best there is.
States are (bound, work left, running or paused); work left lies on a lattice of gcd(step, restart),
so that a restart of 6 min in steps of 1 h is no approximation. A restart that would need more than
60 points a step is rounded up to a sixtieth of it: a plan is never shorter than its work. A plan
whose states would take more than 320 MB is made on fewer points, then on bounds of joined steps: a
month by 5 minutes, not a week.

Source: R. Bellman, Dynamic Programming, Princeton University Press, 1957.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lichen.plan.first_pause import EarlyTable
from lichen.plan.lattice import joining
from lichen.plan.states import MICRO, Costs, Found, Frame, Table

if TYPE_CHECKING:
    from lichen.plan.curve import Curve


def best_runs(
    curve: Curve,
    duration_s: float,
    first_s: float,
    last_s: float,
    costs: Costs,
    until_s: float | None = None,
) -> Found | None:
    """The best stretches of a job of some length between two moments; None where none fits. [s]

    All times are seconds, the moments after the curve's start. With `until_s` the first pause
    begins by then, if there is one.
    """
    until = None if until_s is None else round(until_s * MICRO)
    work, first, last = (round(part * MICRO) for part in (duration_s, first_s, last_s))
    step = round(curve.step_s * MICRO)
    curve = curve.joined(joining((last - first) // step + 2, (work + costs.restart) // step + 2))
    step = round(curve.step_s * MICRO)
    bounds = np.arange(-(-first // step), -(-last // step) + 1, dtype=np.int64) * step
    found = [_solve(curve, Frame(step, bounds, last, work, None), costs, until)]
    if first % step:
        found.append(_solve(curve, Frame(step, bounds, last, work, first), costs, until))
    # Both hold plans the other has not: one starts at the release, one at a bound.
    return min((one for one in found if one), key=lambda one: one.cost, default=None)


def _solve(curve: Curve, frame: Frame, costs: Costs, until: int | None) -> Found | None:
    """The best plan of a frame; None where none fits."""
    if frame.bounds.size < 1:
        return None
    table = Table(curve, frame, costs)
    if until is not None:
        table = EarlyTable(curve, frame, costs, until)
    whole = table.in_one()
    if table.feasible:
        table.fill()
        end = table.best_end()
        if end is not None and (whole is None or end.cost < whole.cost):
            return Found(end.cost, table.trace(end))
    return whole
