"""How many nodes, hour by hour, from a measured scaling profile.

    least Σₜ I(t) p(t) h(t)     with   Σₜ v(t) h(t) = work

t stretch of constant intensity, h its length [s]; v throughput and p power on its nodes, both over
those of the job's own number of nodes. Of the measured (v, p) only the lower convex hull matters:
whatever lies above it is dearer than sharing the time between two corners of the hull. Along the
hull each further corner costs more per unit of work, so taking (t, corner) pairs by

    marginal price = I(t) × (p₂ − p₁) / (v₂ − v₁)

from the cheapest on, until the work is done, is optimal; the last pair is taken for part of its
stretch. No nodes at all is a corner too, so the job waits where that is best.

Source: W. A. Hanafy, Q. Liang, N. Bashir, D. Irwin, P. Shenoy, "CarbonScaler: Leveraging Cloud
Workload Elasticity for Optimizing Carbon-Efficiency", ACM SIGMETRICS 2024, algorithm 1; the hull is
ours, and makes the greedy choice right for profiles that are not concave.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lichen.ledger.errors import InputError
from lichen.plan.plan import Plan, Segment
from lichen.plan.policy import Carbons, View, at_once
from lichen.plan.uncertain import Stretches, expected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lichen.ledger.signal import GridSignal
    from lichen.plan.job import Job

    Floats = NDArray[np.float64]

# Less is no stretch: what a datetime cannot say. [s]
_SHORTEST_S = 1e-6


@dataclass(frozen=True, slots=True)
class Scaling:
    """A measured profile: throughput in any unit and power [W] by number of nodes, all (k,).

    Raises:
        InputError: shapes differ, nodes do not rise from 1 or more, or a value is not positive.
    """

    nodes: tuple[int, ...]
    throughput: tuple[float, ...]
    power_w: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be a profile."""
        if not len(self.nodes) == len(self.throughput) == len(self.power_w) > 0:
            raise InputError(
                f"nodes, throughput and power must be of one length ≥ 1, got {len(self.nodes)}, "
                f"{len(self.throughput)}, {len(self.power_w)}"
            )
        if self.nodes[0] < 1 or any(one >= other for one, other in pairwise(self.nodes)):
            raise InputError(f"nodes must rise from 1 or more, got {self.nodes}: leave 0 out")
        for name in ("throughput", "power_w"):
            if not all(0 < value < float("inf") for value in getattr(self, name)):
                raise InputError(f"{name} must be positive numbers, got {getattr(self, name)}")

    def at(self, nodes: int) -> tuple[float, float]:
        """Throughput, and power [W], on some nodes.

        Raises:
            InputError: they were not measured.
        """
        if nodes not in self.nodes:
            raise InputError(f"{nodes} nodes were not measured: choose one of {self.nodes}")
        place = self.nodes.index(nodes)
        return self.throughput[place], self.power_w[place]

    def hull(self) -> tuple[int, ...]:
        """The numbers of nodes on the lower convex hull of power over throughput, from 0 nodes."""
        points = sorted(zip(self.throughput, self.power_w, self.nodes, strict=True))
        corners: list[tuple[float, float, int]] = [(0.0, 0.0, 0)]
        for point in points:
            if point[0] == corners[-1][0]:
                # As quick as the last corner at no less power.
                continue
            while len(corners) > 1 and not _rises(corners[-2], corners[-1], point):
                corners.pop()
            corners.append(point)
        return tuple(nodes for _, _, nodes in corners[1:])


def _rises(one: tuple[float, ...], two: tuple[float, ...], three: tuple[float, ...]) -> bool:
    """Whether power per throughput is dearer from two to three than from one to two."""
    return (two[1] - one[1]) * (three[0] - two[0]) < (three[1] - two[1]) * (two[0] - one[0])


class _Stretch(NamedTuple):
    """Nodes from start to end, as a place on the hull. [s]"""

    start: float
    end: float
    corner: int


