"""Naming: strategies and gaps by the words the dashboard uses for them too."""

from __future__ import annotations

from lichen.ledger.show import count
from lichen.operate.watch import words

# As lichen.calls.booking writes them; a test holds the two together.
EXACT = "calls.exact"
COALESCE = "calls.coalesce"
WITHHELD = "none.sampled"
# Strategies whose entries are calls that no model had to answer.
HITS = (EXACT, COALESCE)


def strategy(name: str) -> str:
    """A strategy as people call it."""
    return words.strategy(name).title


def gap(what: str) -> str:
    """A gap as people call it."""
    return words.gap(what).title


def gap_means(what: str) -> str:
    """What a gap means, in a sentence; empty where nobody has told."""
    return words.gap(what).meaning


def calls(number: float) -> str:
    """A number of calls: 1 call, 1,024 calls."""
    return f"{count(number)} {words.times(number, 'call')}"
