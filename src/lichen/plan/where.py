"""Where: which site, and when there.

    carbon = E × PUE × I(site, when) + data × k × I(way)        [gCO₂e]

E     energy of the job at its machines                                      [kWh]
PUE   energy of the data centre over that of its computers; where one site's is
      not known it is left out of all of them, and the plan says so           [1]
I     carbon intensity of the site's zone, over the running time             [gCO₂e/kWh]
data  what has to be moved there                                             [GB]
k     energy of moving it over the network, 0.002 to 0.06                    [kWh/GB]
way   half of that energy is drawn in each of the two zones

Sites that a limit rules out are not planned; a site that does not say what a limit asks is ruled
out too, since unknown is not fine. Region choice is worth 3 to 5 times what shifting in time is,
where a cleaner zone is allowed. The time that moving takes is not planned: release the job later.

Sources: ISO/IEC 30134-2:2016 (PUE). k: J. Aslan, K. Mayers, J. Koomey, C. France, "Electricity
Intensity of Internet Data Transmission", Journal of Industrial Ecology 22(4), 2018: 0.06 kWh/GB
in 2015 for fixed lines, halved every two years (0.002 by 2025); Sustainable Web Design Model 4,
2024: network, operational, 0.059 kWh/GB. The middle is the geometric mean of both ends, assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.errors import InputError, SignalUnavailable
from lichen.ledger.estimate import Basis, Estimate, price, zero
from lichen.ledger.quantities import Carbon, Energy, Money
from lichen.ledger.show import quantity
from lichen.ledger.window import aware
from lichen.plan.curve import of_zone, one_kind
from lichen.plan.policy import Shift
from lichen.plan.replan import Progress, comparable, kept, left_of, whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from lichen.ledger.signal import GridSignal
    from lichen.plan.job import Job
    from lichen.plan.plan import Plan
    from lichen.plan.policy import Policy
    from lichen.plan.replan import Replan

# Source: the module's docstring.
TRANSFER_PER_GB: Estimate[Energy] = Estimate(
    Energy.kwh(0.011), Energy.kwh(0.002), Energy.kwh(0.06), Basis.ASSUMED
)


# What a plan says that left PUE out, since that of a site is not known.
PUE_UNKNOWN = "pue-unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place where the job could run. What is not known of it stays out.

    `pue` is a ratio with its interval [1], all None where it is not known; `areas` are those whose
    law the site is under, such as {"DE", "EU"}; `latency` is from where the job's users are;
    `hardware` what it offers, such as {"h100"}; `price` of an hour of the job.

    Raises:
        InputError: 1 ≤ low ≤ pue ≤ high does not hold, or not all three are given.
    """

    name: str
    zone: str
    pue: float | None = None
    pue_low: float | None = None
    pue_high: float | None = None
    areas: frozenset[str] = frozenset()
    latency: timedelta | None = None
    hardware: frozenset[str] = frozenset()
    price: Money | None = None

    def __post_init__(self) -> None:
        """Refuse a PUE that cannot be."""
        given = [each for each in (self.pue_low, self.pue, self.pue_high) if each is not None]
        ordered = given == sorted(given) and all(1 <= each < float("inf") for each in given)
        if given and not (len(given) == len(("low", "value", "high")) and ordered):
            raise InputError(
                f"the PUE of {self.name} must keep 1 ≤ low ≤ value ≤ high, got {self.pue_low}, "
                f"{self.pue}, {self.pue_high}"
            )

    def placed(self, job: Job) -> Job:
        """The job as it would run here: in this zone, its power that at the meter (× PUE). [W]

        Where the PUE is not known the power stays that of the computers.
        """
        power, pause = job.power, job.pause
        low, pue, high = self.pue_low, self.pue, self.pue_high
        if low is None or pue is None or high is None:
            return replace(job, zone=self.zone)
        drawn = Estimate(
            power.value * pue,
            power.low * low,
            power.high * high,
            max(power.basis, Basis.MODELLED),
        )
        if pause:
            pause = replace(pause, energy=pause.energy * pue, idle=pause.idle * pue)
        return replace(job, power=drawn, zone=self.zone, pause=pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a site must keep; what is None or empty is not asked.

    `residency`: one of these areas; `latency`: at most; `hardware`: all of it; `price`: at most.
    """

    residency: frozenset[str] = frozenset()
    latency: timedelta | None = None
    hardware: frozenset[str] = frozenset()
    price: Money | None = None

    def why_not(self, site: Site) -> str:
        """Why a site is ruled out; empty where it is not.

        Raises:
            UnitError: prices are in two currencies.
        """
        reasons = []
        if self.residency and not self.residency & site.areas:
            reasons.append(f"residency: {_names(site.areas)} is not in {_names(self.residency)}")
        if self.latency is not None and (site.latency is None or site.latency > self.latency):
            most = _said(self.latency)
            reasons.append(f"latency: {_said(site.latency)}, {most} at most")
        if not self.hardware <= site.hardware:
            reasons.append(f"hardware: no {_names(self.hardware - site.hardware)}")
        if self.price is not None and (site.price is None or site.price > self.price):
            reasons.append(f"price: {_said(site.price)}, {_said(self.price)} at most")
        return "; ".join(reasons)


def _names(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "unknown"


def _said(value: timedelta | Money | None) -> str:
    if value is None:
        return "unknown"
    return quantity(value) if isinstance(value, Money) else f"{1000 * value.total_seconds():g} ms"


class Verdict(NamedTuple):
    """A site with its plan, or with why it has none."""

    site: Site
    plan: Plan | None
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The best site, and the best time there.

    `home` is where the job would run if nobody planned, and where its data lies: `data_gb` [GB].
    Running now is at home, so if home keeps the limits no plan emits more than that. `when` plans
    within each site. Where the PUE of one of them is not known, none is counted, for an unknown one
    would count as the best there is; the plan's gaps say so.

    Raises:
        InputError: there is no site, two have one name, or the data is negative.
    """

    sites: tuple[Site, ...]
    home: Site
    limits: Limits = field(default_factory=Limits)
    data_gb: float = 0.0
    when: Policy = field(default_factory=Shift)
    transfer: Estimate[Energy] = TRANSFER_PER_GB

    def __post_init__(self) -> None:
        """Refuse what cannot be chosen from."""
        names = [site.name for site in self.sites]
        if not names or len(set(names)) < len(names):
            raise InputError(f"sites need one name each, got {names}")
        if not 0 <= self.data_gb < float("inf"):
            raise InputError(f"data must be 0 GB or more, got {self.data_gb}")

    def plan(self, job: Job, signals: Sequence[GridSignal]) -> Plan:
        """The plan of the site that emits least; of equals the first.

        Raises:
            InputError: every site is ruled out or has no signal; each is named with why.
            UnitError: as `Policy.plan`, or prices are in two currencies.
            SignalUnavailable: no signal covers running now at home.
        """
        verdicts = self.verdicts(job, signals)
        plans = [verdict.plan for verdict in verdicts if verdict.plan]
        if not plans:
            reasons = "; ".join(f"{one.site.name}: {one.why_not}" for one in verdicts)
            raise InputError(f"no site can run the job: {reasons}. Widen a limit or add a site")
        return min(plans, key=lambda plan: plan.expected.value.in_grams)

    def again(
        self, job: Job, plan: Plan, signals: Sequence[GridSignal], *, now: datetime, replan: Replan
    ) -> Plan:
        """The plan of a placed job that still waits: the same `plan` where nothing is to change.

        It goes to another site, or runs at another time, where that is worth it by `replan`, moving
        the data counted on both sides. In a window of a day a plan is kept.

        Raises:
            UnitError: as `Replan.again`.
            SignalUnavailable: as `Replan.again`; keep the old plan.
            NaiveTime: `now` has no time zone.
            InputError: the plan is in no zone of a site.
        """
        here = next((site for site in self.sites if site.zone == plan.zone), None)
        if here is None:
            raise InputError(f"the plan is in {plan.zone}, where none of the sites is")
        comparable(plan, signals)
        rest = left_of(job, max(aware(now), job.release), Progress())
        if rest is None:
            return plan
        left = self._like_all(here).placed(rest)
        best = replace(self.plan(rest, signals), latest_safe_start=job.latest_safe_start)
        if not whole(left, plan):
            return best
        if job.window <= replan.commit:
            return plan
        cost = kept(left, plan, signals) + self._moving(here, plan, signals)
        return best if replan.worth(cost, best) else plan

    def _like_all(self, site: Site) -> Site:
        """A site with its PUE, or without where not all of them are known."""
        known = all(each.pue is not None for each in (self.home, *self.sites))
        return site if known else replace(site, pue=None, pue_low=None, pue_high=None)

    def verdicts(self, job: Job, signals: Sequence[GridSignal]) -> list[Verdict]:
        """Every site with its plan, or with why it has none, in the order given.

        Raises:
            UnitError: as `plan`.
            SignalUnavailable: no signal covers running now at home.
        """
        one_kind(signals)
        known = all(site.pue is not None for site in (self.home, *self.sites))
        home = self.when.plan(self._like_all(self.home).placed(job), signals)
        gaps = () if known else (PUE_UNKNOWN,)
        made = []
        for site in self.sites:
            why_not = self.limits.why_not(site)
            if why_not:
                made.append(Verdict(site, None, why_not))
                continue
            try:
                planned = self._there(self._like_all(site), job, signals)
            except SignalUnavailable as error:
                made.append(Verdict(site, None, str(error)))
            else:
                made.append(Verdict(site, _beside(home, planned, gaps)))
        return made

    def _there(self, site: Site, job: Job, signals: Sequence[GridSignal]) -> Plan:
        """The best time at a site, moving the data counted."""
        planned = self.when.plan(site.placed(job), signals)
        moved = self._moving(site, planned, signals)
        return replace(
            planned, expected=planned.expected + moved, method=f"place/1 {planned.method}"
        )

    def _moving(self, site: Site, planned: Plan, signals: Sequence[GridSignal]) -> Estimate[Carbon]:
        """Carbon of moving the data there when the job starts. [gCO₂e]"""
        if site.name == self.home.name or not self.data_gb:
            return zero(Carbon)
        half = self.transfer * (self.data_gb / 2)
        zones = (self.home.zone, site.zone)
        ends = [of_zone(zone, signals).at(planned.start) for zone in zones]
        return price(half, ends[0]) + price(half, ends[1])


def _beside(home: Plan, planned: Plan, gaps: tuple[str, ...]) -> Plan:
    """A plan elsewhere beside running now at home: both signals stand behind it."""
    return replace(
        planned,
        run_now=home.run_now,
        sources=tuple(dict.fromkeys((*planned.sources, *home.sources))),
        issued_at=min(planned.issued_at, home.issued_at),
        gaps=(*planned.gaps, *gaps),
    )
