"""Account: what a job used and would have used, in pieces of one energy, each with its intensity.

    used     = Σ over stretches  E·s_i × PUE(zone) × I(when it ran)
             + Σ over pauses     P_idle·t_i × PUE(zone) × I(pause)  +  data moved to another zone
    baseline = E·(D_kept / D_ran) × PUE(home) × I(run-now)

E       energy of all running at the machines, of restarts and of work done twice too   [J]
PUE     of a place that the job could choose, as its plan counts it; else 1             [1]
s_i     the stretch's share of it, Σ s_i = 1                            [1]
P_idle  power while stopped in memory, where the user said it           [W]
D_ran   wall time of all stretches, D_kept that whose work was kept     [s]
I       mean intensity over a piece's time                              [gCO₂e/kWh]

Windows that the job's command measured into the same ledger (`lichen measure`, a hook, a book) have
entries of their own, which hold the share b of E, at the machines. The job's entry leaves it out on
both sides, so that each joule is in one entry and the saving stays that of the whole job:

    used     − b·E × Σ s_i·I(when it ran)        b = min(1, Σ E of the windows / E)     [1]
    baseline − b·E × Σ s_i·I(when it ran)

Run-now and used are of one energy, so errors are shared within a zone. Where they lie in different
zones, the errors of two grids are not, and the gap `interval-across-zones` makes the interval wide.

An account is kept whole in its entry's raw quantities, so that `lichen recompute` can price it
again without the job and without a grid. What a grid emitted is an observation: it stays, and
`lichen prove` asks for it again.

Source: docs/method/savings.md, "A job that was shifted".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lichen.ledger.entry import ACROSS_ZONES, OWN, WINDOW, Baseline, Figures
from lichen.ledger.estimate import Basis, Estimate, price, zero
from lichen.ledger.footprint import Footprint
from lichen.ledger.quantities import Carbon, CarbonIntensity, Energy
from lichen.ledger.window import Work
from lichen.train.green.plain import estimate_from_plain, estimate_to_plain
from lichen.train.green.pue import PUE_UNKNOWN, Pue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from lichen.ledger.entry import Entry
    from lichen.ledger.ports import CallReading, Store

    # Energy and embodied carbon of a CPU time [s]; the process meter's `reading_of_cpu` is one.
    CpuReading: TypeAlias = Callable[[float], CallReading]

STRATEGY = "train.green"
METHOD = "settlement/1"
RUN_NOW = "run-now/1"
UNIT = "training run"
# How the energy is known, the best first.
BY_METER, BY_POWER, BY_CPU, BY_GUESS = "meter", "power named", "cpu seconds", "power assumed"
# The grid's source has no actual values of a part, and never will.
ESTIMATED = "actuals-estimated"
# What a piece is of.
RAN, IDLE, MOVED, NOW = "ran", "idle", "moved", "run now"
# A process may be up before the runner saw it: so much earlier windows of the job may have begun.
_BEFORE = timedelta(hours=1)
# Nobody knows what a job drew: as of one whose end was not seen.
ASSUMED = "power-assumed"
_GAPS = {
    BY_METER: ("embodied-unknown",),
    BY_POWER: ("embodied-unknown",),
    BY_CPU: ("energy-of-cpu-alone",),
    BY_GUESS: (ASSUMED, "embodied-unknown"),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A time in a zone with its intensity, and how much of the energy fell into it.

    `share` is of the running energy [1]; `own` is energy of its own, not from running. Both are at
    the machines; `pue` is that of the place, None where it is not counted.
    """

    what: str
    start: datetime
    end: datetime
    zone: str
    intensity: Estimate[CarbonIntensity]
    share: float = 0.0
    own: Estimate[Energy] | None = None
    pue: Pue | None = None

    def energy(self, running: Estimate[Energy], less: float = 0.0) -> Estimate[Energy]:
        """The energy of the piece at the meter [J], `less` a share of the machines' running. [1]"""
        if self.own is not None:
            return self.pue.of(self.own) if self.pue else self.own
        if self.pue:
            return self.pue.of(running, less) * self.share
        return running * (1.0 - less) * self.share

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it: gCO₂e/kWh, J."""
        return {
            "what": self.what,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "zone": self.zone,
            "g_per_kwh": estimate_to_plain(self.intensity),
            "share": self.share,
            "own_j": estimate_to_plain(self.own) if self.own else None,
            **({"pue": self.pue.to_plain()} if self.pue else {}),
        }

    @classmethod
    def from_plain(cls, said: dict[str, Any]) -> Piece:
        """The piece that `to_plain` wrote."""
        return cls(
            said["what"],
            datetime.fromisoformat(said["start"]),
            datetime.fromisoformat(said["end"]),
            said["zone"],
            estimate_from_plain(CarbonIntensity, said["g_per_kwh"]),
            said["share"],
            estimate_from_plain(Energy, said["own_j"]) if said["own_j"] else None,
            Pue(*said["pue"]) if "pue" in said else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A job's energy and its pieces; `how` says where the energy is from.

    `energy` [J] stands where it is not made from `cpu_s` [s]. Without a piece that is NOW nothing
    was saved or lost: the job did not end well. `source` is who said what the grid emitted;
    `estimated`, that no actual values of a part of it are published. `booked` is the share of the
    energy that entries of the job's own windows hold [1]; `pue_left_out`, that the job could choose
    among places of which one has no known PUE.
    """

    job: str
    how: str
    pieces: tuple[Piece, ...]
    source: str
    energy: Estimate[Energy] | None = None
    cpu_s: float | None = None
    work: float = 1.0
    booked: float = 0.0
    estimated: bool = False
    pue_left_out: bool = False

    def figures(self, reading: CpuReading, factors: str) -> Figures:
        """The account priced; `factors` names the tables behind `reading`."""
        running, embodied = self._running(reading)
        ran = [piece for piece in self.pieces if piece.what != NOW]
        now = [piece for piece in self.pieces if piece.what == NOW]
        baseline, raw, rest = None, self.to_raw(), 1.0 - self.booked
        if now:
            share = sum(piece.share for piece in now)
            instead = _footprint(now, running, embodied * share)
            if self.booked:
                raw["run_now_g"] = instead.operational.value.in_grams
                # Windows hold energy at the machines: what the building added stays here.
                held = [replace(piece, pue=None) for piece in ran if piece.own is None]
                booked = _footprint(held, running * self.booked, embodied * self.booked)
                instead = instead.minus_shared(booked)
            baseline = Baseline(instead, RUN_NOW, self.job)
        first = max(ran, key=lambda piece: piece.share)
        return Figures(
            name="training",
            strategy=STRATEGY,
            work=Work(self.work, UNIT),
            footprint=_footprint(ran, running, embodied * rest, self.booked),
            method=METHOD,
            factors=factors if self.how == BY_CPU else self.how,
            zone=first.zone,
            raw=raw,
            baseline=baseline,
            gaps=(
                *_GAPS[self.how],
                *(ESTIMATED,) * self.estimated,
                *(PUE_UNKNOWN,) * self.pue_left_out,
                *(ACROSS_ZONES,) * _is_across(ran, now),
            ),
        )

    def without(self, store: Store, reading: CpuReading) -> Account:
        """Without what the job's own windows have booked in `store`, and lichen's own inside it.

        Raises:
            StoreUnavailable: the ledger cannot be read.
        """
        since = min(piece.start for piece in self.pieces if piece.what == RAN) - _BEFORE
        booked = sum(
            entry.figures.footprint.energy.value.in_joules
            for strategy in (WINDOW, OWN)
            for entry in store.entries(since=since, strategy=strategy)
            if entry.figures.raw.get("job") == self.job
        )
        whole = self._running(reading)[0].value.in_joules
        return replace(self, booked=min(1.0, booked / whole)) if booked and whole else self

    def _running(self, reading: CpuReading) -> tuple[Estimate[Energy], Estimate[Carbon]]:
        if self.energy is not None:
            return self.energy, zero(Carbon)
        found = reading(self.cpu_s or 0.0)
        return found.energy, found.embodied

    def to_raw(self) -> dict[str, float | str]:
        """As an entry's raw quantities."""
        made: dict[str, float | str] = {
            "job": self.job,
            "energy_from": self.how,
            "intensity_from": self.source,
            "pieces": json.dumps([piece.to_plain() for piece in self.pieces]),
        }
        if self.energy is not None:
            made["energy"] = json.dumps(estimate_to_plain(self.energy))
        if self.cpu_s is not None:
            made["cpu_seconds"] = self.cpu_s
        if self.booked:
            made["booked_share"] = self.booked
        return made

    @classmethod
    def from_figures(cls, figures: Figures) -> Account:
        """The account that an entry was made from."""
        raw = figures.raw
        energy = raw.get("energy")
        cpu_s = raw.get("cpu_seconds")
        return cls(
            job=str(raw["job"]),
            how=str(raw["energy_from"]),
            pieces=tuple(Piece.from_plain(each) for each in json.loads(str(raw["pieces"]))),
            source=str(raw["intensity_from"]),
            energy=None if energy is None else estimate_from_plain(Energy, json.loads(str(energy))),
            cpu_s=None if cpu_s is None else float(cpu_s),
            work=figures.work.amount,
            booked=float(raw.get("booked_share", 0.0)),
            estimated=ESTIMATED in figures.gaps,
            pue_left_out=PUE_UNKNOWN in figures.gaps,
        )


