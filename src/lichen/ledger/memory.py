"""MemoryStore: the book in a list, for tests and short scripts. Gone when the process ends."""

from __future__ import annotations

import bisect
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from lichen.ledger.entry import FORGOTTEN, Entry
from lichen.ledger.errors import EntryConflict
from lichen.ledger.forgetting import Forgotten
from lichen.ledger.ids import to_int
from lichen.ledger.ports import Gap
from lichen.ledger.recompute import Balance, Pricing, Revision
from lichen.ledger.rollup import Period, RollupKey, Totals, merged, roll_up, totals_of
from lichen.ledger.window import aware, from_microseconds, microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lichen.ledger.entry import Figures
    from lichen.ledger.forgetting import Oblivion

_MINUTE_US = 60_000_000


class MemoryStore:
    """Keeps the `Store` contract in memory."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._written: dict[str, Entry] = {}
        self._priced: dict[str, Entry] = {}
        self._rollups: dict[RollupKey, list[float]] = {}
        self._gaps: dict[str, Gap] = {}
        self._revisions: list[Revision] = []
        self._forgotten: list[Forgotten] = []

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries, all or none."""
        with self._lock:
            new: dict[str, Entry] = {}
            for entry in entries:
                to_int(entry.id)
                had = self._written.get(entry.id) or new.get(entry.id)
                if had is None:
                    new[entry.id] = entry
                elif had != entry and had.tenant != FORGOTTEN:
                    raise EntryConflict(entry.id)
            self._written.update(new)
            self._priced.update(new)
            for key, row in roll_up(list(new.values())).items():
                had_row = self._rollups.get(key)
                self._rollups[key] = row if had_row is None else merged(had_row, row)

    def entry(self, entry_id: str) -> Entry | None:
        """One entry as now priced."""
        to_int(entry_id)
        return self._priced.get(entry_id)

    def entries(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        strategy: str | None = None,
        newest: int | None = None,
    ) -> Iterator[Entry]:
        """Entries in order of time, or the newest n, newest first."""
        with self._lock:
            ordered = sorted(self._priced.values(), key=lambda entry: entry.id)
        times = [entry.start_us for entry in ordered]
        first = bisect.bisect_left(times, microseconds(since)) if since else 0
        last = bisect.bisect_left(times, microseconds(until)) if until else len(ordered)
        chosen = [
            entry
            for entry in ordered[first:last]
            if strategy is None or entry.figures.strategy == strategy
        ]
        if newest is None:
            return iter(chosen)
        return iter(chosen[: -newest - 1 : -1])

    def totals(
        self, period: Period, *, since: datetime | None = None, until: datetime | None = None
    ) -> list[Totals]:
        """Roll-ups of a period."""
        first = from_microseconds(0) if since is None else aware(since)
        end = None if until is None else aware(until)
        with self._lock:
            found = sorted((key, row) for key, row in self._rollups.items() if key.period == period)
        return [
            totals
            for totals in (totals_of(key, row) for key, row in found)
            if totals.start >= first and (end is None or totals.start < end)
        ]

    def note_gap(self, what: str, count: int, at: datetime) -> None:
        """Count a gap."""
        at = from_microseconds(microseconds(at))
        with self._lock:
            had = self._gaps.get(what, Gap(what, 0, at, at))
            self._gaps[what] = Gap(what, had.count + count, min(had.first, at), max(had.last, at))

    def gaps(self) -> list[Gap]:
        """All counted gaps."""
        return sorted(self._gaps.values(), key=lambda gap: gap.what)

    def reprice(self, pricing: Pricing, reason: str) -> Revision:
        """Price every entry again and rebuild the roll-ups."""
        with self._lock:
            had = list(self._priced.values())
            priced, before, after = _reprice(had, pricing)
            changed = sum(
                one.figures is not other.figures for one, other in zip(had, priced, strict=True)
            )
            revision = Revision(
                len(self._revisions) + 1,
                datetime.now(UTC),
                reason,
                len(priced),
                changed,
                before,
                after,
            )
            self._priced = {entry.id: entry for entry in priced}
            self._rollups = roll_up(priced)
            self._revisions.append(revision)
            return revision

    def forget(self, which: Oblivion, *, at_us: int) -> int:
        """Forget; how many entries say less now."""
        with self._lock:
            meant = {e.id: e for e in self._priced.values() if which.means(e)}
            for kept in (self._written, self._priced):
                kept.update({name: which.without(kept[name]) for name in meant})
            self._rollups = roll_up(list(self._priced.values()))
            number = len(self._forgotten) + 1
            contained = bool(which.contains)
            self._forgotten.append(
                Forgotten(number, at_us, which.tenant, contained, which.before_us)
            )
            return len(meant)

    def forgotten(self, after: int = 0) -> list[Forgotten]:
        """What was forgotten, from a number on, oldest first."""
        return self._forgotten[after:]

    def seal(self) -> None:
        """Name no tenant that was forgotten."""
        self._forgotten = [replace(each, tenant="") for each in self._forgotten]

    def revisions(self) -> list[Revision]:
        """Every pricing again."""
        return list(self._revisions)

    def close(self) -> None:
        """Nothing to release."""


def _reprice(entries: list[Entry], pricing: Pricing) -> tuple[list[Entry], Balance, Balance]:
    # A price depends on when: entries that share figures share new ones within a minute.
    new: dict[tuple[int, int], Figures] = {}
    priced = []
    for entry in entries:
        group = id(entry.figures), entry.start_us // _MINUTE_US
        if group not in new:
            new[group] = pricing(entry.figures, entry)
        priced.append(Entry(entry.id, entry.start_us, entry.end_us, entry.tenant, new[group]))
    before = Balance.over((entry.figures, 1) for entry in entries)
    after = Balance.over((entry.figures, 1) for entry in priced)
    return priced, before, after
