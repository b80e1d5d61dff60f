"""Laws of roll-ups: however the entries are split, the sums are the same."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.ledger.ids import new_id
from lichen.ledger.recompute import Balance
from lichen.ledger.rollup import Period, RollupKey, bases_of, merged, roll_up, totals_of
from lichen.testing.strategies import entries, figures, plain_figures

if TYPE_CHECKING:
    from lichen.ledger.entry import Entry, Figures

ROUNDING = 1e-9
several = st.lists(entries(plain_figures()), max_size=8)


def added(parts: list[dict[RollupKey, list[float]]]) -> dict[RollupKey, list[float]]:
    total: dict[RollupKey, list[float]] = {}
    for part in parts:
        for key, row in part.items():
            total[key] = merged(total[key], row) if key in total else row
    return total


def assert_same(one: dict[RollupKey, list[float]], other: dict[RollupKey, list[float]]) -> None:
    assert one.keys() == other.keys()
    for key, row in one.items():
        assert row == pytest.approx(other[key], rel=ROUNDING, abs=ROUNDING)


@given(several, st.integers(0, 8))
def test_sums_of_the_parts_are_the_sums_of_the_whole(of: list[Entry], cut: int) -> None:
    assert_same(added([roll_up(of[:cut]), roll_up(of[cut:])]), roll_up(of))


@given(
    st.lists(entries(plain_figures()), max_size=8).flatmap(
        lambda of: st.tuples(*[st.permutations(of)] * 2)
    )
)
def test_order_does_not_matter(orders: tuple[list[Entry], list[Entry]]) -> None:
    assert_same(roll_up(orders[0]), roll_up(orders[1]))


@given(entries(plain_figures()), st.integers(1, 20))
def test_entries_that_share_figures_count_as_often_as_they_are(entry: Entry, times: int) -> None:
    shared = [replace(entry, id=new_id()) for _ in range(times)]
    own = [replace(copy, figures=replace(entry.figures)) for copy in shared]

    assert_same(roll_up(shared), roll_up(own))


@given(several)
def test_hours_and_days_are_the_sums_of_their_minutes(of: list[Entry]) -> None:
    rows = roll_up(of)

    for period in (Period.HOUR, Period.DAY):
        longer: dict[RollupKey, list[float]] = {}
        for key, row in rows.items():
            if key.period == Period.MINUTE:
                wide = key._replace(period=int(period), start=key.start // period * period)
                longer[wide] = merged(longer[wide], row) if wide in longer else row
        assert_same(longer, {key: row for key, row in rows.items() if key.period == period})


@given(several)
def test_a_roll_up_holds_its_values_and_counts_every_entry(of: list[Entry]) -> None:
    counted: dict[int, int] = defaultdict(int)
    for key, row in roll_up(of).items():
        totals = totals_of(key, row)
        counted[key.period] += totals.entries
        for side in (totals.used, totals.saved):
            assert side.energy.low <= side.energy.value <= side.energy.high
            assert side.carbon.low <= side.carbon.value <= side.carbon.high

    assert counted == dict.fromkeys(map(int, Period), len(of)) if of else not counted


@given(figures())
def test_a_saving_is_never_surer_than_its_baseline(said: Figures) -> None:
    used, saved = bases_of(said)

    if said.baseline is None:
        assert saved == 0
    else:
        instead = said.baseline.footprint
        assert saved >= max(used, instead.energy.basis, instead.carbon.basis)


@given(st.lists(st.tuples(plain_figures(), st.integers(1, 9)), max_size=6))
def test_a_balance_is_the_sum_over_its_entries(counted: list[tuple[Figures, int]]) -> None:
    balance = Balance.over(counted)

    used = sum(said.footprint.carbon.value.in_grams * count for said, count in counted)
    saved = sum(
        said.saving.footprint.carbon.value.in_grams * count
        for said, count in counted
        if said.saving
    )
    assert balance.carbon.value.in_grams == pytest.approx(used, rel=ROUNDING, abs=ROUNDING)
    assert balance.saved.value.in_grams == pytest.approx(saved, rel=ROUNDING, abs=ROUNDING)
