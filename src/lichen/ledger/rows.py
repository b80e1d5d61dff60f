"""Rows: how figures lie in a table, the same for every SQL store.

One column a number, so that the book can be read with any SQL shell. Estimates take three columns
(value, low, high) in base units; their bases stand together in one, such as "111/111/-".
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lichen.ledger.entry import NOTHING, Baseline, Figures
from lichen.ledger.estimate import Basis, Estimate, Q
from lichen.ledger.footprint import Footprint
from lichen.ledger.quantities import Carbon, Energy, Money, Water
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKENS = ("prefill", "cache_read", "cache_write", "decode", "reasoning")
_ENDS = ("", "_low", "_high")
_SOLID = ("energy", "operational", "embodied")

# name, SQL type; the order is the order of every row below.
FIGURE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("name", "TEXT"),
    ("strategy", "TEXT"),
    ("unit", "TEXT"),
    ("work", "REAL"),
    ("method", "TEXT"),
    ("factors", "TEXT"),
    ("zone", "TEXT"),
    ("model", "TEXT"),
    *((name, "INTEGER") for name in _TOKENS),
    *((name + end, "REAL") for name in _SOLID for end in _ENDS),
    *(("water" + end, "REAL") for end in _ENDS),
    ("money", "REAL"),
    ("currency", "TEXT"),
    ("raw", "TEXT"),
    ("gaps", "TEXT"),
    ("baseline_method", "TEXT"),
    ("baseline_evidence", "TEXT"),
    *(("baseline_" + name, "INTEGER") for name in _TOKENS),
    *(("baseline_" + name + end, "REAL") for name in _SOLID for end in _ENDS),
    *(("baseline_water" + end, "REAL") for end in _ENDS),
    ("baseline_money", "REAL"),
    ("baseline_currency", "TEXT"),
    ("bases", "TEXT"),
)
_NO_BASELINE = (None,) * 21
_NO_MONEY = (None, None)
_NO_WATER = (None, None, None)
_BASIS = "".join(str(int(basis)) for basis in Basis)


def to_row(figures: Figures) -> tuple[Any, ...]:
    """The columns of figures, in the order of `FIGURE_COLUMNS`.

    Plain statements: this runs once for every entry whose figures are its own.
    """
    baseline = figures.baseline
    work, tokens, footprint, raw = figures.work, figures.tokens, figures.footprint, figures.raw
    head = (
        figures.name,
        figures.strategy,
        work.unit,
        work.amount,
        figures.method,
        figures.factors,
        figures.zone,
        figures.model,
        tokens.prefill,
        tokens.cache_read,
        tokens.cache_write,
        tokens.decode,
        tokens.reasoning,
        *_numbers(footprint),
        json.dumps(dict(raw)) if raw else None,
        _gaps_text(figures.gaps) if figures.gaps else None,
    )
    if baseline is None:
        return (*head, *_NO_BASELINE, _bases(footprint))
    tokens = baseline.tokens
    return (
        *head,
        baseline.method,
        baseline.evidence,
        tokens.prefill,
        tokens.cache_read,
        tokens.cache_write,
        tokens.decode,
        tokens.reasoning,
        *_numbers(baseline.footprint),
        f"{_bases(footprint)}/{_bases(baseline.footprint)}",
    )


@lru_cache(maxsize=256)
def _gaps_text(gaps: tuple[str, ...]) -> str:
    return json.dumps(gaps)


def from_row(row: Sequence[Any]) -> Figures:
    """The figures of a row."""
    bases = row[-1].split("/")
    baseline = None
    if row[29] is not None:
        baseline = Baseline(_footprint(row[36:50], bases[1]), row[29], row[30], Tokens(*row[31:36]))
    return Figures(
        name=row[0],
        strategy=row[1],
        work=Work(row[3], row[2]),
        method=row[4],
        factors=row[5],
        zone=row[6],
        model=row[7],
        tokens=Tokens(*row[8:13]),
        footprint=_footprint(row[13:27], bases[0]),
        raw=json.loads(row[27]) if row[27] else NOTHING,
        gaps=tuple(json.loads(row[28])) if row[28] else (),
        baseline=baseline,
    )


def _numbers(footprint: Footprint) -> tuple[Any, ...]:
    energy, operational, embodied = footprint.energy, footprint.operational, footprint.embodied
    water, money = footprint.water, footprint.money
    return (
        energy.value.amount,
        energy.low.amount,
        energy.high.amount,
        operational.value.amount,
        operational.low.amount,
        operational.high.amount,
        embodied.value.amount,
        embodied.low.amount,
        embodied.high.amount,
        *(
            _NO_WATER
            if water is None
            else (water.value.amount, water.low.amount, water.high.amount)
        ),
        *(_NO_MONEY if money is None else (money.amount, money.currency)),
    )


def _bases(footprint: Footprint) -> str:
    water = footprint.water
    return (
        _BASIS[footprint.energy.basis]
        + _BASIS[footprint.operational.basis]
        + _BASIS[footprint.embodied.basis]
        + ("-" if water is None else _BASIS[water.basis])
    )


def _footprint(row: Sequence[Any], bases: str) -> Footprint:
    water = None
    if row[9] is not None:
        water = _estimate(Water, row[9:12], bases[3])
    return Footprint(
        _estimate(Energy, row[0:3], bases[0]),
        _estimate(Carbon, row[3:6], bases[1]),
        _estimate(Carbon, row[6:9], bases[2]),
        water,
        None if row[12] is None else Money(row[12], row[13]),
    )


def _estimate(kind: type[Q], ends: Sequence[float], basis: str) -> Estimate[Q]:
    return Estimate(kind(ends[0]), kind(ends[1]), kind(ends[2]), Basis(int(basis)))
