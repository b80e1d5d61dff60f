"""Learners: one decider for each tenant, model and bound that was asked for.

Evidence of one tenant's traffic says nothing of another's, and one could spoil it for the other; so
each has its own, and begins by abstaining.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lichen.calls.similar.decision import Decider
from lichen.calls.similar.verify import PRIOR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.similar.decision import Standing, Verdict

# Deciders in memory; the one that was not used for longest goes, and begins anew.
_MOST = 1024


@dataclass(slots=True)
class Learner:
    """A decider, whose it is, and what it would have given in shadow mode.

    `refused` counts by guard, `energy_j` is what right would-be hits would have spared. [J]
    """

    owner: str
    model: str
    decider: Decider
    would: int = 0
    would_checked: int = 0
    would_wrong: int = 0
    energy_j: float = 0.0
    dirty: bool = False

    @property
    def name(self) -> str:
        """Its name where it is kept."""
        return f"{self.owner}\n{self.model}\n{self.decider.standing.delta!r}"

    def learn(self, verdict: Verdict, *, correct: bool, spared_j: float) -> None:
        """Take in whether a stored answer served; in shadow mode an accepted one, too. [J]"""
        self.decider.learn(verdict, correct=correct)
        if verdict.accept or verdict.explore:
            self.would_checked += 1
            self.would_wrong += not correct
        if correct:
            self.energy_j += spared_j
        self.dirty = True

    def state(self) -> dict[str, Any]:
        """All of it as plain values, for JSON; `standing` is for whoever only shows it."""
        return {
            "decider": self.decider.state(),
            "counts": [self.would, self.would_checked, self.would_wrong, self.energy_j],
            "standing": str(self.decider.standing),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state; begin anew where it cannot be read."""
        try:
            if self.decider.restore(state["decider"]):
                would, checked, wrong, energy_j = state["counts"]
                self.would, self.would_checked, self.would_wrong = would, checked, wrong
                self.energy_j = float(energy_j)
        except (KeyError, TypeError, ValueError, IndexError):
            return


class Learners:
    """Deciders by name; `make` gives a new one for a bound."""

    def __init__(self, explore: float, make: Callable[..., Decider] = Decider) -> None:
        self._explore, self._make = explore, make
        self._learners: OrderedDict[tuple[str, str, float], Learner] = OrderedDict()
        self._kept: dict[str, Mapping[str, Any]] = {}

    def load(self, kept: Mapping[str, Mapping[str, Any]]) -> None:
        """What was learnt before: taken up by each when it is first asked for."""
        self._kept = dict(kept)

    def of(self, owner: str, model: str, delta: float) -> Learner:
        """The learner for a tenant's calls to a model, and the bound asked for."""
        found = self._learners.get((owner, model, delta))
        if found is not None:
            self._learners.move_to_end((owner, model, delta))
            return found
        decider = self._make(delta, prior=PRIOR, share=self._explore)
        made = self._learners[owner, model, delta] = Learner(owner, model, decider)
        state = self._kept.pop(made.name, None)
        if state is not None:
            made.restore(state)
        if len(self._learners) > _MOST:
            self._learners.popitem(last=False)
        return made

    @property
    def all(self) -> list[Learner]:
        """Those in memory."""
        return list(self._learners.values())

    @property
    def dirty(self) -> list[Learner]:
        """Those that learnt something since they were kept; they count as kept now."""
        found = [learner for learner in self._learners.values() if learner.dirty]
        for learner in found:
            learner.dirty = False
        return found


def standing_of(learner: Learner) -> Standing:
    """Where its decider stands now."""
    return learner.decider.standing
