"""Trial: a randomised holdout as the book has it, and what it shows.

    mean = Σ e / n        var = (Σ e² − n · mean²) / (n − 1)               e [J], one call's energy
    avoided per call = mean_held − mean_treated ± t(ν) √(v_h + v_t)    v = var / n        [J²]
    ν = (v_h + v_t)² / (v_h² / (n_h − 1) + v_t² / (n_t − 1))           degrees of freedom [1]

A share of the calls a strategy would act on is left alone at random; the difference of the arms'
means is what the strategy avoids per call, whatever its baselines claim. The interval is the 90 %
one of two independent means of unequal variance (Welch), t being Student's 95 % quantile. It is not
given where an arm has fewer than 30 calls: energies per call are skewed, and few say little.

An arm of n calls that all took 0 has no variance, which does not mean that none ever takes more:
at 95 %, up to 3 / n of them may (the rule of three), each about what a held call takes. So much is
taken off the lower bound.

The sums stand in entries of strategy "trial." + the strategy's name, without work or footprint:
totals leave them out, since the calls themselves are in the book already.

Sources: Kohavi, Tang, Xu, "Trustworthy Online Controlled Experiments", Cambridge 2020, chapter 17.
Welch, "The generalization of Student's problem", Biometrika 34 (1947). Hanley and Lippman-Hand, "If
nothing goes wrong, is everything all right?", JAMA 249 (1983).
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
_Z = 1.6448536269514722
# Calls that an arm must have before anything is said.
_LEAST = 30
# The rule of three: events of which none was seen in n are at most 3 / n, at 95 %.
_THREE = 3


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
        half = self._half
        unseen = 0.0 if self.treated.joules else _THREE / self.treated.n * self.held.mean
        return Estimate(
            Energy.joules(value),
            Energy.joules(value - half - unseen),
            Energy.joules(value + half),
            Basis.MODELLED,
        )

    @property
    def _half(self) -> float:
        """Half the width of the interval of the difference. [J]"""
        held, treated = self.held.error, self.treated.error
        both = held + treated
        if not both:
            return 0.0
        # By shares, so that tiny energies do not underflow when squared.
        freedom = 1 / (
            (held / both) ** 2 / (self.held.n - 1) + (treated / both) ** 2 / (self.treated.n - 1)
        )
        return student(freedom) * sqrt(both)


def student(freedom: float) -> float:
    """Student's 95 % quantile, so 90 % two-sided, for 10 degrees of freedom or more.

    t = z + g₁ / ν + g₂ / ν² + g₃ / ν³, right to 1e-4 at ν = 10 and to 1e-6 at ν = 29.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), 26.7.5.
    """
    z = _Z
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


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