class Elastic:
    """Chooses the number of nodes over time in the job's own zone.

    The job's power and duration are those on `base` nodes, on which it would also run now. Nodes
    are taken and given back freely, so a job whose pauses cost something is refused.

    Raises:
        InputError: the base was not measured.
    """

    method = "elastic/1"

    def __init__(self, scaling: Scaling, *, base: int = 1) -> None:
        self._base = base
        speed, power = scaling.at(base)
        corners = scaling.hull()
        self._nodes = (0, *corners)
        measured = [scaling.at(nodes) for nodes in corners]
        self._speeds = np.array([0.0, *(v / speed for v, _ in measured)])
        self._powers = np.array([0.0, *(p / power for _, p in measured)])

    def plan(self, job: Job, signals: Sequence[GridSignal]) -> Plan:
        """The nodes at each time that emit least, and never more than running now on the base.

        Raises:
            UnitError: as `Policy.plan`.
            SignalUnavailable: as `Policy.plan`.
            InputError: pauses of the job cost something.
        """
        if job.pause is not None:
            raise InputError(
                f"nodes come and go freely in an elastic plan, and pausing this job costs "
                f"{job.pause}: leave pause out, or plan it by Shift"
            )
        view = View.of(job, signals)
        run_now = expected(view.curve, job, Stretches.of([at_once(job, view)]))
        found = list(self._allocate(job, view))
        stretches = Stretches(
            np.array([one.start for one in found]),
            np.array([one.end for one in found]),
            self._powers[[one.corner for one in found]],
            self._speeds[[one.corner for one in found]],
        )
        carbon = expected(view.curve, job, stretches)
        if carbon.value.in_grams < run_now.value.in_grams:
            made = [
                Segment(
                    view.moment(one.start), view.moment(one.end), job.zone, self._nodes[one.corner]
                )
                for one in found
            ]
            return view.planned(job, made, Carbons(carbon, run_now), self.method)
        whole = Segment(job.release, job.release + job.p90, job.zone, self._base)
        return view.planned(job, [whole], Carbons(run_now, run_now), self.method)

    def _allocate(self, job: Job, view: View) -> Iterator[_Stretch]:
        """Stretches in order of time, those at one place on the hull joined."""
        bounds = _bounds(view)
        lengths = np.diff(bounds)
        prices = view.curve.rates(bounds[:-1])[0]
        gains = np.diff(self._speeds)
        # By time first, then along the hull: of equal prices the earlier is taken.
        marginal = np.outer(prices, np.diff(self._powers) / gains)
        able = np.outer(lengths, gains)
        order = np.argsort(marginal, axis=None, kind="stable")
        sums = np.cumsum(able.ravel()[order])
        work = job.p90.total_seconds()
        many = int(np.searchsorted(sums, work * (1 - 1e-12))) + 1
        corner = np.bincount(order[:many] // gains.size, minlength=lengths.size)
        last = order[min(many, order.size) - 1]
        slot = int(last // gains.size)
        over = max(float(sums[min(many, order.size) - 1]) - work, 0.0)
        spare = over / float(able.ravel()[last]) * float(lengths[slot])
        yield from _joined(_pieces(bounds, corner, slot, spare))


def _bounds(view: View) -> Floats:
    """The window's ends and the bounds of steps between them. [s]"""
    step_s = view.curve.step_s
    inner = np.arange(1, round(view.curve.length_s / step_s)) * step_s
    inner = inner[(inner > view.first_s) & (inner < view.last_s)]
    made: Floats = np.concatenate(((view.first_s,), inner, (view.last_s,)))
    return made


def _pieces(
    bounds: Floats, corner: NDArray[np.intp], slot: int, spare: float
) -> Iterator[_Stretch]:
    """One stretch a slot; two in the slot that gives up its last corner for `spare` seconds."""
    for at, (start, end) in enumerate(pairwise(bounds.tolist())):
        place = int(corner[at])
        if at == slot and spare > _SHORTEST_S:
            yield _Stretch(start, end - spare, place)
            yield _Stretch(end - spare, end, place - 1)
        else:
            yield _Stretch(start, end, place)


def _joined(pieces: Iterator[_Stretch]) -> Iterator[_Stretch]:
    """Neighbours at one place as one; those without nodes left out."""
    before: _Stretch | None = None
    for piece in pieces:
        if piece.corner == 0 or piece.end - piece.start <= _SHORTEST_S:
            continue
        if before and before.corner == piece.corner and before.end == piece.start:
            before = before._replace(end=piece.end)
            continue
        if before:
            yield before
        before = piece
    if before:
        yield before
