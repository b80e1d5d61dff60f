"""Holding: budgets are charged for calls that wait as these are taken in, and settled at their end.

A call with `x-lichen-defer` is charged by the gate on its way here. The lines of a batch are
charged when they come into the queue: all of them, or the batch fails, as one does at its provider
whose limit of tokens is reached. Charges are on disk with their calls, so that whichever process
answers, cancels or expires a call settles what another charged.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.batch.intake import Refused
from lichen.calls.gate.holds import KEPT, NoRoom
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.item import Item, Outcome
    from lichen.calls.exchange import Exchange
    from lichen.calls.gate.holds import Holds
    from lichen.calls.steps import Layers

# Charges settled in one go.
_MANY = 1000
# Lines charged before other calls have their turn.
_IN_A_ROW = 32


class Holding:
    """Charges and settles by the gate's `Holds`, where there is a gate with budgets."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._holds: Holds | None = None
        self._refused: set[str] = set()

    def joined(self, layers: Layers) -> None:
        """Find who charges."""
        found = (getattr(step, "holds", None) for step in layers.steps)
        self._holds = next((one for one in found if one is not None), None)
        if self._holds is not None:
            self._desk.charged = self._holds.kept

    def noted(self, item: Item, outcome: Outcome) -> Outcome:
        """An outcome with what it took of the item's charge."""
        if not item.held or self._holds is None or not outcome.state.ended:
            return outcome
        if outcome.record is None:
            return replace(outcome, took=KEPT) if outcome.unsure else outcome
        return replace(outcome, took=self._holds.took(item.held, outcome.record, outcome.share))

    async def charged(
        self, batch_id: str, items: Sequence[Item], as_exchange: Callable[[Item], Exchange]
    ) -> list[Item] | None:
        """The items of a batch, all charged; None where this is to be tried once more.

        Another process may charge the same batch just now, so that one refusal is none.

        Raises:
            Refused: a budget has no room for all of them; none is charged.
        """
        holds = self._holds
        if holds is None or not holds.any:
            return list(items)
        made: list[Item] = []
        try:
            for number, item in enumerate(items, 1):
                made.append(_charged(item, holds, as_exchange))
                if number % _IN_A_ROW == 0:
                    await asyncio.sleep(0)
        except NoRoom as over:
            self.give_back(made)
            if batch_id not in self._refused:
                self._refused.add(batch_id)
                return None
            self._refused.discard(batch_id)
            told = f"line {len(made) + 1} of {len(items)}: {over}"
            raise Refused(told, "over_budget", 429) from None
        except BaseException:
            self.give_back(made)
            raise
        self._refused.discard(batch_id)
        await holds.kept()
        return made

    def give_back(self, items: Iterable[Item]) -> None:
        """Items that were charged and did not come into the queue."""
        for item in items:
            if item.held and self._holds is not None:
                self._holds.settle(item.held)

    async def settle(self) -> None:
        """Settle what was charged for calls that have ended."""
        if self._holds is not None and self._holds.closed:
            return
        while over := await self._desk.work(lambda queue: queue.holds.over(_MANY)):
            if self._holds is not None:
                for held, took in over:
                    self._holds.settle(held, took)
                await self._holds.kept()


def _charged(item: Item, holds: Holds, as_exchange: Callable[[Item], Exchange]) -> Item:
    """An item with its charge; one that no model can be asked takes nothing."""
    try:
        return replace(item, held=holds.charged(as_exchange(item)))
    except InputError:
        return item
