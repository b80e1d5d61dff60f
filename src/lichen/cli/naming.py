"""Naming: strategies and gaps by the words the dashboard uses for them too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.show import count
from lichen.operate.watch import words

if TYPE_CHECKING:
    from lichen.ledger.entry import Figures

# As lichen.calls.booking writes them; a test holds the two together.
EXACT = "calls.exact"
COALESCE = "calls.coalesce"
WITHHELD = "none.sampled"
OUTSIDE = words.OUTSIDE
# Entries of these strategies are calls that no model had to answer, or lines without work.
_CALLS = "calls."


def is_hit(strategy: str) -> bool:
    """Whether the calls of a strategy are such as no model had to answer."""
    return strategy.startswith(_CALLS)


def strategy(name: str) -> str:
    """A strategy as people call it."""
    return words.strategy(name).title


def answered_by(figures: Figures) -> str:
    """Who answered an entry, that it failed and how, or that it was no call."""
    return words.answered_by(figures).title


def is_known(figures: Figures) -> bool:
    """Whether what an entry used is known."""
    return words.is_known(figures)


def gap(what: str) -> str:
    """A gap as people call it."""
    return words.gap(what).title


def gap_means(what: str) -> str:
    """What a gap means, in a sentence; empty where nobody has told."""
    return words.gap(what).meaning


def calls(number: float) -> str:
    """A number of calls: 1 call, 1,024 calls."""
    return f"{count(number)} {words.times(number, 'call')}"
