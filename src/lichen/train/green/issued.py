"""Issued: signals and plans as JSON, so that a forecast can be looked at later as it was issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lichen.ledger.estimate import Basis
from lichen.ledger.quantities import Carbon
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.train.green.plain import estimate_from_plain, estimate_to_plain

if TYPE_CHECKING:
    from lichen.plan.plan import Plan

# How a job is planned whose hours are all alike: there is nothing to choose.
LEVEL = "level/1"
# As `lichen.plan.policy.Shift` calls them.
CONTIGUOUS, INTERRUPTIBLE = "contiguous/1", "interruptible/1"


@dataclass(frozen=True, slots=True)
class Planning:
    """A time at which a job was planned: why, the plan (None: run now), the forecasts it saw."""

    at: datetime
    why: str
    plan: Plan | None
    signals: tuple[GridSignal, ...]

    def method(self, deadline: datetime) -> str:
        """The plan's method as what came of it: `level/1` where no hour is better; empty: no plan.

        A job that may pause and is not going to runs in one piece.
        """
        if self.plan is None:
            return ""
        ahead = {
            value
            for one in self.signals
            if one.zone == self.plan.zone
            for value in one.values[: max(1, -(-(deadline - one.start) // one.step))]
        }
        where, _, when = self.plan.method.rpartition(" ")
        if len(ahead) == 1:
            when = LEVEL
        elif when == INTERRUPTIBLE and len(self.plan.segments) == 1:
            when = CONTIGUOUS
        return f"{where} {when}".strip()

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "at": self.at.isoformat(),
            "why": self.why,
            "plan": plan_to_plain(self.plan) if self.plan else None,
            "signals": [signal_to_plain(signal) for signal in self.signals],
        }

    @classmethod
    def from_plain(cls, said: dict[str, Any]) -> Planning:
        """The planning that `to_plain` wrote."""
        return cls(
            datetime.fromisoformat(said["at"]),
            said["why"],
            plan_from_plain(said["plan"]) if said["plan"] else None,
            tuple(signal_from_plain(signal) for signal in said["signals"]),
        )


def signal_to_plain(signal: GridSignal) -> dict[str, Any]:
    """A signal: intensities in gCO₂e/kWh, the step in seconds."""
    return {
        "zone": signal.zone,
        "kind": signal.kind.value,
        "basis": signal.basis.name.lower(),
        "source": signal.source,
        "issued_at": signal.issued_at.isoformat(),
        "start": signal.start.isoformat(),
        "step_s": signal.step.total_seconds(),
        "values": list(signal.values),
        "lows": list(signal.lows),
        "highs": list(signal.highs),
    }


def signal_from_plain(said: dict[str, Any]) -> GridSignal:
    """The signal that `signal_to_plain` wrote."""
    return GridSignal(
        zone=said["zone"],
        kind=SignalKind(said["kind"]),
        basis=Basis[said["basis"].upper()],
        source=said["source"],
        issued_at=datetime.fromisoformat(said["issued_at"]),
        start=datetime.fromisoformat(said["start"]),
        step=timedelta(seconds=said["step_s"]),
        values=tuple(said["values"]),
        lows=tuple(said["lows"]),
        highs=tuple(said["highs"]),
    )


def plan_to_plain(plan: Plan) -> dict[str, Any]:
    """A plan: carbon in gCO₂e."""
    return {
        "segments": [
            {
                "start": segment.start.isoformat(),
                "end": segment.end.isoformat(),
                "zone": segment.zone,
                "nodes": segment.nodes,
            }
            for segment in plan.segments
        ],
        "expected_g": estimate_to_plain(plan.expected),
        "run_now_g": estimate_to_plain(plan.run_now),
        "avoided_g": estimate_to_plain(plan.avoided),
        "avoided_share": plan.share,
        "latest_safe_start": plan.latest_safe_start.isoformat(),
        "method": plan.method,
        "kind": plan.kind.value,
        "sources": list(plan.sources),
        "issued_at": plan.issued_at.isoformat(),
        "gaps": list(plan.gaps),
    }


def plan_from_plain(said: dict[str, Any]) -> Plan:
    """The plan that `plan_to_plain` wrote."""
    from lichen.plan.plan import Plan, Segment  # noqa: PLC0415 (a package that loads on use)

    at = datetime.fromisoformat
    return Plan(
        segments=tuple(
            Segment(at(each["start"]), at(each["end"]), each["zone"], each["nodes"])
            for each in said["segments"]
        ),
        expected=estimate_from_plain(Carbon, said["expected_g"]),
        run_now=estimate_from_plain(Carbon, said["run_now_g"]),
        latest_safe_start=at(said["latest_safe_start"]),
        method=said["method"],
        kind=SignalKind(said["kind"]),
        sources=tuple(said["sources"]),
        issued_at=at(said["issued_at"]),
        gaps=tuple(said["gaps"]),
    )
