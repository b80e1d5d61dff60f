"""Rows: how figures lie in a table, the same for every SQL store.

What nearly every entry has takes one column a number, so that the book can be read with any SQL
shell: estimates three (value, low, high) in base units, their bases together, such as "111". What
few entries have of their own, the baseline and water or money, takes a column of JSON each: an
SQLite row of 52 columns cost four times the time of one of 26, most of it for nulls.
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
    ("bases", "TEXT"),
    ("raw", "TEXT"),
    ("gaps", "TEXT"),
    ("extra", "TEXT"),
    ("baseline", "TEXT"),
)
_BASE, _RAW, _GAPS, _EXTRA, _BASELINE = 22, 23, 24, 25, 26
_BASIS = "".join(str(int(basis)) for basis in Basis)


def to_row(figures: Figures) -> tuple[Any, ...]:
    """The columns of figures, in the order of `FIGURE_COLUMNS`.

    Plain statements: this runs once for every entry whose figures are its own.
    """
    work, tokens, footprint, raw = figures.work, figures.tokens, figures.footprint, figures.raw
    return (
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
        _bases(footprint),
        json.dumps(dict(raw)) if raw else None,
        _gaps_text(figures.gaps) if figures.gaps else None,
        _extra_text(footprint),
        None if figures.baseline is None else _baseline_text(figures.baseline),
    )


@lru_cache(maxsize=256)
def _gaps_text(gaps: tuple[str, ...]) -> str:
    return json.dumps(gaps)


def _extra_text(footprint: Footprint) -> str | None:
    water, money = footprint.water, footprint.money
    if water is None and money is None:
        return None
    extra: dict[str, Any] = {}
    if water is not None:
        ends = (water.value.amount, water.low.amount, water.high.amount)
        extra["water"] = [*ends, int(water.basis)]
    if money is not None:
        extra["money"] = [money.amount, money.currency]
    return json.dumps(extra)


def _baseline_text(baseline: Baseline) -> str:
    tokens, footprint = baseline.tokens, baseline.footprint
    return json.dumps(
        {
            "method": baseline.method,
            "evidence": baseline.evidence,
            "tokens": [getattr(tokens, name) for name in _TOKENS],
            "footprint": _numbers(footprint),
            "bases": _bases(footprint),
            "extra": _extra_text(footprint),
        }
    )


def from_row(row: Sequence[Any]) -> Figures:
    """The figures of a row."""
    return Figures(
        name=row[0],
        strategy=row[1],
        work=Work(row[3], row[2]),
        method=row[4],
        factors=row[5],
        zone=row[6],
        model=row[7],
        tokens=Tokens(*row[8:13]),
        footprint=_footprint(row[13:_BASE], row[_BASE], row[_EXTRA]),
        raw=json.loads(row[_RAW]) if row[_RAW] else NOTHING,
        gaps=tuple(json.loads(row[_GAPS])) if row[_GAPS] else (),
        baseline=_baseline(row[_BASELINE]) if row[_BASELINE] else None,
    )


def _baseline(text: str) -> Baseline:
    said = json.loads(text)
    return Baseline(
        _footprint(said["footprint"], said["bases"], said["extra"]),
        said["method"],
        said["evidence"],
        Tokens(*said["tokens"]),
    )


def _numbers(footprint: Footprint) -> tuple[float, ...]:
    energy, operational, embodied = footprint.energy, footprint.operational, footprint.embodied
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
    )


def _bases(footprint: Footprint) -> str:
    return (
        _BASIS[footprint.energy.basis]
        + _BASIS[footprint.operational.basis]
        + _BASIS[footprint.embodied.basis]
    )


def _footprint(row: Sequence[float], bases: str, extra: str | None) -> Footprint:
    said = json.loads(extra) if extra else {}
    water, money = said.get("water"), said.get("money")
    return Footprint(
        _estimate(Energy, row[0:3], bases[0]),
        _estimate(Carbon, row[3:6], bases[1]),
        _estimate(Carbon, row[6:9], bases[2]),
        None if water is None else _estimate(Water, water[:3], str(water[3])),
        None if money is None else Money(money[0], money[1]),
    )


def _estimate(kind: type[Q], ends: Sequence[float], basis: str) -> Estimate[Q]:
    return Estimate(kind(ends[0]), kind(ends[1]), kind(ends[2]), Basis(int(basis)))
