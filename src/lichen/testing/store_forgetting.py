"""What every store that forgets keeps: see stores.py for how a contract is inherited."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import pytest

from lichen.ledger.entry import FORGOTTEN, FORGOTTEN_MARK
from lichen.ledger.forgetting import Forgotten, Oblivion
from lichen.ledger.ports import Store
from lichen.testing.samples import MOMENT, sample_entry, sample_figures, scaled
from lichen.testing.sums import assert_rolled_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.ledger.entry import Entry

_HASHED = {"call": "c0ffee", "answer": "abcdef", "cpu_s": 0.5}


class ForgetfulStore(Store, Protocol):
    """A store that forgets on request."""

    def forget(self, which: Oblivion, *, at_us: int) -> int:
        """Forget; how many entries say less now."""
        ...

    def forgotten(self, after: int = 0) -> Sequence[Forgotten]:
        """What was forgotten, from a number on, oldest first."""
        ...

    def seal(self) -> None:
        """All have heard: name no tenant that was forgotten."""
        ...


def of(tenant: str, minute: int, model: str = "small", **changes: str) -> Entry:
    """A tenant's entry with hashes of its call, one of the minute's."""
    figures = sample_figures(minute, raw=_HASHED, model=model, strategy="none", **changes)
    return sample_entry(MOMENT + timedelta(minutes=minute), figures, tenant=tenant)


class KeepsForgetting:
    """What is forgotten is gone, and every sum stays. Inherit it, and give a `store`."""

    @pytest.fixture
    def store(self) -> ForgetfulStore:
        """An empty store."""
        raise NotImplementedError("give KeepsForgetting a fixture `store` that makes an empty one")

    def test_a_forgotten_tenant_is_in_no_entry_and_its_numbers_stay(
        self, store: ForgetfulStore
    ) -> None:
        """Nor are the hashes of what it asked; another tenant's stay."""
        entries = [of("ann", 1), of("bob", 2), of("ann", 3)]
        store.append(entries)

        count = store.forget(Oblivion(tenant="ann"), at_us=5)

        found = list(store.entries())
        assert count == len(found) - 1
        assert [entry.tenant for entry in found] == [FORGOTTEN, "bob", FORGOTTEN]
        assert [entry.figures.raw for entry in found] == [
            {"cpu_s": 0.5, FORGOTTEN_MARK: 1},
            _HASHED,
            {"cpu_s": 0.5, FORGOTTEN_MARK: 1},
        ]
        assert [e.figures.footprint for e in found] == [e.figures.footprint for e in entries]
        assert_rolled_up(store, entries)

    def test_figures_that_others_share_keep_their_hashes(self, store: ForgetfulStore) -> None:
        """They are the others' evidence."""
        figures = sample_figures(2, raw=_HASHED)
        entries = [sample_entry(MOMENT, figures, tenant=tenant) for tenant in ("ann", "bob")]
        store.append(entries)

        store.forget(Oblivion(tenant="ann"), at_us=5)

        assert {e.tenant: e.figures.raw for e in store.entries()}["bob"] == _HASHED

    def test_what_is_older_is_forgotten_whoever_s_it_is(self, store: ForgetfulStore) -> None:
        """But lichen's own lines are nobody's."""
        store.append([of("ann", 1), of("bob", 2), of("", 3), of("ann", 9)])
        before_us = of("", 5).start_us

        count = store.forget(Oblivion(before_us=before_us), at_us=5)

        assert count == len(["ann's", "bob's"])
        assert [e.tenant for e in store.entries()] == [FORGOTTEN, FORGOTTEN, "", "ann"]

    def test_words_are_gone_from_names_and_models_and_sums_stay(
        self, store: ForgetfulStore
    ) -> None:
        """A model's roll-ups go where its entries go."""
        entries = [of("ann", 1, "ft:ACME:7"), of("ann", 2), of("bob", 3, name="for acme")]
        store.append(entries)
        store.append([of("ann", 4, FORGOTTEN)])

        count = store.forget(Oblivion(contains="acme"), at_us=5)

        found = list(store.entries())
        assert count == len(["by its model", "by its name"])
        assert [e.figures.model for e in found] == [FORGOTTEN, "small", "small", FORGOTTEN]
        assert found[2].figures.name == FORGOTTEN
        assert_rolled_up(store, found)

    def test_what_was_priced_again_is_forgotten_too(self, store: ForgetfulStore) -> None:
        """And history can still be priced again."""
        store.append([of("ann", 1, "ft:acme"), of("bob", 2)])
        store.reprice(scaled(2), "new factors")

        store.forget(Oblivion(tenant="ann"), at_us=5)
        store.forget(Oblivion(contains="acme"), at_us=6)
        store.reprice(scaled(3), "newer factors")

        found = list(store.entries())
        assert [e.tenant for e in found] == [FORGOTTEN, "bob"]
        assert [e.figures.model for e in found] == [FORGOTTEN, "small"]
        assert "call" not in found[0].figures.raw
        assert_rolled_up(store, found)

    def test_an_entry_that_was_forgotten_may_be_written_again(self, store: ForgetfulStore) -> None:
        """A writer that lost its connection tries the same entries once more."""
        entry = of("ann", 1)
        store.append([entry])
        store.forget(Oblivion(tenant="ann"), at_us=5)

        store.append([entry, of("bob", 2)])

        assert [e.tenant for e in store.entries()] == [FORGOTTEN, "bob"]

    def test_what_was_forgotten_is_told_until_all_have_heard(self, store: ForgetfulStore) -> None:
        """Then only that it happened is known."""
        store.append([of("ann", 1)])
        store.forget(Oblivion(tenant="ann"), at_us=5)
        store.forget(Oblivion(contains="secret", before_us=7), at_us=6)

        told = list(store.forgotten())
        later = list(store.forgotten(after=1))
        store.seal()

        assert told == [Forgotten(1, 5, "ann", False, None), Forgotten(2, 6, "", True, 7)]  # noqa: FBT003
        assert later == told[1:]
        assert list(store.forgotten()) == [replace(told[0], tenant=""), told[1]]
