"""Budgets: who has how much left, charged before a call goes and set right when it is back.

    a call goes where     charged + expected ≤ limit                          for all its budgets
    while it is away      charged holds what it is expected to take
    when it is back       charged holds what it took

So calls sent at once cannot overdraw a budget together: each is charged before the next is looked
at. What remains is the error of the estimates: a budget is overdrawn by at most the sum of
(took − expected) over the calls under way. A call whose use nobody can tell keeps its estimate; one
that was never sent, or that the upstream refused, is given back. What is answered from the store or
by a rule takes nothing, so that it is answered over budget too; so does a call that shares another
one under way, which alone is charged. A call that waits is charged when it is taken in (holds.py).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from lichen.calls.gate.counts import Slot
from lichen.calls.gate.fits import project_hash, project_of
from lichen.calls.gate.period import Period, period_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.calls.exchange import Exchange, Record
    from lichen.calls.gate.budget import Budget
    from lichen.calls.gate.counts import Counts
    from lichen.calls.gate.spending import Spending

# The bucket of keys beyond those that a budget keeps apart.
_OTHERS = "(others)"
_NEVER = Period(0, 0)


class Line(NamedTuple):
    """What a call is charged in one budget."""

    purse: Purse
    slot: Slot
    end: int
    expected: float


class Over(NamedTuple):
    """A budget that has no room for a call, and what is in it."""

    budget: Budget
    end: int
    charged: float
    expected: float


@dataclass(slots=True)
class Purse:
    """A budget at work: its period now, the keys it keeps apart, and what it did."""

    budget: Budget
    zone: ZoneInfo
    period: Period = _NEVER
    keys: set[str] = field(default_factory=set)
    refused: int = 0
    # The budget's own, worked out once: every call asks for them.
    of: str = field(init=False)
    limit: float = field(init=False)

    def __post_init__(self) -> None:
        self.of, self.limit = self.budget.of, self.budget.limit

    def now(self, at: float) -> Period:
        """The period of a moment [s]; worked out when one has ended."""
        if not self.period.start <= at < self.period.end:
            self.period = period_of(self.budget.per, self.zone, at)
            self.keys.clear()
        return self.period

    def bucket(self, exchange: Exchange) -> str:
        """Whose count a call goes to."""
        budget = self.budget
        if budget.each == "all":
            return budget.name
        key = exchange.payer or exchange.tenant
        if budget.each == "project":
            key = f"{key}/{project_hash(key, project_of(exchange))}"
        if key not in self.keys and len(self.keys) >= budget.most:
            key = _OTHERS
        return f"{budget.name}/{key}"

    def took(self, bucket: str) -> None:
        """A call was answered: from now on its key has a count of its own, however many come."""
        key = bucket.partition("/")[2]
        if key and key != _OTHERS:
            self.keys.add(key)


class Claim:
    """What one call has been charged; settled once, whatever becomes of it."""

    def __init__(
        self, lines: Sequence[Line], provider: str, counts: Counts, spending: Spending
    ) -> None:
        self.lines = lines
        self._provider = provider
        self._counts, self._spending = counts, spending
        self._open = True

    @property
    def written(self) -> str:
        """The charge as text (see `lichen.calls.gate.holds`)."""
        lines = [
            [one.purse.budget.name, one.purse.budget.unit, *one.slot, one.expected]
            for one in self.lines
        ]
        return json.dumps([self._provider, lines])

    def settle(self, record: Record | None) -> None:
        """The call is back: charge what it took; with no record it took nothing."""
        if not self._open:
            return
        self._open = False
        for line in self.lines:
            purse = line.purse
            took: float | None = 0.0
            if record is not None:
                currency = purse.budget.currency
                took = self._spending.taken(record, self._provider, purse.of, currency)
                purse.took(line.slot.bucket)
            if took is not None:
                self._counts.charge(line.slot, took - line.expected)

    def keep(self) -> None:
        """Nobody can tell what it took: the estimate stands."""
        self._open = False


class Budgets:
    """All budgets; `note_gap` counts calls that could not be charged."""

    def __init__(
        self,
        budgets: Sequence[Budget],
        counts: Counts,
        spending: Spending,
        note_gap: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.purses = tuple(Purse(budget, ZoneInfo(budget.zone)) for budget in budgets)
        self.counts = counts
        self.spending = spending
        self._note_gap = note_gap
        self._clock = clock
        self._pick = lru_cache(maxsize=1024)(self._picked)

    def _picked(self, kind: str, model: str) -> tuple[Purse, ...]:
        return tuple(
            purse
            for purse in self.purses
            if fnmatchcase(kind, purse.budget.route) and fnmatchcase(model, purse.budget.model)
        )

    def lines(self, exchange: Exchange) -> list[Line]:
        """What a call would be charged, in each budget that is for it; nothing is charged yet."""
        assert exchange.call is not None
        purses = self._pick(exchange.call.kind, exchange.call.model)
        return [line for purse in purses if (line := self._line(purse, exchange)) is not None]

    def claim(self, lines: Sequence[Line], provider: str) -> Claim | Over | None:
        """Charge a call; the budget that is over where one is; None where none is for it."""
        full = [over for line in lines if (over := self._over(line)) is not None]
        # Of several that are over, the one that begins anew last: before that nothing goes.
        refusing = [over for over in full if over.budget.mode == "on"]
        if refusing:
            return max(refusing, key=lambda over: over.end)
        return self.charge(lines, provider) if lines else None

    def charge(self, lines: Sequence[Line], provider: str) -> Claim:
        """Charge a call, whatever is left."""
        for line in lines:
            self.counts.charge(line.slot, line.expected)
        return Claim(lines, provider, self.counts, self.spending)

    def _line(self, purse: Purse, exchange: Exchange) -> Line | None:
        budget = purse.budget
        payer = exchange.payer or exchange.tenant
        if budget.tenant != "*" and not fnmatchcase(payer, budget.tenant):
            return None
        if budget.project != "*" and not fnmatchcase(project_of(exchange), budget.project):
            return None
        expected = self.spending.expected(exchange, purse.of, budget.currency)
        if expected is None:
            assert exchange.call is not None
            self._note_gap(f"calls not charged to a budget in {budget.unit}: no price is known")
            return None
        period = purse.now(self._clock())
        return Line(purse, Slot(purse.bucket(exchange), period.start), period.end, expected)

    def _over(self, line: Line) -> Over | None:
        charged, purse = self.counts.charged(line.slot), line.purse
        if charged + line.expected <= purse.limit:
            return None
        purse.refused += 1
        return Over(purse.budget, line.end, charged, line.expected)

    def left(self, over: Over) -> float:
        """Seconds until a budget that is over begins anew, at least 1."""
        return max(1.0, over.end - self._clock())

    def warnings(self, claim: Claim) -> list[tuple[Line, float]]:
        """The charged lines that are past their soft limit, and the share used."""
        found = []
        for line in claim.lines:
            used = self.counts.charged(line.slot) / line.purse.limit
            if used >= line.purse.budget.soft:
                found.append((line, used))
        return found
