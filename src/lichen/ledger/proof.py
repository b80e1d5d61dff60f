"""Proof: a saving's evidence, run again.

A strategy that claims savings also ships a `Prover` for its baselines' method. `Book.prove` finds
the entry, hands it over, and returns what the prover saw: each step in words, the claim and the
figure made anew, and whether they agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry, Saving

# How a step begins that says what no evidence is kept of: it neither holds nor fails.
NOT_CHECKED = "not checked: "


@dataclass(frozen=True, slots=True)
class Proof:
    """What running the evidence of a saving again showed."""

    entry: Entry
    claimed: Saving
    found: Saving
    steps: tuple[str, ...]
    holds: bool


class Prover(Protocol):
    """Runs the evidence of one method of baseline again."""

    def __call__(self, entry: Entry, book: Book) -> Proof:
        """Prove one entry's saving.

        Raises:
            UnprovenSaving: the evidence is gone.
        """
        ...
