"""Shown: what the step tells Prometheus and the dashboard. No question and no tenant in it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lichen.calls.step_book import OF_CPU
from lichen.ledger.errors import LichenError
from lichen.ledger.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.calls.similar.learners import Learner, Learners
    from lichen.calls.similar.looker import Looker
    from lichen.calls.similar.worth import Worth
    from lichen.calls.steps import StepParts
    from lichen.text.embeddings import EmbedderThread

_ROWS = 20
_COLUMNS = (
    "model",
    "asked error",
    "would answer",
    "given",
    "held out",
    "verified",
    "wrong",
    "error ≤",
    "says",
)
_NOTE = (
    "Verified are those at the score from which it answers, or soonest would, that were compared "
    "with the upstream's own; wrong ones said something else: that share is the measured error, "
    "with its upper bound at 95 %."
)


class Shown:
    """Counts of the step, and where its deciders stand. `watts` is a busy core's power. [W]"""

    def __init__(
        self, learners: Learners, worth: Worth, thread: EmbedderThread, watts: float
    ) -> None:
        self._learners, self._worth, self._thread = learners, worth, thread
        self.watts = watts
        self.looker: Looker | None = None
        self.hits = self.busy = 0

    def gauges(self) -> Mapping[str, float]:
        """Sums over all tenants: no label says whose they are."""
        looker = self.looker
        questions, scopes = looker.size() if looker is not None else (0, 0)
        counts = looker.counts if looker is not None else {}
        learners = self._learners.all
        standings = [learner.standing for learner in learners]
        return {
            "lichen_similar_questions": questions,
            "lichen_similar_scopes": scopes,
            "lichen_similar_looks_total": sum(counts.values()),
            "lichen_similar_looks_without_embedding_total": counts.get("nothing like it", 0),
            "lichen_similar_looks_left_out_total": self.busy,
            "lichen_similar_hits_total": self.hits,
            "lichen_similar_withheld": sum(learner.withheld for learner in learners),
            "lichen_similar_would_be_hits": sum(learner.would for learner in learners),
            "lichen_similar_verified": sum(s.verified for s in standings),
            "lichen_similar_wrong": sum(s.wrong for s in standings),
            "lichen_similar_certified": sum(s.threshold is not None for s in standings),
            "lichen_similar_off": float(bool(self._worth.reason)),
            "lichen_similar_cpu_seconds_total": self._thread.cpu_seconds,
        }

    def panels(self, unfit: int) -> Sequence[Panel]:
        """Deciders with the most traffic first, by model: tenants are not told apart.

        `unfit` answers serve no other question, and cannot be compared.
        """
        looker = self.looker
        busiest = sorted(self._learners.all, key=lambda each: -each.standing.verified)[:_ROWS]
        rows = tuple(_row(learner) for learner in busiest)
        counts = looker.counts if looker is not None else {}
        looks, asked = sum(counts.values()), counts.get("nothing like it", 0)
        note = f"{looks:,} looks, {asked:,} of them without an embedding: nothing kept was like it."
        if unfit:
            note += f" {unfit:,} answers were cut off, called a tool or did not come: not kept."
        note += f" {_NOTE}"
        if self._worth.reason:
            note = f"{self._worth.reason}. {note}"
        return [Panel("Similar questions", _COLUMNS, rows, note)]


def _row(learner: Learner) -> tuple[str, ...]:
    now = learner.standing
    return (
        learner.model or "any",
        f"{100 * learner.delta:g} %",
        f"{learner.would:,}",
        f"{learner.given:,}",
        f"{learner.withheld:,}",
        f"{now.verified:,}",
        f"{now.wrong:,}",
        f"{100 * now.bound:.1f} %",
        now.word,
    )


def busy_watts(parts: StepParts) -> float:
    """What a second of CPU time takes here. [W]"""
    with suppress(LichenError):
        reading = parts.book.pricer.reading(OF_CPU, {"cpu_seconds": 1.0})
        if reading is not None:
            return reading.energy.value.in_joules
    return 0.0
