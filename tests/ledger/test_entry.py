"""Entry, Figures, Baseline, Saving, and the ids that entries go by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lichen.ledger.entry import Baseline, Entry
from lichen.ledger.errors import InputError, UnprovenSaving
from lichen.ledger.ids import first_of, from_int, new_id, to_int
from lichen.ledger.quantities import Energy
from lichen.ledger.window import Window, microseconds
from lichen.testing.samples import MOMENT, sample_entry, sample_figures, sample_footprint


def test_a_saving_is_what_the_baseline_used_more() -> None:
    baseline = Baseline(sample_footprint(wh=3), "stored-call/1", "0" * 16)
    figures = sample_figures(footprint=sample_footprint(wh=1), baseline=baseline)

    saving = figures.saving

    assert saving is not None
    assert saving.footprint.energy.value == Energy.wh(2)
    assert (saving.method, saving.evidence) == ("stored-call/1", "0" * 16)


def test_a_loss_is_a_negative_saving() -> None:
    baseline = Baseline(sample_footprint(wh=1), "stored-call/1", "0" * 16)
    entry = sample_entry(
        figures=sample_figures(footprint=sample_footprint(wh=3), baseline=baseline)
    )

    assert entry.saving is not None
    assert entry.saving.footprint.energy.value == Energy.wh(-2)
    assert entry.saving.footprint.energy.high < Energy.wh(0)


def test_without_a_baseline_there_is_no_saving() -> None:
    assert sample_figures(0).saving is None
    assert sample_entry(figures=sample_figures(0)).saving is None


@pytest.mark.parametrize(("method", "evidence"), [("", "0" * 16), ("stored-call/1", "")])
def test_a_baseline_that_nobody_can_check_is_refused(method: str, evidence: str) -> None:
    with pytest.raises(UnprovenSaving, match="needs a method and evidence"):
        Baseline(sample_footprint(), method, evidence)


def test_an_entry_for_a_window_has_its_time_and_an_id_of_its_own() -> None:
    window = Window(MOMENT, MOMENT + timedelta(seconds=2), "SE-SE3")

    one = Entry.of(window, sample_figures(), tenant="t")
    other = Entry.of(window, sample_figures(), tenant="t")

    assert one.window == window
    assert one.id != other.id


def test_ids_are_16_hexadecimal_digits_that_sort_by_time() -> None:
    moments = [microseconds(MOMENT + timedelta(milliseconds=n)) for n in range(50)]

    ids = [new_id(moment) for moment in moments]

    assert ids == sorted(ids)
    assert {len(entry_id) for entry_id in ids} == {16}
    assert [from_int(to_int(entry_id)) for entry_id in ids] == ids


def test_many_ids_of_one_moment_differ() -> None:
    now = microseconds(MOMENT)

    assert len({new_id(now) for _ in range(10_000)}) == 10_000


def test_no_id_of_a_moment_comes_before_its_first() -> None:
    now = microseconds(MOMENT)

    assert first_of(now) <= to_int(new_id(now)) < first_of(now + 1000)


@pytest.mark.parametrize("text", ["", "123", "g" * 16, "-000000000000001", "f" * 16, "0" * 17])
def test_what_is_no_id_is_refused_with_where_ids_are_found(text: str) -> None:
    with pytest.raises(InputError, match="16 hexadecimal digits"):
        to_int(text)


def test_an_id_before_the_first_year_is_refused() -> None:
    with pytest.raises(InputError, match="entries begin at 2024"):
        new_id(microseconds(datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC)))