def reprice(
    figures: Figures,
    sample: Entry,  # noqa: ARG001 (its pieces have times of their own)
    *,
    reading: CpuReading,
    factors: Callable[[], str],
) -> Figures:
    """A settlement under today's factors; the same object where nothing changes."""
    now = Account.from_figures(figures).figures(reading, factors())
    now = replace(now, raw={**figures.raw, **now.raw} if "run_now_g" in now.raw else figures.raw)
    return figures if now == figures else now


def _is_across(ran: list[Piece], now: list[Piece]) -> bool:
    """Whether it ran in another zone than it would have run in."""
    return bool(now) and len({piece.zone for piece in (*ran, *now)}) > 1


def _footprint(
    pieces: Iterable[Piece],
    running: Estimate[Energy],
    embodied: Estimate[Carbon],
    less: float = 0.0,
) -> Footprint:
    total = None
    for piece in pieces:
        energy = piece.energy(running, less)
        made = Footprint(energy, price(energy, piece.intensity), zero(Carbon))
        total = made if total is None else total + made
    assert total is not None
    return replace(total, embodied=embodied)


def watts_for(amount: Estimate[Any], seconds: float) -> Estimate[Energy]:
    """A power over a time. [J]"""
    ends = (amount.value, amount.low, amount.high)
    value, low, high = (Energy.joules(end.in_watts * seconds) for end in ends)
    return Estimate(value, low, high, amount.basis)


def exactly(watts: float, seconds: float) -> Estimate[Energy]:
    """A power that a user named, over a time. [J]"""
    return Estimate.exact(Energy.joules(watts * seconds), Basis.ASSUMED)
