"""DryRuns: what rules in a dry run would have spared, summed in memory and booked soon after.

The sums are of calls that really ran, so what an answer would have spared is what its call used.
They stand apart from all savings: see `lichen.ledger.dry`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from lichen.calls.gate.entries import GATE
from lichen.ledger.dry import DrySums, dry_entry

if TYPE_CHECKING:
    from lichen.calls.exchange import Exchange, Record
    from lichen.calls.gate.rulebook import Ready
    from lichen.calls.steps import StepParts
    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Energy

# Whoever tries a rule looks at the report soon.
_EVERY_US = 10_000_000


class DryRuns:
    """Sums by rule, and books them."""

    def __init__(self, parts: StepParts) -> None:
        self._parts = parts
        self._sums: dict[str, DrySums] = defaultdict(DrySums)
        self._due_us = 0

    def spared(self, ready: Ready, record: Record) -> None:
        """A call ran that the rule would have answered."""
        if record.reading is not None:
            self._of_rule(ready, record.reading.energy)

    def undone(self, ready: Ready, trial: Exchange, record: Record) -> None:
        """A call ran that the rule would have made smaller, as tried on a copy of it."""
        if record.tokens is None or trial.noted is None:
            return
        from lichen.calls.acts import Use  # noqa: PLC0415 (acts are seldom)

        calls = self._parts.book.pricer.calls
        use = Use(record.model, record.tokens, record.started_us, record.zone)
        for act in trial.noted.acts:
            more = act.undo(use).tokens
            # As much more as it would be without the act is what it would have removed.
            energy = calls.read(use.model, more).energy
            self._of_rule(ready, energy.minus_shared(calls.read(use.model, use.tokens).energy))

    def _of_rule(self, ready: Ready, energy: Estimate[Energy]) -> None:
        ready.spared.add(energy)
        self.add(ready.rule.name, energy)

    def add(self, name: str, energy: Estimate[Energy]) -> None:
        """One more call that would have spared so much. [J]"""
        self._sums[name].add(energy)
        now_us = time.time_ns() // 1000
        if self._due_us == 0:
            self._due_us = now_us + _EVERY_US
        elif now_us >= self._due_us:
            self.book()

    def tend(self) -> None:
        """Write sums that have waited long enough, though no more calls come."""
        if self._sums and time.time_ns() // 1000 >= self._due_us:
            self.book()

    def book(self) -> None:
        """Write the sums so far; what cannot be written is told and let go."""
        now_us, sums = time.time_ns() // 1000, self._sums
        self._sums, self._due_us = defaultdict(DrySums), now_us + _EVERY_US
        for name, had in sums.items():
            with suppress(Exception):
                self._parts.book.add(dry_entry(f"{GATE}:{name}", had, now_us))
