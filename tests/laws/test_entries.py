"""Laws of entries: what is written down says the same when it is read, and ids sort by time."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from lichen.ledger.ids import first_of, from_int, new_id, to_int
from lichen.ledger.rows import (
    BASELINE_COLUMNS,
    FIGURE_COLUMNS,
    baseline_row,
    figures_row,
    from_row,
)
from lichen.ledger.window import from_microseconds, microseconds
from lichen.testing.strategies import figures, moments

if TYPE_CHECKING:
    from lichen.ledger.entry import Figures


_NO_BASELINE = (None,) * len(BASELINE_COLUMNS)


def row_of(said: Figures) -> tuple[Any, ...]:
    return figures_row(said) + (baseline_row(said.baseline) if said.baseline else _NO_BASELINE)


@given(figures())
def test_figures_survive_being_a_row(said: Figures) -> None:
    assert from_row(row_of(said)) == said


@given(figures())
def test_a_row_has_every_column_and_only_what_sql_knows(said: Figures) -> None:
    row = row_of(said)

    assert len(row) == len(FIGURE_COLUMNS) + len(BASELINE_COLUMNS)
    assert {type(value) for value in row} <= {str, int, float, type(None)}


@given(figures())
def test_figures_survive_a_table(said: Figures) -> None:
    kinds = [kind for _, kind in FIGURE_COLUMNS + BASELINE_COLUMNS]
    columns = ", ".join(f"c{place} {kind}" for place, kind in enumerate(kinds))
    db = sqlite3.connect(":memory:")
    db.execute(f"CREATE TABLE figures ({columns})")
    db.execute(f"INSERT INTO figures VALUES ({', '.join('?' * len(kinds))})", row_of(said))

    [row] = db.execute("SELECT * FROM figures").fetchall()

    db.close()
    assert from_row(row) == said


@given(figures())
def test_a_saving_and_what_was_used_make_the_baseline(said: Figures) -> None:
    if said.baseline is None:
        assert said.saving is None
    else:
        assert said.saving is not None
        again = said.saving.footprint + said.footprint
        assert again.energy.value == said.baseline.footprint.energy.value
        assert again.carbon.value == said.baseline.footprint.carbon.value


@given(st.integers(0, 2**63 - 1))
def test_an_id_and_its_number_are_one(number: int) -> None:
    assert to_int(from_int(number)) == number


@given(moments().map(microseconds), moments().map(microseconds))
def test_ids_sort_as_their_milliseconds_do(one: int, other: int) -> None:
    earlier, later = sorted((one, other))

    if earlier // 1000 < later // 1000:
        assert new_id(earlier) < new_id(later)
        assert to_int(new_id(earlier)) < first_of(later)


@given(st.integers(-(2**50), 2**50))
def test_a_stored_time_is_the_same_moment(micros: int) -> None:
    assert microseconds(from_microseconds(micros)) == micros
