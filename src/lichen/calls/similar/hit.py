"""Hit: an answer to a like question given, booked, and told in its headers.

The entry's raw quantities say what the decision stood on, so that `lichen prove` can make it again:
the score's features and weights, the threshold, the evidence at it, the bound that was claimed.

    x-lichen-similar: 0553799b3a5623e3; score=0.993; error=0.05
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lichen.calls.booking import both_headers
from lichen.calls.reuse import instead, not_priced
from lichen.calls.similar.decision import VERSION
from lichen.ledger.entry import Entry

if TYPE_CHECKING:
    from lichen.calls.booking import Booker
    from lichen.calls.exchange import Exchange, Headers
    from lichen.calls.similar.decision import Standing, Verdict
    from lichen.calls.similar.index import Match
    from lichen.calls.similar.learners import Learner
    from lichen.calls.stored import Stored
    from lichen.ledger.book import Book
    from lichen.ledger.entry import Figures

SIMILAR = "calls.similar"
SIMILAR_CALL = "similar-call/1"


@dataclass(frozen=True, slots=True)
class Decision:
    """All that a hit stands on: the match, the verdict, the evidence, the weights of the score.

    `certificate` is what the threshold was certified on (`lichen.calls.similar.certificate`).
    """

    match: Match
    verdict: Verdict
    standing: Standing
    weights: tuple[float, ...]
    certificate: str

    @classmethod
    def of(cls, match: Match, verdict: Verdict, learner: Learner) -> Decision:
        """What a verdict of a learner stands on now."""
        evidence = learner.decider.certificate(verdict.kind)
        return cls(match, verdict, learner.standing, learner.weights, evidence)

    def raw(self) -> dict[str, float | str]:
        """It as raw quantities of an entry."""
        standing = self.standing
        return {
            "matched": self.match.question.key.hex()[:32],
            "cosine": self.match.cosine,
            "score": self.verdict.score,
            "features": _written(self.verdict.features),
            "weights": _written(self.weights),
            "decider": VERSION,
            "guards": "none",
            "delta": standing.delta,
            "confidence": standing.confidence,
            "threshold": standing.threshold if standing.threshold is not None else 1.0,
            "verified": standing.verified,
            "wrong": standing.wrong,
            "bound": standing.bound,
            "certificate": self.certificate,
        }


def _written(numbers: tuple[float, ...]) -> str:
    return " ".join(repr(float(number)) for number in numbers)


def book(
    parts: tuple[Book, Booker], exchange: Exchange, stored: Stored, decision: Decision
) -> tuple[str | None, Headers, Figures]:
    """Book a hit: the entry's id (None where it cannot have one), headers, figures."""
    to, booker = parts
    now_us = exchange.started_us
    entry_id = booker.new_id(now_us)
    try:
        figures = instead(to.pricer, stored.origin, now_us, (SIMILAR, SIMILAR_CALL))
    except Exception as error:  # noqa: BLE001 (the answer is at hand: it is given)
        booker.tell(error)
        figures = not_priced(stored.origin, SIMILAR)
    told = {"call": exchange.key.hex()[:32], "answer": stored.digest}
    figures = replace(figures, raw={**figures.raw, **told, **decision.raw()})
    age = max(0, (now_us - stored.stored_us) // 1_000_000)
    notes = [(b"age", b"%d" % age), (b"x-lichen-similar", _told(decision))]
    if entry_id is None:
        return None, notes, figures
    try:
        to.add(Entry(entry_id, now_us, now_us, exchange.tenant, figures))
    except Exception as error:  # noqa: BLE001 (a broken ledger must not break the call)
        booker.tell(error)
        return None, notes, figures
    if figures.baseline is not None:
        notes = [*both_headers(figures, figures.baseline), *notes]
    return entry_id, [(b"x-lichen-id", entry_id.encode()), *notes], figures


def _told(decision: Decision) -> bytes:
    """Which call's answer it is, how sure, and the share of wrong ones that was asked for."""
    return b"%b; score=%.4g; error=%g" % (
        decision.match.question.entry.encode(),
        decision.verdict.score,
        decision.standing.delta,
    )
