"""Evidence that hits above a threshold are right often enough.

Scores are cut into bands. Of N_b would-be hits in band b, n_b were verified and W_b of those were
wrong; each verified one stands for ω_b = N_b/n_b. For a threshold t and the bands above it, a bet
is placed against "δ or more of the N = Σ N_b would-be hits are wrong": see `bets`.

If the claim were true, its bet E could not be expected to be above 1, so P(E ≥ 1/α) ≤ α; and while
all are verified (ω = 1), P(E ever reaches 1/α) ≤ α, whenever one looks. A threshold is certified
once its E has reached 1/α. Thresholds are tried from strict to loose in chains: a looser one counts
only after all stricter ones of its chain, which needs no correction for their number; the chains
share α.

α  what the user leaves to chance, 1 − confidence    [1]
δ  share of wrong answers among hits the user bears  [1]

Source: ours, on Ville 1939, Robbins 1970 (mixtures), Maurer, Hothorn and Lehmacher 1995 (tests in
a fixed order). docs/method/similar.md derives it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from lichen.calls.similar.bets import (
    CHAINS,
    THRESHOLDS,
    Certificate,
    Group,
    chain_level,
    chain_start,
    log_bet,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    # The counts at a threshold, and the logarithm of the bet on them.
    _Bet = tuple[tuple[Group, ...], float]


class Evidence:
    """What was verified in each band of scores, and which thresholds it certifies.

    `delta` and `confidence` as asked for; `thresholds` strict to loose: band b lies from threshold
    b up to the next stricter one. `seen`, `verified` and `wrong` count would-be hits by band.
    """

    __slots__ = (
        "_bets",
        "_certified",
        "_rising",
        "alpha",
        "delta",
        "seen",
        "thresholds",
        "verified",
        "wrong",
    )

    def __init__(
        self,
        delta: float,
        confidence: float = 0.95,
        thresholds: Sequence[float] = THRESHOLDS,
    ) -> None:
        self.delta = delta
        self.alpha = 1 - confidence
        self.thresholds = tuple(thresholds)
        self._rising = [-threshold for threshold in self.thresholds]
        self.clear()

    def clear(self) -> None:
        """Forget all outcomes: what was certified is no more."""
        count = len(self.thresholds)
        self.seen = [0] * count
        self.verified = [0] * count
        self.wrong = [0] * count
        # By chain and place: the counts when its bet reached the level.
        self._certified: dict[tuple[int, int], tuple[Group, ...]] = {}
        # Of the strictest places, as far as nothing changed there: an outcome moves looser bets.
        self._bets: list[_Bet] = []

    def band(self, score: float) -> int:
        """The band of a score; the number of bands where it is below all."""
        return bisect_left(self._rising, -score)

    def see(self, score: float) -> None:
        """Count a would-be hit, verified or not."""
        band = self.band(score)
        if band < len(self.thresholds):
            self.seen[band] += 1
            del self._bets[band:]

    def add(self, score: float, *, correct: bool) -> None:
        """Count the verified outcome of a would-be hit at `score` that was seen."""
        band = self.band(score)
        if band < len(self.thresholds):
            self.verified[band] += 1
            self.wrong[band] += not correct
            del self._bets[band:]

    def certified(self) -> int | None:
        """The place of the loosest certified threshold, or None where none is."""
        return max(self.holding(), default=None)

    def holding(self) -> set[int]:
        """The places of all certified thresholds.

        What was certified stays so until its bet has lost all it won, or the evidence is cleared.
        """
        found: set[int] = set()
        for chain in range(len(CHAINS)):
            level = chain_level(chain, self.alpha)
            place = self._start(chain)
            while place < len(self.thresholds) and self._holds(chain, place, level):
                found.add(place)
                place += 1
        return found

    def _start(self, chain: int) -> int:
        return self.band(chain_start(chain, self.delta, self.thresholds)[0])

    def certificate(self, place: int) -> Certificate | None:
        """What certified a threshold; None where nothing did."""
        for chain in range(len(CHAINS)):
            places = range(self._start(chain), place + 1)
            steps = [(p, self._certified.get((chain, p))) for p in places]
            if steps and all(groups is not None for _, groups in steps):
                made = tuple((self.thresholds[p], groups or ()) for p, groups in steps)
                return Certificate(chain, made)
        return None

    def _holds(self, chain: int, place: int, level: float) -> bool:
        """Whether a threshold is certified in a chain: its bet reached the level, and stands."""
        groups, bet = self._bet(place)
        was = (chain, place) in self._certified
        stands = bet >= (0.0 if was else level)
        if stands and not was:
            self._certified[chain, place] = groups
        elif not stands:
            self._certified.pop((chain, place), None)
        return stands

    def bet(self, place: int) -> float:
        """The logarithm of the bet at a threshold; far below 0 where nothing was verified."""
        return self._bet(place)[1]

    def _bet(self, place: int) -> _Bet:
        """The counts and the bet at a threshold, worked out where they changed."""
        while len(self._bets) <= place:
            groups = self._groups(len(self._bets))
            self._bets.append((groups, log_bet(groups, self.delta)))
        return self._bets[place]

    def counted(self, place: int) -> tuple[int, int]:
        """Would-be hits above a threshold that were verified, and those that were wrong."""
        return sum(self.verified[: place + 1]), sum(self.wrong[: place + 1])

    def _groups(self, place: int) -> tuple[Group, ...]:
        """The bands above a threshold; one of which nothing was verified goes with the next looser.

        Those at the loose end go with the group before them.
        """
        found: list[Group] = []
        seen = 0
        for band in range(place + 1):
            seen += self.seen[band]
            if self.verified[band]:
                found.append(Group(seen, self.verified[band], self.wrong[band]))
                seen = 0
        if seen and found:
            found[-1] = found[-1]._replace(seen=found[-1].seen + seen)
        return tuple(found)

    def state(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {
            "thresholds": list(self.thresholds),
            "seen": list(self.seen),
            "verified": list(self.verified),
            "wrong": list(self.wrong),
            "certified": [
                [chain, place, [list(group) for group in groups]]
                for (chain, place), groups in sorted(self._certified.items())
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Take up a `state`; False, and nothing taken, where its thresholds are others."""
        if list(self.thresholds) != list(state.get("thresholds", ())):
            return False
        self.seen = [int(value) for value in state["seen"]]
        self.verified = [int(value) for value in state["verified"]]
        self.wrong = [int(value) for value in state["wrong"]]
        self._bets = []
        self._certified = {
            (int(chain), int(place)): tuple(Group(*map(int, group)) for group in groups)
            for chain, place, groups in state["certified"]
        }
        return True
