"""The decision: does a stored answer serve this prompt, with a bound on the error among hits.

The user asks for a bound δ on the share of wrong answers among hits, not for a threshold. A
would-be hit is scored; outcomes verified against the upstream's own answer teach the score and are
the evidence for a threshold. Below the certified threshold nothing is given, and each outcome is
known, since the upstream is asked anyway. Above it a share ε goes to the upstream all the same, by
lot, so that evidence keeps coming. Where no threshold is certified, the decider abstains and says
so.

Source: our own; docs/method/similar.md derives the bound and says what it assumes.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lichen.calls.similar.bets import upper
from lichen.calls.similar.claims import Claims
from lichen.calls.similar.combine import Combiner
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lichen.calls.similar.kinds import Kind

VERSION: Final = 4
"""The version of a decider's state; a state of another version is not taken up."""

MARGIN: Final = 0.15
"""Where no kinds are known, what is certified is below δ by this part of it, so that an audit of
the hits alone, which has an error of its own, finds them within δ too. With each kind counted once
the claims leave as much room by themselves (benchmarks/similar): δ itself is certified. [1]"""

CONFIDENCE: Final = 0.95
"""The confidence of a bound where nobody says otherwise. [1]"""

_ALARM: Final = math.log(1000)
# How often an edit teaches the score: a flood of one change of words would make it know no other.
_LESSONS: Final = 10
# Edits whose lessons are counted; a restart counts anew, since no bound hangs on the score.
_MOST_EDITS: Final = 20_000
# A bet on too many wrong ones at which its region is verified whole, until it is lost or won.
_SUSPECT: Final = math.log(20)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with one would-be hit.

    `accept`: give the stored answer. `explore`: it would be given, but the lot sends it to the
    upstream, to verify it. Neither: ask the upstream, and verify too, since it costs nothing more.
    `reason` says why; `score` is the probability that the answer serves [1]; `weight` is how many
    would-be hits an outcome of this one stands for: 1/ε where it was explored, else 1. `kind` is
    what it is one of, None where nobody said; `new` is whether it is the first of its kind.
    """

    accept: bool
    explore: bool
    reason: str
    score: float
    weight: float
    features: tuple[float, ...]
    kind: Kind | None = None
    new: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a decider stands: for the dashboard, the report and /metrics.

    `threshold` is the certified score, or None where it abstains; `verified` and `wrong` are
    outcomes above that threshold, or above the one that is nearest to being certified; `bound` is
    the upper bound of the share of wrong ones that they alone give, at one look [1].
    `explored` were verified by lot instead of given.
    """

    delta: float
    confidence: float
    threshold: float | None
    verified: int
    wrong: int
    bound: float
    explored: int
    alarms: int

    @property
    def word(self) -> str:
        """Whether it answers, in a column's words."""
        return "no safe threshold yet" if self.threshold is None else "answers"

    def __str__(self) -> str:
        seen = f"{self.verified} verified, {self.wrong} wrong, bound {100 * self.bound:.1f} %"
        if self.threshold is None:
            return f"no safe threshold at {100 * self.delta:g} % on this traffic yet: {seen}"
        asked = f"error among hits ≤ {100 * self.delta:g} %"
        return f"answers at score {self.threshold:.3f}, {asked}: {seen}"


