"""What every store keeps of entries: part of StoreContract, see stores.py."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from lichen.ledger.errors import EntryConflict, InputError, NaiveTime
from lichen.ledger.rollup import Period
from lichen.testing.samples import (
    MOMENT,
    full_figures,
    sample_entries,
    sample_entry,
    sample_figures,
)
from lichen.testing.strategies import entries as any_entry
from lichen.testing.sums import assert_rolled_up

if TYPE_CHECKING:
    from lichen.ledger.entry import Entry
    from lichen.ledger.ports import Store

_NOBODY = "0000000000000000"


class KeepsEntries:
    """Entries come back as they were written, in order, once each."""

    def test_an_appended_entry_is_found_by_its_id(self, store: Store) -> None:
        """Write one, read it."""
        entry = sample_entry()

        store.append([entry])

        assert store.entry(entry.id) == entry

    def test_an_id_nobody_used_finds_nothing(self, store: Store) -> None:
        """None, not an error."""
        store.append([sample_entry()])

        assert store.entry(_NOBODY) is None

    def test_what_is_no_id_is_refused(self, store: Store) -> None:
        """A mistyped id is told apart from one that nobody used."""
        with pytest.raises(InputError, match="no entry id"):
            store.entry("the last one")

    def test_appending_nothing_is_fine(self, store: Store) -> None:
        """An idle writer may flush nothing."""
        store.append([])

        assert list(store.entries()) == []
        assert store.totals(Period.DAY) == []

    def test_entries_come_oldest_first_however_they_came_in(self, store: Store) -> None:
        """Order is by time, not by arrival."""
        entries = sample_entries(40)
        shuffled = random.Random(5).sample(entries, len(entries))  # noqa: S311 (an order, no secret)

        store.append(shuffled[:15])
        store.append(shuffled[15:])

        assert list(store.entries()) == entries

    def test_more_entries_than_any_page_come_once_each(self, store: Store) -> None:
        """Paging neither loses nor repeats."""
        figures = sample_figures()
        entries = [sample_entry(MOMENT + timedelta(seconds=n), figures) for n in range(2501)]

        store.append(entries)

        assert [entry.id for entry in store.entries()] == [entry.id for entry in entries]

    def test_since_is_within_and_until_is_without(self, store: Store) -> None:
        """Half-open, so that neighbouring reports share no entry."""
        entries = sample_entries(6, every=timedelta(minutes=1))
        store.append(entries)

        found = store.entries(since=entries[1].window.start, until=entries[4].window.start)

        assert list(found) == entries[1:4]

    def test_a_microsecond_tells_entries_apart(self, store: Store) -> None:
        """Ids count milliseconds, times do not."""
        entries = sample_entries(3, every=timedelta(microseconds=1))
        store.append(entries)

        assert list(store.entries(since=entries[1].window.start)) == entries[1:]
        assert list(store.entries(until=entries[1].window.start)) == entries[:1]

    def test_entries_of_one_strategy_are_found_alone(self, store: Store) -> None:
        """Exactly that strategy."""
        entries = sample_entries(20)
        store.append(entries)

        found = list(store.entries(strategy="calls.exact"))

        assert found == [e for e in entries if e.figures.strategy == "calls.exact"]
        assert found

    def test_the_newest_come_newest_first(self, store: Store) -> None:
        """As a page shows them."""
        entries = sample_entries(10)
        store.append(entries)

        assert list(store.entries(newest=3)) == entries[:-4:-1]

    def test_the_newest_of_more_than_there_are_is_all(self, store: Store) -> None:
        """No error, no repetition."""
        entries = sample_entries(3)
        store.append(entries)

        assert list(store.entries(newest=10)) == entries[::-1]
        assert list(store.entries(newest=0)) == []

    def test_the_newest_keep_to_every_other_filter(self, store: Store) -> None:
        """Filters first, then the newest of what is left."""
        entries = sample_entries(30)
        store.append(entries)
        until = entries[20].window.start

        found = list(store.entries(until=until, strategy="none", newest=2))

        assert found == [e for e in entries[:20] if e.figures.strategy == "none"][:-3:-1]

    def test_a_time_without_a_zone_is_refused(self, store: Store) -> None:
        """Nobody can tell which hour it means."""
        naive = MOMENT.replace(tzinfo=None)

        with pytest.raises(NaiveTime):
            list(store.entries(since=naive))
        with pytest.raises(NaiveTime):
            store.totals(Period.HOUR, until=naive)
        with pytest.raises(NaiveTime):
            store.note_gap("something", 1, naive)

    def test_an_entry_with_everything_in_it_is_read_back_the_same(self, store: Store) -> None:
        """Water, money, raw quantities, gaps, baseline, bases, odd characters."""
        entry = sample_entry(figures=full_figures())

        store.append([entry])

        assert store.entry(entry.id) == entry

    @settings(
        max_examples=40,
        deadline=None,
        # One store takes every example, and one contract is run by many classes: both are meant.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(entry=any_entry())
    def test_every_entry_is_read_back_the_same(self, store: Store, entry: Entry) -> None:
        """Whatever can be said can be kept."""
        store.append([entry])

        assert store.entry(entry.id) == entry

    def test_the_same_entry_twice_counts_once(self, store: Store) -> None:
        """A writer that cannot know whether it wrote may write again."""
        entries = sample_entries(5)

        store.append(entries)
        store.append(entries[2:])

        assert list(store.entries()) == entries
        assert_rolled_up(store, entries)

    def test_the_same_entry_twice_at_once_counts_once(self, store: Store) -> None:
        """Also within one call."""
        entry = sample_entry()

        store.append([entry, entry])

        assert list(store.entries()) == [entry]
        assert_rolled_up(store, [entry])

    def test_new_entries_beside_known_ones_are_written(self, store: Store) -> None:
        """Nothing new is lost because something was not new."""
        entries = sample_entries(8)
        store.append(entries[:4])

        store.append(entries[2:])

        assert list(store.entries()) == entries
        assert_rolled_up(store, entries)

    def test_an_id_with_other_contents_is_a_conflict(self, store: Store) -> None:
        """And what was there stays."""
        entry = sample_entry()
        store.append([entry])

        with pytest.raises(EntryConflict, match=entry.id):
            store.append([replace(entry, tenant="somebody else")])

        assert store.entry(entry.id) == entry

    def test_a_conflict_writes_nothing_of_what_came_with_it(self, store: Store) -> None:
        """All or none."""
        entry, *others = sample_entries(6)
        store.append([entry])

        with pytest.raises(EntryConflict):
            store.append([*others[:3], replace(entry, end_us=entry.end_us + 1), *others[3:]])

        assert list(store.entries()) == [entry]
        assert_rolled_up(store, [entry])

    def test_after_a_conflict_the_others_can_be_written(self, store: Store) -> None:
        """Nothing of the refused call is left half remembered."""
        entry, *others = sample_entries(6)
        store.append([entry])
        with pytest.raises(EntryConflict):
            store.append([*others, replace(entry, tenant="somebody else")])

        store.append(others)

        assert list(store.entries()) == [entry, *others]
        assert_rolled_up(store, [entry, *others])
