"""Holds: what calls that wait were charged, as text that outlives the process.

    taken in      charged + expected ≤ limit, or refused; the charge stands while the call waits
    answered      charged is set right by what it took, in the period in which it was taken in
    given up      what was charged is given back; kept where the call may have been sent

A charge is a JSON text, [provider, [[budget, unit, bucket, start, expected], …]]. So is what was
taken: an amount for each line, null where the estimate stands. Nothing is charged when such a call
is sent at last, whichever way it goes. A budget that is gone from the settings, or counts in
another unit now, is passed over.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from lichen.calls.gate.budgets import Over
from lichen.calls.gate.counts import Slot
from lichen.calls.gate.refusal import told_over

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.calls.exchange import Exchange, Record
    from lichen.calls.gate.budgets import Budgets, Purse

# The estimate stands: nobody can tell what was taken.
KEPT = "null"


class NoRoom(Exception):  # noqa: N818 (named for what it is)
    """A budget has no room for a call; its text says which, and until when."""


class Holds:
    """Charges calls that are left to wait, and settles what was charged."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets

    @property
    def any(self) -> bool:
        """Whether there are budgets at all."""
        return bool(self._budgets.purses)

    @property
    def closed(self) -> bool:
        """Whether nothing that is settled here would be kept any more."""
        return self._budgets.counts.closed

    def charged(self, exchange: Exchange) -> str:
        """What a call is charged from now on; empty where no budget is for it.

        Raises:
            NoRoom: a budget is over; nothing is charged.
        """
        claim = self._budgets.claim(self._budgets.lines(exchange), exchange.provider)
        if isinstance(claim, Over):
            raise NoRoom(told_over(claim, self._budgets.left(claim)))
        return claim.written if claim is not None else ""

    def took(self, held: str, record: Record, share: float) -> str:
        """What an answered call took of what it was charged; `share` is its price over the list's.

        [1]
        """
        provider, lines = json.loads(held)
        amounts = [self._amount(line, record, provider, share) for line in lines]
        return json.dumps(amounts)

    def _amount(self, line: Any, record: Record, provider: str, share: float) -> float | None:
        purse = self._purse(*line[:2])
        if purse is None:
            return None
        budget = purse.budget
        took = self._budgets.spending.taken(record, provider, budget.of, budget.currency)
        return took * share if took is not None and budget.of == "money" else took

    def settle(self, held: str, took: str = "") -> None:
        """Set right what was charged; give it back where nothing was taken."""
        _, lines = json.loads(held)
        amounts = json.loads(took or "0")
        for (name, unit, bucket, start, expected), amount in _each(lines, amounts):
            purse = self._purse(name, unit)
            if purse is None or amount is None:
                continue
            if took:
                purse.took(bucket)
            self._budgets.counts.charge(Slot(bucket, start), amount - expected)

    async def kept(self) -> None:
        """Have on disk what was charged and settled so far.

        A charge is there before its call is, and what was settled soon after its charge is gone: a
        kill in between leaves a budget charged too much for its period, and never too little.
        """
        await asyncio.to_thread(self._budgets.counts.share)

    def _purse(self, name: str, unit: str) -> Purse | None:
        budgets = (purse for purse in self._budgets.purses if purse.budget.name == name)
        return next((purse for purse in budgets if purse.budget.unit == unit), None)


def _each(lines: list[Any], amounts: Any) -> Iterator[tuple[Any, float | None]]:
    """Each line and what was taken of it: one amount for each, or one for all."""
    many = amounts if isinstance(amounts, list) else [amounts] * len(lines)
    return zip(lines, many, strict=True)
