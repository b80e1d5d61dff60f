"""Recompute: price history again when a factor changes, and say by how much.

Entries keep their raw quantities (tokens, joules, zone, window), so a new factor can be applied to
old calls. What was written stays: a `Revision` maps old figures to new ones, says when and why, and
gives the totals before and after.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, Protocol

from lichen.ledger.estimate import Basis, Estimate, Q
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.rollup import FIRST_TRIPLE, bases_of, sums_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lichen.ledger.entry import Entry, Figures


class Pricing(Protocol):
    """Prices figures again from their raw quantities."""

    def __call__(self, figures: Figures, sample: Entry) -> Figures:
        """The figures under today's factors; the same object where nothing changes.

        `sample` is an entry that has these figures, for its time: what comes back holds for all of
        them that begin in the same minute.
        """
        ...


@dataclass(frozen=True, slots=True)
class Balance:
    """Energy and carbon used, and carbon saved, over a set of entries."""

    energy: Estimate[Energy]
    carbon: Estimate[Carbon]
    saved: Estimate[Carbon]

    @classmethod
    def over(cls, counted: Iterable[tuple[Figures, int]]) -> Balance:
        """Over figures and how many entries have each."""
        balancing = Balancing()
        for figures, count in counted:
            balancing.add(figures, count)
        return balancing.balance


class Balancing:
    """A balance as it is being added up."""

    def __init__(self) -> None:
        self._sums = [0.0] * 9
        self._used = self._saved = Basis.MEASURED

    def add(self, figures: Figures, count: int) -> None:
        """Add `count` entries that have these figures."""
        row = sums_of(figures)[FIRST_TRIPLE:]
        # energy · operational + embodied · saved operational + saved embodied
        parts = (*row[0:3], *map(add, row[3:6], row[6:9]), *map(add, row[12:15], row[15:18]))
        self._sums = [had + count * part for had, part in zip(self._sums, parts, strict=True)]
        used, saved = bases_of(figures)
        self._used, self._saved = max(self._used, Basis(used)), max(self._saved, Basis(saved))

    @property
    def balance(self) -> Balance:
        """The balance so far."""
        return Balance(
            _rounded(Energy, self._sums[0:3], self._used),
            _rounded(Carbon, self._sums[3:6], self._used),
            _rounded(Carbon, self._sums[6:9], self._saved),
        )


def _rounded(kind: type[Q], ends: list[float], basis: Basis) -> Estimate[Q]:
    """An estimate of sums that were rounded on their own: it must still hold its value."""
    value, low, high = ends
    return Estimate(kind(value), kind(min(low, value)), kind(max(high, value)), basis)


@dataclass(frozen=True, slots=True)
class Revision:
    """One pricing again of the whole book."""

    number: int
    at: datetime
    reason: str
    entries: int
    changed: int
    before: Balance
    after: Balance

    @property
    def change(self) -> float | None:
        """Relative change of the carbon used, None where there was none before."""
        before = self.before.carbon.value.in_grams
        return (self.after.carbon.value.in_grams - before) / before if before else None
