"""Claims that have to be refuted, all of them, before an answer may be given.

    1. δ or more of all would-be hits above the threshold are wrong
    2. δ or more of them are wrong, each kind counted once in a band of scores
    3. 3/2 δ or more of those of its region are wrong, each kind counted once

The first is about the traffic as it was. A flood of easy, near-identical repeats is few kinds, so
that the second is not refuted by it; and whatever part of the traffic a region becomes later, the
third holds its own error. Giving where all three are refuted needs no more evidence for each than
giving where one is (a test of a union of claims by the tests of each).

Source: ours; Berger 1982 for tests of a union. docs/method/similar.md derives it.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any

from lichen.calls.similar import certificate
from lichen.calls.similar.bets import WIDER, Group, log_bet
from lichen.calls.similar.evidence import Evidence
from lichen.calls.similar.kinds import SeenKinds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.similar.kinds import Kind


class Claims:
    """What was verified, and the threshold from which answers may be given.

    With `regions` of 0 only the first claim is made: for verdicts that have no kind.
    """

    def __init__(self, delta: float, confidence: float, regions: int = 0) -> None:
        self.all = Evidence(delta, confidence)
        self.kinds = Evidence(delta, confidence)
        self._seen = SeenKinds()
        self._regions = [Evidence(WIDER * delta, confidence) for _ in range(regions)]
        self._own: dict[tuple[int, int], Group] = {}
        self.place: int | None = None
        self._open: set[int] = set()

    def clear(self) -> None:
        """Forget all outcomes and kinds."""
        self.all.clear()
        self.kinds.clear()
        self._seen.clear()
        self._own.clear()
        for region in self._regions:
            region.clear()
        self.place, self._open = None, set()

    @property
    def threshold(self) -> float | None:
        """The certified threshold, None where none is."""
        return None if self.place is None else self.all.thresholds[self.place]

    def is_open(self, kind: Kind | None) -> bool:
        """Whether the region of a would-be hit has enough evidence of its own."""
        return kind is None or not self._regions or kind.region in self._open

    def see(self, score: float, kind: Kind | None) -> bool:
        """Count a would-be hit, verified or not; whether its kind is new."""
        self.all.see(score)
        if not self._regions:
            return True
        if kind is not None and not self._seen.is_new(self.all.band(score), kind):
            return False
        self.kinds.see(score)
        return True

    def add(self, score: float, kind: Kind | None, *, correct: bool, new: bool) -> None:
        """Take in an outcome of a would-be hit that was seen, and look what it certifies."""
        self.all.add(score, correct=correct)
        if self._regions and new:
            self.kinds.add(score, correct=correct)
            if kind is not None:
                self._regions[kind.region].add(score, correct=correct)
        self.look()

    def look(self) -> None:
        """Find the loosest threshold at which all claims are refuted."""
        places = self.all.holding()
        if self._regions and places:
            places &= self.kinds.holding()
        self.place = max(places, default=None)
        self._open = set()
        if self.place is not None:
            self._open = {r for r in range(len(self._regions)) if self._holds(r, self.place)}

    def _holds(self, region: int, place: int) -> bool:
        """Whether a region's own evidence holds at a threshold: verified ones alone, unweighted.

        Those above a certified threshold that were not verified lie higher than those that were, so
        that weighing them would only better it.
        """
        of, known = self._regions[region], (region, place) in self._own
        verified, wrong = of.counted(place)
        if not verified:
            return False
        group = Group(verified, verified, wrong)
        stands = log_bet((group,), of.delta) >= (0.0 if known else math.log(1 / of.alpha))
        if stands and not known:
            self._own[region, place] = group
        elif not stands:
            self._own.pop((region, place), None)
        return stands

    def certificate(self, kind: Kind | None) -> str:
        """The evidence on which answers of a kind may be given; empty where they may not."""
        place = self.place
        made = None if place is None else self.all.certificate(place)
        if place is None or made is None:
            return ""
        if not self._regions:
            return certificate.written(made)
        of_kinds = self.kinds.certificate(place)
        own = self._own.get((kind.region, place)) if kind is not None else None
        if of_kinds is None or (kind is not None and own is None):
            return ""
        return certificate.written(made, of_kinds, own)

    def state(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        of_regions = {
            "kinds": self.kinds.state(),
            "seen": self._seen.state(),
            "regions": [region.state() for region in self._regions],
            "own": [[*key, *group] for key, group in self._own.items()],
        }
        return {"all": self.all.state(), **(of_regions if self._regions else {})}

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Take up a `state`; False where it is of another shape."""
        if not self.all.restore(state["all"]):
            return False
        if self._regions and not self._restore_kinds(state):
            return False
        self.look()
        return True

    def _restore_kinds(self, state: Mapping[str, Any]) -> bool:
        states = state.get("regions", ())
        if len(states) != len(self._regions) or not self.kinds.restore(state["kinds"]):
            return False
        try:
            self._seen.restore(state["seen"])
        except zlib.error as error:
            raise ValueError(str(error)) from error
        self._own = {(int(r), int(place)): Group(*map(int, g)) for r, place, *g in state["own"]}
        return all(of.restore(kept) for of, kept in zip(self._regions, states, strict=True))
