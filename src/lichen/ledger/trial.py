"""Trial: a randomised holdout as the book has it, and what it shows.

    mean = Σ e / n        var = (Σ e² − n · mean²) / (n − 1)               e [J], one call's energy
    avoided per call = mean_held − mean_treated ± 1.645 √(var_h / n_h + var_t / n_t)

A share of the calls a strategy would act on is left alone at random; the difference of the arms'
means is what the strategy avoids per call, whatever its baselines claim. The interval is the 90 %
one of two independent means (Welch), and is not given where an arm has fewer than two calls.

The sums stand in entries of strategy "trial." + the strategy's name, without work or footprint:
totals leave them out, since the calls themselves are in the book already.

Source: Kohavi, Tang, Xu, "Trustworthy Online Controlled Experiments", Cambridge 2020, chapter 17.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING

from lichen.ledger.entry import TRIAL, Entry, Figures
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.footprint import Footprint
from lichen.ledger.ids import new_id
from lichen.ledger.quantities import Energy
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Iterable

_METHOD = "trial/1"
_NO_WORK = Work(0, "request")
_HELD, _TREATED = "held", "treated"
# Two-sided 90 % of a normal distribution.
_Z = 1.645
_LEAST = 2


@dataclass(slots=True)
class Sums:
    """The calls of one arm: how many, Σ energy [J] and Σ energy² [J²]."""

    n: int = 0
    joules: float = 0.0
    squares: float = 0.0

    def add(self, used: Energy) -> None:
        """One more call."""
        self.n += 1
        self.joules += used.in_joules
        self.squares += used.in_joules**2

    def merge(self, n: int, joules: float, squares: float) -> None:
        """More calls, by their sums."""
        self.n += n
        self.joules += joules
        self.squares += squares

    @property
    def mean(self) -> float:
        """Mean energy of a call. [J]"""
        return self.joules / self.n if self.n else 0.0

    @property
    def error(self) -> float:
        """Squared standard error of the mean. [J²]"""
        rest = max(0.0, self.squares - self.n * self.mean**2)
        return rest / (self.n - 1) / self.n


@dataclass(slots=True)
class Trial:
    """Both arms of a strategy's holdout."""

    strategy: str
    held: Sums = field(default_factory=Sums)
    treated: Sums = field(default_factory=Sums)

    @property
    def avoided(self) -> Estimate[Energy] | None:
        """Energy avoided per eligible call; None while an arm is too small to say."""
        if min(self.held.n, self.treated.n) < _LEAST:
            return None
        value = self.held.mean - self.treated.mean
        half = _Z * sqrt(self.held.error + self.treated.error)
        return Estimate(
            Energy.joules(value),
            Energy.joules(value - half),
            Energy.joules(value + half),
            Basis.MODELLED,
        )


def trial_entry(strategy: str, sums: Sums, at_us: int, *, held: bool) -> Entry:
    """The sums of one arm as an entry."""
    figures = Figures(
        name=_HELD if held else _TREATED,
        strategy=f"{TRIAL}{strategy}",
        work=_NO_WORK,
        footprint=Footprint.zero(),
        method=_METHOD,
        factors="",
        zone="",
        raw={"n": sums.n, "joules": sums.joules, "squares": sums.squares},
    )
    return Entry(new_id(at_us), at_us, at_us, "", figures)


def trials(entries: Iterable[Entry]) -> list[Trial]:
    """The trials that entries tell of, in order of their strategies' names."""
    found: dict[str, Trial] = {}
    for entry in entries:
        figures = entry.figures
        if not figures.strategy.startswith(TRIAL) or figures.name not in (_HELD, _TREATED):
            continue
        name = figures.strategy.removeprefix(TRIAL)
        trial = found.setdefault(name, Trial(name))
        arm = trial.held if figures.name == _HELD else trial.treated
        raw = figures.raw
        arm.merge(int(raw["n"]), float(raw["joules"]), float(raw["squares"]))
    return [found[name] for name in sorted(found)]
