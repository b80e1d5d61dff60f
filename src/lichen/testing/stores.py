"""StoreContract: what every store of the ledger must keep.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path: Path) -> Iterator[Store]:
            store = MyStore(tmp_path / "book")
            yield store
            store.close()

The store a test is given is empty. Roll-ups are checked against sums made here entry by entry with
`Footprint`'s own addition, not with the code that made the roll-ups.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import EntryConflict
from lichen.ledger.ids import new_id
from lichen.ledger.rollup import Period
from lichen.testing.samples import MOMENT, sample_entries, sample_entry, sample_figures
from lichen.testing.store_entries import KeepsEntries
from lichen.testing.store_history import KeepsHistory
from lichen.testing.sums import assert_rolled_up

if TYPE_CHECKING:
    from lichen.ledger.entry import Entry
    from lichen.ledger.ports import Store

_PERIODS = list(Period)


class StoreContract(KeepsEntries, KeepsHistory):
    """Inherit it, and give a `store`."""

    @pytest.fixture
    def store(self) -> Store:
        """An empty store."""
        raise NotImplementedError("give StoreContract a fixture `store` that makes an empty store")

    def test_roll_ups_are_the_sums_of_the_entries(self, store: Store) -> None:
        """By minute, hour and day, with losses, gaps, baselines and the weakest basis."""
        entries = sample_entries(200, every=timedelta(minutes=11))

        for place in range(0, 200, 30):
            store.append(entries[place : place + 30])

        assert_rolled_up(store, entries)

    def test_roll_ups_count_every_entry_that_shares_figures(self, store: Store) -> None:
        """A thousand hits on one stored answer are a thousand hits."""
        figures = [sample_figures(1), sample_figures(7)]
        entries = [sample_entry(MOMENT + timedelta(seconds=n), figures[n % 2]) for n in range(1000)]

        store.append(entries[:700])
        store.append(entries[700:])

        assert_rolled_up(store, entries)

    @pytest.mark.parametrize("period", _PERIODS)
    def test_roll_ups_are_asked_for_by_when_they_start(self, store: Store, period: Period) -> None:
        """Half-open, oldest first."""
        length = timedelta(seconds=period)
        first = datetime(2026, 3, 1, tzinfo=UTC)
        figures = sample_figures()
        store.append([sample_entry(first + n * length, figures) for n in range(5)])

        found = store.totals(period, since=first + length, until=first + 3 * length)
        between = store.totals(period, since=first + length - timedelta(microseconds=1))

        assert [totals.start for totals in found] == [first + length, first + 2 * length]
        assert [totals.start for totals in between] == [first + n * length for n in range(1, 5)]

    def test_gaps_of_one_name_are_added_up(self, store: Store) -> None:
        """Count, first and last."""
        later, earlier = MOMENT + timedelta(hours=1), MOMENT - timedelta(hours=1)
        store.note_gap("lost", 2, MOMENT)
        store.note_gap("lost", 3, later)
        store.note_gap("lost", 5, earlier)

        [gap] = store.gaps()

        assert (gap.what, gap.count, gap.first, gap.last) == ("lost", 10, earlier, later)

    def test_gaps_of_different_names_stay_apart(self, store: Store) -> None:
        """In order of their names."""
        store.note_gap("refused", 1, MOMENT)
        store.note_gap("lost", 2, MOMENT)

        assert [(gap.what, gap.count) for gap in store.gaps()] == [("lost", 2), ("refused", 1)]

    def test_threads_may_write_and_read_at_once(self, store: Store) -> None:
        """Nothing is lost, nothing is read half."""
        shares = [sample_entries(60, every=timedelta(seconds=n + 1)) for n in range(4)]

        def write(share: list[Entry]) -> None:
            for place in range(0, len(share), 5):
                store.append(share[place : place + 5])

        def read(_: int) -> list[int]:
            return [
                sum(totals.entries for totals in store.totals(Period.DAY)) % 5 for _ in range(20)
            ]

        with ThreadPoolExecutor(8) as pool:
            writing = [pool.submit(write, share) for share in shares]
            left_over = list(pool.map(read, range(3)))
            for written in writing:
                written.result()

        assert left_over == [[0] * 20] * 3
        assert {e.id for e in store.entries()} == {e.id for share in shares for e in share}
        assert_rolled_up(store, [e for share in shares for e in share])

    def test_an_id_may_be_used_by_one_thread_only(self, store: Store) -> None:
        """Of several different entries with one id exactly one is written."""
        shared_id = new_id()
        rivals = [replace(sample_entry(), id=shared_id, tenant=f"tenant {n}") for n in range(6)]

        def write(entry: Entry) -> bool:
            try:
                store.append([entry])
            except EntryConflict:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            written = list(pool.map(write, rivals))

        assert sum(written) == 1
        assert list(store.entries()) == [rivals[written.index(True)]]

    def test_closing_twice_is_fine(self, store: Store) -> None:
        """Whoever cleans up need not know who else did."""
        store.append([sample_entry()])

        store.close()
        store.close()
