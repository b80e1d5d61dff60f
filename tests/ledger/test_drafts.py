"""Drafts: rows made as entries come say what rows made when they are written say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.ledger.errors import InputError, StoreUnavailable
from lichen.ledger.forgetting import Oblivion
from lichen.ledger.rows import figures_row
from lichen.ledger.sqlite import SqliteStore
from lichen.testing.samples import (
    full_figures,
    sample_entries,
    sample_entry,
    sample_figures,
    scaled,
)
from lichen.testing.sums import assert_rolled_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.ledger.drafts import Draft, Drafts
    from lichen.ledger.entry import Entry


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "book.db", busy_ms=50)
    yield store
    store.close()


def drafted(drafts: Drafts, entries: list[Entry]) -> Draft:
    draft = drafts.begin()
    for entry in entries:
        drafts.add(draft, entry)
    drafts.finish(draft)
    return draft


def rows_of_figures(store: SqliteStore) -> int:
    return cast("int", store._read("SELECT count(*) FROM figures")[0][0])


def test_what_was_drafted_reads_as_what_was_not(store: SqliteStore) -> None:
    entries = [*sample_entries(200), sample_entry(figures=full_figures())]
    draft = drafted(store.drafts(), entries)

    store.append(draft)

    assert sorted(store.entries(), key=lambda entry: entry.id) == sorted(
        entries, key=lambda entry: entry.id
    )
    assert_rolled_up(store, entries)


def test_figures_that_drafts_share_have_one_row(store: SqliteStore) -> None:
    drafts, shared = store.drafts(), sample_figures()
    first = drafted(drafts, [sample_entry(figures=shared) for _ in range(70)])
    second = drafted(drafts, [sample_entry(figures=shared) for _ in range(70)])

    store.append(first)
    store.append(second)

    assert rows_of_figures(store) == 1
    assert sum(1 for _ in store.entries()) == 140


def test_a_draft_written_after_one_that_failed_lacks_nothing(store: SqliteStore) -> None:
    drafts, shared = store.drafts(), sample_figures()
    spoilt = sample_entry(figures=shared, tenant=cast("str", None))
    first = drafted(drafts, [sample_entry(figures=shared), spoilt])
    second = drafted(drafts, [sample_entry(figures=shared)])
    with pytest.raises(InputError):
        store.append(first)

    store.append(second)

    assert list(store.entries()) == list(second)


def test_a_draft_counts_on_no_row_of_one_that_was_begun_after_it(store: SqliteStore) -> None:
    drafts, late = store.drafts(), sample_figures(1)
    first = drafts.begin()
    for entry in [*sample_entries(70), sample_entry(figures=late)]:
        drafts.add(first, entry)
    second = drafts.begin()
    drafts.add(second, sample_entry(figures=late))
    drafts.finish(second)

    store.append(first)

    assert len(first) == 71
    assert list(store.entries()) == sorted(first, key=lambda entry: entry.id)


def test_a_draft_that_could_not_be_written_is_written_later(store: SqliteStore) -> None:
    entries = sample_entries(5)
    draft = drafted(store.drafts(), entries)
    other = SqliteStore(store.path)
    with other._transaction(), pytest.raises(StoreUnavailable):
        store.append(draft)
    other.close()

    store.append(draft)

    assert list(store.entries()) == entries
    assert_rolled_up(store, entries)


def test_the_same_draft_twice_counts_once(store: SqliteStore) -> None:
    entries = sample_entries(5)
    draft = drafted(store.drafts(), entries)
    store.append(draft)

    store.append(draft)

    assert list(store.entries()) == entries
    assert_rolled_up(store, entries)


def test_figures_priced_again_meanwhile_are_written_anew(store: SqliteStore) -> None:
    drafts, shared = store.drafts(), sample_figures()
    store.append(drafted(drafts, [sample_entry(figures=shared)]))
    late = drafted(drafts, [sample_entry(figures=shared)])
    store.reprice(scaled(2), "new factors")

    store.append(late)

    assert store.entry(late[0].id) == late[0]


def test_figures_that_another_process_forgot_are_written_anew(store: SqliteStore) -> None:
    drafts = store.drafts()
    shared = sample_figures(raw={"call": "ab" * 16}, model="ft:acme")
    store.append(drafted(drafts, [sample_entry(figures=shared, tenant="one")]))
    late = drafted(drafts, [sample_entry(figures=shared, tenant="two")])
    other = SqliteStore(store.path)
    other.forget(Oblivion(tenant="one"), at_us=late[0].end_us)
    other.close()

    store.append(late)

    assert store.entry(late[0].id) == late[0]


def test_an_entry_that_no_row_can_hold_spoils_no_other(store: SqliteStore) -> None:
    drafts, shared = store.drafts(), sample_figures()
    bad = replace(sample_entry(figures=shared), id="no id")
    first = drafted(drafts, [*(sample_entry(figures=shared) for _ in range(70)), bad])
    second = drafted(drafts, [sample_entry(figures=shared)])
    with pytest.raises(InputError, match="no id"):
        store.append(first)

    store.append(second)

    assert list(store.entries()) == list(second)


def test_figures_beyond_those_that_are_known_are_written_again(store: SqliteStore) -> None:
    drafts, first = store.drafts(), sample_figures()
    many = sample_entries(2100, every=timedelta(milliseconds=1))
    entries = [sample_entry(figures=first), *many, sample_entry(figures=first)]

    store.append(drafted(drafts, entries))

    assert rows_of_figures(store) == len(entries)
    assert_rolled_up(store, entries)


_VALUES = st.text() | st.integers() | st.floats() | st.booleans()


@given(st.dictionaries(st.text(), _VALUES, min_size=1))
def test_raw_quantities_are_written_as_json_has_them(raw: dict[str, float | str]) -> None:
    row = figures_row(sample_figures(raw=raw))

    assert row[8] == json.dumps(raw)
