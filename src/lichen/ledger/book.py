"""Book: the ledger as its users hold it.

    book = lichen.open("lichen.db")
    book.saving(strategy="calls")      what was avoided, with its interval
    book.sci(per="request")            SCI = (E × I + M) / R
    book.prove(entry_id)               run the evidence of a saving again

Made by `lichen.open()`, which finds the store, the meters and the grid.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from lichen.ledger.errors import InputError, UnprovenSaving
from lichen.ledger.rollup import Period
from lichen.ledger.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.entry import Entry
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.ports import Store
    from lichen.ledger.pricing import Pricer
    from lichen.ledger.proof import Proof, Prover
    from lichen.ledger.recompute import Revision
    from lichen.ledger.sci import SCI
    from lichen.ledger.writer import BulkWriter


class Book:
    """A store, a way in, and the prices of the day."""

    def __init__(
        self,
        store: Store,
        pricer: Pricer,
        *,
        writer: BulkWriter | None = None,
        provers: Mapping[str, Prover] | None = None,
        zone: str = "WORLD",
    ) -> None:
        self.store = store
        self.pricer = pricer
        self.writer = writer
        self.zone = zone
        self._provers = dict(provers or {})

    def add(self, entry: Entry) -> None:
        """Take an entry: at once through the writer where there is one, else straight in."""
        if self.writer is not None:
            self.writer.put(entry)
        else:
            self.store.append([entry])

    def under_way(self, change: int) -> None:
        """So many more, or fewer, pieces of work are under way, to be counted if we are killed."""
        if self.writer is not None:
            self.writer.under_way(change)

    def note_gap(self, what: str) -> None:
        """Count something that should be in the book and is not, by the same way."""
        if self.writer is not None:
            self.writer.note_gap(what)
        else:
            self.store.note_gap(what, 1, datetime.now(UTC))

    def flush(self) -> None:
        """Wait until what was added can be read."""
        if self.writer is not None:
            self.writer.flush()

    def summary(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        period: Period = Period.MINUTE,
    ) -> Summary:
        """What the book says about a time, to the `period`; without limits, about all of it."""
        if since is None and until is None:
            period = Period.DAY
        return Summary(self.store.totals(period, since=since, until=until), self.store.gaps())

    def saving(self, *, strategy: str, since: datetime | None = None) -> Footprint:
        """What a strategy avoided: Σ (baseline − used), before lichen's own overhead."""
        return self.summary(since=since).of_strategy(strategy).saved

    def sci(self, *, per: str, since: datetime | None = None) -> SCI:
        """Carbon per unit of work, overhead included. [gCO₂e per unit]

        Raises:
            NoWorkDone: nothing was done in that unit.
        """
        return self.summary(since=since).sci(per)

    def prove(self, entry_id: str) -> Proof:
        """Run the evidence of an entry's saving again.

        Raises:
            InputError: no such entry, or no id at all.
            UnprovenSaving: the entry claims no saving, or its evidence is gone.
        """
        entry = self.store.entry(entry_id)
        if entry is None:
            raise InputError(f"no entry {entry_id} in this ledger: see `lichen report --entries`")
        baseline = entry.figures.baseline
        if baseline is None:
            raise UnprovenSaving(f"entry {entry_id} claims no saving: there is nothing to prove")
        prover = self._provers.get(baseline.method)
        if prover is None:
            known = ", ".join(sorted(self._provers)) or "none"
            raise UnprovenSaving(
                f"entry {entry_id} has a baseline by {baseline.method!r}, which nothing installed "
                f"can run again (known: {known}): install the plug-in that made it"
            )
        return prover(entry, self)

    def recompute(self, reason: str) -> Revision:
        """Price all history again with the factors of today, and say by how much it changed."""
        self.flush()
        return self.store.reprice(self.pricer, reason)

    def close(self) -> None:
        """Write what waits and release the store."""
        if self.writer is not None:
            self.writer.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
