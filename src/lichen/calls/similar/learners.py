"""Learners: one decider for each tenant, model and bound that was asked for.

Evidence of one tenant's traffic says nothing of another's, and one could spoil it for the other; so
each has its own, and begins by abstaining.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lichen.calls.similar.decision import Decider
from lichen.calls.similar.erasing import is_meant
from lichen.calls.similar.kinds import REGIONS
from lichen.calls.similar.verify import PRIOR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.forget import Forget
    from lichen.calls.similar.decision import Standing, Verdict

# Deciders in memory; the one that was not used for longest goes, and begins anew.
_MOST = 1024


@dataclass(slots=True)
class Learner:
    """A decider for the calls of `owner` to `model` on a bound `delta`, and what it has seen.

    In shadow mode `would` counts the answers it would have given. Otherwise its decider counts
    those given, and `withheld` those that it accepted and that the holdout left alone. How many
    were compared with the upstream's own, and how many of them were wrong, its standing says.
    `spared_j` is what would-be hits that were right would have spared. [J]
    """

    owner: str
    model: str
    delta: float
    decider: Decider
    would: int = 0
    withheld: int = 0
    spared_j: float = 0.0
    dirty: bool = False
    _standing: Standing | None = None

    @property
    def name(self) -> str:
        """Its name where it is kept."""
        return f"{self.owner}\n{self.model}\n{self.delta!r}"

    @property
    def standing(self) -> Standing:
        """Where its decider stands; worked out once after each outcome."""
        if self._standing is None:
            self._standing = self.decider.standing
        return self._standing

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights of the decider's score."""
        return self.decider.weights

    @property
    def given(self) -> int:
        """Answers that were given."""
        return self.decider.hits

    def gave(self) -> None:
        """Count an answer that was given."""
        self.decider.gave()
        self.dirty = True

    def withhold(self) -> None:
        """Count an answer that was accepted and that the holdout left alone."""
        self.withheld += 1
        self.dirty = True

    def learn(
        self, verdict: Verdict, *, correct: bool, spared_j: float, weight: float | None = None
    ) -> None:
        """Take in whether a stored answer served; in shadow mode an accepted one, too. [J]

        `weight` as `Decider.learn` has it: 1 in shadow mode.
        """
        self.decider.learn(verdict, correct=correct, weight=weight)
        if correct:
            self.spared_j += spared_j
        self.dirty, self._standing = True, None

    def state(self) -> dict[str, Any]:
        """All of it as plain values, for JSON; `standing` is for whoever only shows it."""
        return {
            "decider": self.decider.state(),
            "counts": [self.would, self.withheld],
            "spared_j": self.spared_j,
            "standing": str(self.standing),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state; begin anew where it cannot be read."""
        try:
            if self.decider.restore(state["decider"]):
                # Older ones hold two more between them, which the evidence says as well.
                counts = [int(n) for n in state["counts"]]
                self.would, self.withheld = counts[0], counts[-1]
                self.spared_j = float(state["spared_j"])
                self._standing = None
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
        decider = self._make(delta, prior=PRIOR, share=self._explore, regions=len(REGIONS))
        made = self._learners[owner, model, delta] = Learner(owner, model, delta, decider)
        state = self._kept.pop(made.name, None)
        if state is not None:
            made.restore(state)
        if len(self._learners) > _MOST:
            self._learners.popitem(last=False)
        return made

    def forget(self, which: Forget) -> None:
        """Let go of deciders that are meant: they begin anew."""
        for key in [key for key in self._learners if is_meant(which, *key[:2])]:
            del self._learners[key]
        self._kept = {
            name: state
            for name, state in self._kept.items()
            if not is_meant(which, *name.split("\n")[:2])
        }

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
