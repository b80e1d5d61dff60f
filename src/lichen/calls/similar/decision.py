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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lichen.calls.similar import certificate
from lichen.calls.similar.combine import Combiner
from lichen.calls.similar.evidence import Evidence, upper
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

VERSION: Final = 3
"""The version of a decider's state; a state of another version is not taken up."""

MARGIN: Final = 0.15
"""What is certified is below δ by this part of it, so that an audit of the hits alone, which has
an error of its own, finds them within δ too. [1]"""

CONFIDENCE: Final = 0.95
"""The confidence of a bound where nobody says otherwise. [1]"""

_ALARM: Final = math.log(1000)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with one would-be hit.

    `accept`: give the stored answer. `explore`: it would be given, but the lot sends it to the
    upstream, to verify it. Neither: ask the upstream, and verify too, since it costs nothing more.
    `reason` says why; `score` is the probability that the answer serves [1]; `weight` is how many
    would-be hits an outcome of this one stands for: 1/ε where it was explored, else 1.
    """

    accept: bool
    explore: bool
    reason: str
    score: float
    weight: float
    features: tuple[float, ...]


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
    ) -> None:
        for name, value in (("delta", delta), ("confidence", confidence), ("share", share)):
            if not 0 < value <= 1 or (value == 1 and name != "share"):
                raise InputError(f"{name} is {value}: give a share between 0 and 1, such as 0.05")
        self._share = share
        self._draw = draw
        self._combiner = Combiner(prior)
        self._delta = delta
        self._evidence = Evidence(delta * (1 - MARGIN), confidence)
        self._place: int | None = None
        self._hits = self._explored = self._alarms = 0
        self._alarm = 0.0

    def decide(self, features: Sequence[float]) -> Verdict:
        """What to do with a would-be hit of these features. Draws a lot where it would be given."""
        values = tuple(features)
        score = self._combiner.score(values)
        self._evidence.see(score)
        if self._place is None:
            return Verdict(False, False, "abstains", score, 1.0, values)  # noqa: FBT003
        if score < self._evidence.thresholds[self._place]:
            return Verdict(False, False, "score", score, 1.0, values)  # noqa: FBT003
        if self._draw() < self._share:
            return Verdict(False, True, "explored", score, 1 / self._share, values)  # noqa: FBT003
        return Verdict(True, False, "served", score, 1.0, values)  # noqa: FBT003

    @property
    def hits(self) -> int:
        """Answers that were given."""
        return self._hits

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
        self._evidence.add(verdict.score, correct=correct)
        self._combiner.learn(
            verdict.features,
            correct=correct,
            weight=verdict.weight if weight is None else weight,
        )
        self._watch(verdict.score, correct=correct)
        self._place = self._evidence.certified()

    def _watch(self, score: float, *, correct: bool) -> None:
        """Bet on more than δ wrong among would-be hits; on a win, forget: the traffic changed."""
        if self._place is None or score < self._evidence.thresholds[self._place]:
            return
        delta = self._delta
        bet = min(1.0, 0.5 / delta)
        gain = math.log1p(bet * ((0.0 if correct else 1.0) - delta))
        self._alarm = max(0.0, self._alarm) + gain
        if self._alarm >= _ALARM:
            self._alarms += 1
            self._alarm = 0.0
            self._evidence.clear()

    @property
    def certified(self) -> bool:
        """Whether any threshold is certified: cheaper than `standing`."""
        return self._place is not None

    @property
    def certificate(self) -> str:
        """The evidence on which its threshold was certified, as an entry has it; empty where none.

        `lichen.calls.similar.certificate` runs it again.
        """
        made = None if self._place is None else self._evidence.certificate(self._place)
        return "" if made is None else certificate.written(made)

    @property
    def standing(self) -> Standing:
        """Where it stands now."""
        evidence = self._evidence
        place = self._place if self._place is not None else self._nearest()
        verified, wrong = evidence.counted(place)
        return Standing(
            self._delta,
            1 - evidence.alpha,
            None if self._place is None else evidence.thresholds[place],
            verified,
            wrong,
            upper(wrong, verified, 1 - evidence.alpha),
            self._explored,
            self._alarms,
        )

    def _nearest(self) -> int:
        """The place whose bet stands highest."""
        return max(range(len(self._evidence.thresholds)), key=self._evidence.bet)

    def state(self) -> dict[str, Any]:
        """All that was learnt, as plain values, for JSON."""
        return {
            "version": VERSION,
            "combiner": self._combiner.state(),
            "evidence": self._evidence.state(),
            "counts": [self._hits, self._explored, self._alarms],
            "alarm": self._alarm,
        }

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Take up a `state`. False, and begin anew, where it is of another version or shape."""
        if state.get("version") != VERSION:
            return False
        if not self._combiner.restore(state["combiner"]):
            return False
        if not self._evidence.restore(state["evidence"]):
            return False
        self._hits, self._explored, self._alarms = (int(count) for count in state["counts"])
        self._alarm = float(state["alarm"])
        self._place = self._evidence.certified()
        return True
