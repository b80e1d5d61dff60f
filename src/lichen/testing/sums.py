"""Sums: roll-ups checked against sums made entry by entry, by `Footprint`'s own addition."""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.estimate import Basis
from lichen.ledger.footprint import Footprint
from lichen.ledger.rollup import Period
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.ledger.entry import Entry, Figures
    from lichen.ledger.ports import Store
    from lichen.ledger.rollup import Totals

# Two orders of adding thousands of floats differ by far less than this share of the largest.
_ROUNDING = 1e-9


def assert_rolled_up(store: Store, entries: Sequence[Entry]) -> None:
    """The store's roll-ups of every period are the sums of these entries.

    Raises:
        AssertionError: they are not.
    """
    for period in Period:
        groups: dict[tuple[int, str, str, str], list[Figures]] = defaultdict(list)
        for entry in entries:
            said = entry.figures
            start = entry.start_us // 1_000_000 // period * period
            groups[start, said.strategy, said.model, said.work.unit].append(said)
        found = {
            (int(row.start.timestamp()), row.strategy, row.model, row.work.unit): row
            for row in store.totals(period)
        }
        assert found.keys() == groups.keys()
        for key, row in found.items():
            _assert_sum(row, groups[key])


def _assert_sum(row: Totals, said: Sequence[Figures]) -> None:
    assert row.entries == len(said)
    assert row.gaps == sum(len(figures.gaps) for figures in said)
    assert row.work.amount == pytest.approx(sum(figures.work.amount for figures in said))
    assert row.tokens == reduce(Tokens.__add__, (figures.tokens for figures in said))
    baselines = [figures.baseline for figures in said if figures.baseline]
    assert row.spared == reduce(Tokens.__add__, (b.tokens for b in baselines), Tokens())
    _assert_same(row.used, [figures.footprint for figures in said])
    _assert_same(row.saved, [figures.saving.footprint for figures in said if figures.saving])


def _assert_same(found: Footprint, parts: Sequence[Footprint]) -> None:
    expected = reduce(Footprint.__add__, parts, Footprint.zero())
    basis = max((max(_bases(part)) for part in parts), default=Basis.MEASURED)
    assert _bases(found) == [basis] * 3
    assert _ends(found) == pytest.approx(_ends(expected), rel=_ROUNDING, abs=_ROUNDING)


def _bases(footprint: Footprint) -> list[Basis]:
    return [footprint.energy.basis, footprint.operational.basis, footprint.embodied.basis]


def _ends(footprint: Footprint) -> list[float]:
    parts = (footprint.energy, footprint.operational, footprint.embodied)
    return [end.amount for part in parts for end in (part.value, part.low, part.high)]
