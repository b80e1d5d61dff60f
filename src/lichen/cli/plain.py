"""Plain: what the verbs say as JSON, in base units spelled in the key: energy_j, carbon_g.

Every number that is an estimate is {"value", "low", "high", "basis"}. Keys are only ever added.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from datetime import datetime

    from lichen.ledger.entry import Entry, Saving
    from lichen.ledger.estimate import Estimate, Q
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.recompute import Balance, Revision
    from lichen.ledger.sci import SCI
    from lichen.ledger.summary import Line
    from lichen.ledger.tokens import Tokens

Plain = dict[str, Any]


def echo(said: Plain) -> None:
    """Write JSON to the standard output."""
    click.echo(json.dumps(said, indent=2, ensure_ascii=False, allow_nan=False))


def estimate(known: Estimate[Q]) -> Plain:
    """An estimate in its base unit."""
    return {
        "value": known.value.amount,
        "low": known.low.amount,
        "high": known.high.amount,
        "basis": known.basis.name.lower(),
    }


def footprint(made: Footprint) -> Plain:
    """A footprint; water and money only where somebody assessed them."""
    said = {
        "energy_j": estimate(made.energy),
        "carbon_g": estimate(made.carbon),
        "operational_carbon_g": estimate(made.operational),
        "embodied_carbon_g": estimate(made.embodied),
    }
    if made.water is not None:
        said["water_l"] = estimate(made.water)
    if made.money is not None:
        said["money"] = {"amount": made.money.amount, "currency": made.money.currency}
    return said


def tokens(counted: Tokens) -> Plain:
    """Tokens by class, and in all."""
    names = ("prefill", "cache_read", "cache_write", "decode", "reasoning", "total")
    return {name: getattr(counted, name) for name in names}


def line(summed: Line) -> Plain:
    """A line of a summary."""
    return {
        "name": summed.name,
        "entries": summed.entries,
        "work": summed.work,
        "tokens": tokens(summed.tokens),
        "tokens_spared": tokens(summed.spared),
        "used": footprint(summed.used),
        "avoided": footprint(summed.saved),
        "gaps": summed.gaps,
    }


def sci(rate: SCI) -> Plain:
    """An SCI: the rate, and what it was made of."""
    return {
        "per": rate.work.unit,
        "carbon_g_per_unit": estimate(rate.per_unit),
        "carbon_g": estimate(rate.carbon),
        "work": rate.work.amount,
    }


def saving(made: Saving) -> Plain:
    """A saving with the way it is known."""
    return {"method": made.method, "evidence": made.evidence, **footprint(made.footprint)}


def entry(written: Entry) -> Plain:
    """One line of the book, whole."""
    figures, window = written.figures, written.window
    return {
        "id": written.id,
        "start": time(window.start),
        "end": time(window.end),
        "tenant": written.tenant,
        "name": figures.name,
        "strategy": figures.strategy,
        "model": figures.model,
        "zone": figures.zone,
        "work": figures.work.amount,
        "unit": figures.work.unit,
        "method": figures.method,
        "factors": figures.factors,
        "tokens": tokens(figures.tokens),
        "raw": dict(figures.raw),
        "gaps": list(figures.gaps),
        "used": footprint(figures.footprint),
        "avoided": None if written.saving is None else saving(written.saving),
    }


def revision(made: Revision) -> Plain:
    """One pricing again of the whole book."""
    return {
        "number": made.number,
        "at": time(made.at),
        "reason": made.reason,
        "entries": made.entries,
        "changed": made.changed,
        "relative_change": made.change,
        "before": balance(made.before),
        "after": balance(made.after),
    }


def balance(summed: Balance) -> Plain:
    """Used and avoided over a set of entries."""
    return {
        "energy_j": estimate(summed.energy),
        "carbon_g": estimate(summed.carbon),
        "avoided_carbon_g": estimate(summed.saved),
    }


def time(moment: datetime) -> str:
    """A moment in ISO 8601."""
    return moment.isoformat()
