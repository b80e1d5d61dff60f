"""What every store keeps of history priced again: part of StoreContract, see stores.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import EntryConflict, InputError
from lichen.testing.samples import (
    MOMENT,
    hourly,
    sample_entries,
    sample_entry,
    sample_figures,
    scaled,
    unchanged,
)
from lichen.testing.sums import assert_rolled_up

if TYPE_CHECKING:
    from lichen.ledger.entry import Entry, Figures
    from lichen.ledger.ports import Store


class KeepsHistory:
    """A new price shows everywhere, and what was written is kept."""

    def test_repricing_replaces_what_entries_say(self, store: Store) -> None:
        """Every read shows the new price."""
        entries = sample_entries(20)
        store.append(entries)

        store.reprice(scaled(2), "the grid was dirtier than known")

        expected = [replace(e, figures=scaled(2)(e.figures, e)) for e in entries]
        assert list(store.entries()) == expected
        assert store.entry(entries[3].id) == expected[3]

    def test_repricing_rebuilds_the_roll_ups(self, store: Store) -> None:
        """They equal the sums of what the entries now say."""
        figures = sample_figures(1)
        shared = [sample_entry(MOMENT + timedelta(minutes=n), figures) for n in range(90)]
        entries = shared + sample_entries(60, every=timedelta(minutes=31))
        store.append(entries)

        store.reprice(scaled(3), "new factors")

        assert_rolled_up(store, [replace(e, figures=scaled(3)(e.figures, e)) for e in entries])

    def test_a_revision_says_by_how_much(self, store: Store) -> None:
        """Before, after, how many entries, how many changed."""
        entries = sample_entries(20)
        store.append(entries)

        revision = store.reprice(scaled(1.5), "new factors")

        used = sum(e.figures.footprint.carbon.value.in_grams for e in entries)
        assert (revision.number, revision.reason) == (1, "new factors")
        assert (revision.entries, revision.changed) == (20, 20)
        assert revision.before.carbon.value.in_grams == pytest.approx(used)
        assert revision.change == pytest.approx(0.5)

    def test_a_price_list_that_changes_nothing_changes_nothing(self, store: Store) -> None:
        """And says so."""
        entries = sample_entries(20)
        store.append(entries)

        revision = store.reprice(unchanged, "only looking")

        assert (revision.entries, revision.changed, revision.change) == (20, 0, 0)
        assert list(store.entries()) == entries
        assert_rolled_up(store, entries)

    def test_what_was_first_written_is_kept_under_a_revision(self, store: Store) -> None:
        """The entry as written is still known as the same; another one is still a conflict."""
        entry = sample_entry()
        store.append([entry])
        store.reprice(scaled(2), "new factors")

        store.append([entry])

        assert len(list(store.entries())) == 1
        with pytest.raises(EntryConflict):
            store.append([replace(entry, figures=scaled(2)(entry.figures, entry))])

    def test_history_can_be_priced_again_and_again(self, store: Store) -> None:
        """Each revision starts from the one before it."""
        entries = sample_entries(20)
        store.append(entries)

        store.reprice(scaled(2), "first")
        second = store.reprice(scaled(4), "second")

        assert second.number == len(store.revisions())
        assert second.change == pytest.approx(3)
        again = [replace(e, figures=scaled(8)(e.figures, e)) for e in entries]
        assert_rolled_up(store, again)
        assert store.entry(entries[0].id) == again[0]

    def test_a_revision_may_leave_some_as_they_were(self, store: Store) -> None:
        """Also where an earlier revision had changed them."""
        entries = sample_entries(20)
        store.append(entries)
        store.reprice(scaled(2), "all")

        def large_only(figures: Figures, sample: Entry) -> Figures:
            return scaled(5)(figures, sample) if figures.model == "large" else figures

        revision = store.reprice(large_only, "large models")

        doubled = [replace(e, figures=scaled(2)(e.figures, e)) for e in entries]
        now = [replace(e, figures=large_only(e.figures, e)) for e in doubled]
        assert revision.changed == sum(e.figures.model == "large" for e in entries)
        assert list(store.entries()) == now
        assert_rolled_up(store, now)

    def test_revisions_are_kept_in_order(self, store: Store) -> None:
        """As they were returned, to the microsecond."""
        store.append(sample_entries(5))

        made = [store.reprice(scaled(2), "first"), store.reprice(unchanged, "second")]

        assert store.revisions() == made

    def test_an_entry_after_a_revision_counts_as_it_says(self, store: Store) -> None:
        """Even if it says the same as one that was priced again."""
        figures = sample_figures()
        before = sample_entry(figures=figures)
        store.append([before])
        store.reprice(scaled(2), "new factors")

        after = sample_entry(MOMENT + timedelta(seconds=1), figures)
        store.append([after])

        now = [replace(before, figures=scaled(2)(figures, before)), after]
        assert list(store.entries()) == now
        assert_rolled_up(store, now)

    def test_entries_that_share_figures_get_the_price_of_their_own_time(self, store: Store) -> None:
        """Hits share figures while the grid is flat; with a trace each hour has its carbon."""
        shared = [sample_figures(1), sample_figures(4)]
        entries = [
            sample_entry(MOMENT + timedelta(minutes=20 * n), shared[n % 2]) for n in range(90)
        ]
        store.append(entries)

        revision = store.reprice(hourly, "a trace came")

        now = [replace(e, figures=hourly(e.figures, e)) for e in entries]
        saved = sum(e.saving.footprint.carbon.value.in_grams for e in now if e.saving)
        assert list(store.entries()) == now
        assert [store.entry(e.id) for e in now[::7]] == now[::7]
        assert_rolled_up(store, now)
        assert revision.after.saved.value.in_grams == pytest.approx(saved)
        assert (revision.entries, revision.changed) == (90, sum(e not in entries for e in now))

    def test_prices_of_their_own_time_can_be_changed_again(self, store: Store) -> None:
        """Each entry starts from the price it had, and minutes that go on keep theirs."""
        figures = sample_figures(1)
        entries = [sample_entry(MOMENT + timedelta(minutes=20 * n), figures) for n in range(90)]
        store.append(entries)

        def in_the_morning(figures: Figures, sample: Entry) -> Figures:
            return scaled(3)(figures, sample) if sample.window.start.hour < noon else figures

        noon = 12
        store.reprice(hourly, "a trace came")
        store.reprice(in_the_morning, "its mornings were wrong")
        store.reprice(unchanged, "only looking")

        traced = [replace(e, figures=hourly(e.figures, e)) for e in entries]
        now = [replace(e, figures=in_the_morning(e.figures, e)) for e in traced]
        assert list(store.entries()) == now
        assert_rolled_up(store, now)

    def test_a_price_list_that_fails_changes_nothing(self, store: Store) -> None:
        """All or none, here too."""
        entries = sample_entries(10)
        store.append(entries)

        def failing(figures: Figures, sample: Entry) -> Figures:
            if sample.id == entries[7].id:
                raise InputError("no price for this one")
            return scaled(2)(figures, sample)

        with pytest.raises(InputError, match="no price"):
            store.reprice(failing, "half a list")

        assert list(store.entries()) == entries
        assert store.revisions() == []
        assert_rolled_up(store, entries)
