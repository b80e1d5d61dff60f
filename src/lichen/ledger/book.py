"""Book: the ledger as its users hold it.

    book = lichen.open("lichen.db")
    book.saving(strategy="calls")      what was avoided, with its interval
    book.sci(per="request")            SCI = (E × I + M) / R
    book.measure("fit")                a window to measure: `with`, or a decorator
    book.prove(entry_id)               run the evidence of a saving again

Made by `lichen.open()`, which finds the store, the meters and the grid.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lichen.ledger.blind import Blind
from lichen.ledger.errors import InputError, StoreUnavailable, UnprovenSaving
from lichen.ledger.measurer import Measurer
from lichen.ledger.measuring import UNTOLD, Measurement
from lichen.ledger.rollup import Period
from lichen.ledger.summary import Summary
from lichen.ledger.window import Reserved, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.ledger.entry import Entry
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.ports import Store, WindowMeter
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
        meter: Callable[[], WindowMeter] | None = None,
    ) -> None:
        """Keep the book in `store`, priced by `pricer`; `meter` is made when first measured by."""
        self.store = store
        self.pricer = pricer
        self.writer = writer
        self.zone = zone
        # Where a step's own evidence lies, by its name; None where there is no place for files.
        self.file: Callable[[str], Path | None] = partial(_beside, store)
        self._provers = dict(provers or {})
        self._meter = meter
        self._measurer: Measurer | None = None
        self._measuring = threading.Lock()
        self._is_closed = False

    def add(self, entry: Entry) -> None:
        """Take an entry: at once through the writer where there is one, else straight in.

        Raises:
            StoreUnavailable: the book is closed, or its store cannot be written.
        """
        self._refuse_closed()
        if self.writer is not None:
            self.writer.put(entry)
        else:
            self.store.append([entry])

    def under_way(self, change: int) -> None:
        """So many more, or fewer, pieces of work are under way, to be counted if we are killed."""
        if self.writer is not None:
            self.writer.under_way(change)

    def reads_own(self) -> None:
        """This process books its own use from here on, to be counted as a gap if it is killed."""
        if self.writer is not None:
            self.writer.reads_own()

    def note_gap(self, what: str) -> None:
        """Count something that should be in the book and is not, by the same way."""
        if self.writer is not None:
            self.writer.note_gap(what)
        else:
            self.store.note_gap(what, 1, datetime.now(UTC))

    def measure(
        self,
        name: str,
        *,
        work: Work | None = None,
        zone: str | None = None,
        reserved: Reserved | None = None,
        sync: Callable[[], object] | None = None,
    ) -> Measurement:
        """A window to measure: enter it with `with`, or put it on a function with `@`.

        It becomes an entry with the energy of this process and all it started, carbon by the grid
        of the zone over the window, and the embodied share of the hardware held. `work` is what is
        done in it (also settable until it ends), `reserved` the hardware kept for it, `sync` waits
        for a device before it is read (torch.cuda.synchronize). It never breaks the work.

        Raises:
            InputError: `name`, `work`, `reserved` or `sync` is of another kind.
            StoreUnavailable: the book is closed.
        """
        self._refuse_closed()
        for given, kind in ((work, Work), (reserved, Reserved)):
            if given is not None and not isinstance(given, kind):
                raise InputError(f"{kind.__name__} is wanted, as {kind.__name__}(…), got {given!r}")
        if not str(name).strip() or type(name) is not str:
            raise InputError(f"a window is called something, as measure('fit'), got {name!r}")
        if sync is not None and not callable(sync):
            raise InputError(f"sync is a function that waits for a device, got {sync!r}")
        return Measurement(
            self._measures(),
            name,
            work=UNTOLD if work is None else work,
            zone=zone or self.zone,
            reserved=reserved,
            sync=sync,
        )

    def _measures(self) -> Measurer:
        """What measures, made when it is first wanted."""
        with self._measuring:
            if self._measurer is None:
                self._measurer = Measurer(_made(self._meter), self.pricer, self._write)
            return self._measurer

    def _write(self, entries: list[Entry]) -> None:
        if self.writer is None:
            self.store.append(entries)
            return
        for entry in entries:
            self.writer.put(entry)

    def flush(self) -> None:
        """Wait until what was added or measured can be read."""
        if self._measurer is not None:
            self._measurer.flush()
        if self.writer is not None:
            self.writer.flush()

    def summary(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        period: Period = Period.MINUTE,
    ) -> Summary:
        """What the book says about a time, to the `period`; without limits, about all of it.

        Raises:
            StoreUnavailable: the book is closed, or its store cannot be read.
        """
        self._refuse_closed()
        if self._measurer is not None:
            self._measurer.flush()
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
            StoreUnavailable: the book is closed, or its store cannot be read.
        """
        self._refuse_closed()
        entry = self.store.entry(entry_id)
        if entry is None:
            raise InputError(f"no entry {entry_id} in this ledger: see `lichen report --entries`")
        baseline = entry.figures.baseline
        if baseline is None:
            raise UnprovenSaving(self._nothing_of(entry))
        prover = self._provers.get(baseline.method)
        if prover is None:
            known = ", ".join(sorted(self._provers)) or "none"
            raise UnprovenSaving(
                f"entry {entry_id} has a baseline by {baseline.method!r}, which nothing installed "
                f"can run again (known: {known}): install the plug-in that made it"
            )
        return prover(entry, self)

    def _nothing_of(self, entry: Entry) -> str:
        """That an entry claims no saving, and which lines do that belong to it."""
        since = entry.window.start
        beside = self.store.entries(since=since, until=since + timedelta(microseconds=1))
        lines = [
            f"{line.id} ({line.figures.strategy})"
            for line in beside
            if (claim := line.figures.baseline) is not None
            and claim.evidence == entry.id
            and not line.figures.work.amount
        ]
        if not lines:
            return f"entry {entry.id} claims no saving: there is nothing to prove"
        return (
            f"entry {entry.id} is the call itself and claims no saving; what was spared of it "
            f"stands in lines of their own: prove {', '.join(lines)}"
        )

    def recompute(self, reason: str) -> Revision:
        """Price all history again with the factors of today, and say by how much it changed.

        Raises:
            StoreUnavailable: the book is closed, or its store cannot be written.
        """
        self._refuse_closed()
        self.flush()
        return self.store.reprice(self.pricer, reason)

    def close(self) -> None:
        """Write what waits and release the store; a second time does nothing."""
        self._is_closed = True
        if self._measurer is not None:
            self._measurer.shut()
        if self.writer is not None:
            self.writer.close()
        self.store.close()

    def _refuse_closed(self) -> None:
        if self._is_closed:
            where = str(getattr(self.store, "path", "memory:"))
            raise StoreUnavailable(
                where, "this book was closed", "open it again with lichen.open()"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _made(make: Callable[[], WindowMeter] | None) -> WindowMeter:
    """The meter of windows; where there is none, one that says that it sees nothing."""
    if make is None:
        return Blind()
    try:
        return make()
    except Exception:  # the measured program goes on, with a gap in every window
        logging.getLogger("lichen").warning("no meter can be read here", exc_info=True)
        return Blind()


def _beside(store: Store, name: str) -> Path | None:
    """A file beside a store that is one."""
    path = getattr(store, "path", None)
    return Path(f"{path}.{name}") if path is not None else None