class Decider:
    """Decides on would-be hits so that the share of wrong ones among hits stays below `delta`.

    Args:
        delta: share of wrong answers among hits that the user bears, (0, 1).
        prior: weights of the score to begin with; the first is the constant's.
        confidence: of the bound, (0, 1).
        share: part of would-be hits that is verified instead of given, (0, 1].
        draw: gives numbers evenly in [0, 1); the lottery must not depend on the traffic.
        regions: how many there are, where verdicts have kinds; each needs evidence of its own.

    Raises:
        InputError: a share that is none.
    """

    def __init__(
        self,
        delta: float,
        *,
        prior: Sequence[float],
        confidence: float = CONFIDENCE,
        share: float = 0.05,
        draw: Callable[[], float] = random.random,
        regions: int = 0,
    ) -> None:
        for name, value in (("delta", delta), ("confidence", confidence), ("share", share)):
            if not 0 < value <= 1 or (value == 1 and name != "share"):
                raise InputError(f"{name} is {value}: give a share between 0 and 1, such as 0.05")
        self._share = share
        self._draw = draw
        self._combiner = Combiner(prior)
        self._delta = delta
        self._claims = Claims(delta if regions else delta * (1 - MARGIN), confidence, regions)
        self._hits = self._explored = self._alarms = 0
        self._lessons: Counter[bytes] = Counter()
        # A bet on too many wrong ones, by region.
        self._alarm = [0.0] * max(1, regions)

    def decide(self, features: Sequence[float], kind: Kind | None = None) -> Verdict:
        """What to do with a would-be hit of these features. Draws a lot where it would be given."""
        values = tuple(features)
        score = self._combiner.score(values)
        new = self._claims.see(score, kind)
        reason = self._reason(score, kind)
        explore = reason == "served" and self._draw() < self._share
        return Verdict(
            accept=reason == "served" and not explore,
            explore=explore,
            reason="explored" if explore else reason,
            score=score,
            weight=1 / self._share if explore else 1.0,
            features=values,
            kind=kind,
            new=new,
        )

    def _reason(self, score: float, kind: Kind | None) -> str:
        """Why it would be given or not, but for the lot."""
        claims = self._claims
        if claims.place is None:
            return "abstains"
        if score < claims.all.thresholds[claims.place]:
            return "score"
        if not claims.is_open(kind):
            return "region"
        return "suspect" if self._alarm[self._region(kind)] >= _SUSPECT else "served"

    def _region(self, kind: Kind | None) -> int:
        return kind.region if kind is not None and len(self._alarm) > 1 else 0

    @property
    def hits(self) -> int:
        """Answers that were given."""
        return self._hits

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights of the score, the constant's first."""
        return self._combiner.weights

    def gave(self) -> None:
        """Count an accepted answer that was given: acceptance alone gives nothing."""
        self._hits += 1

    def learn(self, verdict: Verdict, *, correct: bool, weight: float | None = None) -> None:
        """Take in the outcome of a verdict that was verified: whether the stored answer served.

        Call it once for each verdict whose upstream answer came, accepted ones excepted, whatever
        the outcome: leaving out some by what they say would void the bound. `weight` is 1 in shadow
        mode, where all outcomes are known; left out, the verdict's own.
        """
        self._explored += verdict.explore
        self._claims.add(verdict.score, verdict.kind, correct=correct, new=verdict.new)
        if self._teaches(verdict.kind):
            self._combiner.learn(
                verdict.features,
                correct=correct,
                weight=verdict.weight if weight is None else weight,
            )
        self._watch(verdict, correct=correct)

    def _teaches(self, kind: Kind | None) -> bool:
        """Whether the score has not heard of a kind's edit too often yet."""
        if kind is None or len(self._alarm) == 1:
            return True
        if len(self._lessons) > _MOST_EDITS:
            self._lessons.clear()
        self._lessons[kind.edit] += 1
        return self._lessons[kind.edit] <= _LESSONS

    def _watch(self, verdict: Verdict, *, correct: bool) -> None:
        """Bet on more than δ wrong among would-be hits of a region; on a win, forget all.

        While the bet stands high nothing of the region is given, so that it is soon decided.
        """
        threshold = self._claims.threshold
        if threshold is None or verdict.score < threshold:
            return
        delta, region = self._delta, self._region(verdict.kind)
        bet = min(1.0, 0.5 / delta)
        gain = math.log1p(bet * ((0.0 if correct else 1.0) - delta))
        self._alarm[region] = max(0.0, self._alarm[region]) + gain
        if self._alarm[region] >= _ALARM:
            self._alarms += 1
            self._alarm = [0.0] * len(self._alarm)
            self._claims.clear()

    @property
    def certified(self) -> bool:
        """Whether any threshold is certified: cheaper than `standing`."""
        return self._claims.place is not None

    def certificate(self, kind: Kind | None = None) -> str:
        """The evidence on which answers of a kind are given, as an entry has it; empty where none.

        `lichen.calls.similar.certificate` runs it again.
        """
        return self._claims.certificate(kind)

    @property
    def standing(self) -> Standing:
        """Where it stands now."""
        claims, evidence = self._claims, self._claims.all
        place = claims.place if claims.place is not None else self._nearest()
        verified, wrong = evidence.counted(place)
        return Standing(
            self._delta,
            1 - evidence.alpha,
            claims.threshold,
            verified,
            wrong,
            upper(wrong, verified, 1 - evidence.alpha),
            self._explored,
            self._alarms,
        )

    def _nearest(self) -> int:
        """The place whose bet stands highest."""
        evidence = self._claims.all
        return max(range(len(evidence.thresholds)), key=evidence.bet)

    def state(self) -> dict[str, Any]:
        """All that was learnt, as plain values, for JSON."""
        return {
            "version": VERSION,
            "combiner": self._combiner.state(),
            "claims": self._claims.state(),
            "counts": [self._hits, self._explored, self._alarms],
            "alarm": list(self._alarm),
        }

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Take up a `state`. False, and begin anew, where it is of another version or shape."""
        if state.get("version") != VERSION or len(state["alarm"]) != len(self._alarm):
            return False
        if not self._combiner.restore(state["combiner"]):
            return False
        if not self._claims.restore(state["claims"]):
            return False
        self._hits, self._explored, self._alarms = (int(count) for count in state["counts"])
        self._alarm = [float(bet) for bet in state["alarm"]]
        return True
