"""Rows: how figures and baselines lie in their tables, the same for every SQL store.

One column a number, so that the book can be read with any SQL shell: estimates take three (value,
low, high) in base units, their bases one, such as "111". Baselines have a table of their own, since
most entries have none: an SQLite row of 52 columns cost four times the time of one of 26, most of
it for nulls. Water and money, rarer still, share a column of JSON.
"""

from __future__ import annotations

import json
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from math import isfinite
from typing import TYPE_CHECKING, Any

from lichen.ledger.entry import NOTHING, Baseline, Figures
from lichen.ledger.estimate import Basis, Estimate, Q
from lichen.ledger.footprint import Footprint
from lichen.ledger.quantities import Carbon, Energy, Money, Water
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TOKENS = ("prefill", "cache_read", "cache_write", "decode", "reasoning")
# What was used: tokens, then the footprint. Both tables have it.
_USE: tuple[tuple[str, str], ...] = (
    *((name, "INTEGER") for name in _TOKENS),
    *(
        (name + end, "REAL")
        for name in ("energy", "operational", "embodied")
        for end in ("", "_low", "_high")
    ),
    ("bases", "TEXT"),
    ("extra", "TEXT"),
)
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
    ("raw", "TEXT"),
    ("gaps", "TEXT"),
    *_USE,
)
BASELINE_COLUMNS: tuple[tuple[str, str], ...] = (("method", "TEXT"), ("evidence", "TEXT"), *_USE)
_BASIS = "".join(str(int(basis)) for basis in Basis)


def figures_row(figures: Figures) -> tuple[Any, ...]:
    """The columns of figures, in the order of `FIGURE_COLUMNS`."""
    work, raw, gaps = figures.work, figures.raw, figures.gaps
    return (
        figures.name,
        figures.strategy,
        work.unit,
        work.amount,
        figures.method,
        figures.factors,
        figures.zone,
        figures.model,
        _raw_text(raw) if raw else None,
        _gaps_text(gaps) if gaps else None,
        *_use(figures.tokens, figures.footprint),
    )


def baseline_row(baseline: Baseline) -> tuple[Any, ...]:
    """The columns of a baseline, in the order of `BASELINE_COLUMNS`."""
    return (
        baseline.method,
        baseline.evidence,
        *_use(baseline.tokens, baseline.footprint),
    )


def from_row(row: Sequence[Any]) -> Figures:
    """The figures of a row: their columns, then those of the baseline, or nulls."""
    return Figures(
        name=row[0],
        strategy=row[1],
        work=Work(row[3], row[2]),
        method=row[4],
        factors=row[5],
        zone=row[6],
        model=row[7],
        raw=json.loads(row[8]) if row[8] else NOTHING,
        gaps=tuple(json.loads(row[9])) if row[9] else (),
        tokens=Tokens(*row[10:15]),
        footprint=_footprint(row[15:26]),
        baseline=None
        if row[26] is None
        else Baseline(_footprint(row[33:44]), row[26], row[27], Tokens(*row[28:33])),
    )


def _raw_text(raw: Mapping[str, float | str]) -> str:
    """As `json.dumps` has it, in a third of the time for the few short values there are."""
    texts = []
    for name, value in raw.items():
        if type(value) is str:
            text = _quoted(value)
        elif type(value) is int or (type(value) is float and isfinite(value)):
            text = repr(value)
        else:
            return json.dumps(dict(raw))
        texts.append(f"{_quoted(name)}: {text}")
    return f"{{{', '.join(texts)}}}"


@lru_cache(maxsize=256)
def _gaps_text(gaps: tuple[str, ...]) -> str:
    return json.dumps(gaps)


def _use(tokens: Tokens, footprint: Footprint) -> tuple[Any, ...]:
    """Tokens and footprint. Plain statements: this runs for every entry with figures of its own."""
    energy, operational, embodied = footprint.energy, footprint.operational, footprint.embodied
    return (
        tokens.prefill,
        tokens.cache_read,
        tokens.cache_write,
        tokens.decode,
        tokens.reasoning,
        *energy.numbers,
        *operational.numbers,
        *embodied.numbers,
        _BASIS[energy.basis] + _BASIS[operational.basis] + _BASIS[embodied.basis],
        _extra_text(footprint.water, footprint.money),
    )


def _extra_text(water: Estimate[Water] | None, money: Money | None) -> str | None:
    if water is None and money is None:
        return None
    extra: dict[str, Any] = {}
    if water is not None:
        extra["water"] = [*water.numbers, int(water.basis)]
    if money is not None:
        extra["money"] = [money.amount, money.currency]
    return json.dumps(extra)


def _footprint(row: Sequence[Any]) -> Footprint:
    bases: str = row[9]
    extra = json.loads(row[10]) if row[10] else {}
    water, money = extra.get("water"), extra.get("money")
    return Footprint(
        _estimate(Energy, row[0:3], bases[0]),
        _estimate(Carbon, row[3:6], bases[1]),
        _estimate(Carbon, row[6:9], bases[2]),
        None if water is None else _estimate(Water, water[:3], str(water[3])),
        None if money is None else Money(money[0], money[1]),
    )


def _estimate(kind: type[Q], ends: Sequence[float], basis: str) -> Estimate[Q]:
    return Estimate.of(kind, ends[0], ends[1], ends[2], Basis(int(basis)))
