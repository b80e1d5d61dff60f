"""Reuse: the figures of a call that another call's answer served.

used = 0, baseline = the call that was paid for, priced where and when it would have been made
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.entry import Baseline, Figures
from lichen.ledger.footprint import Footprint
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from lichen.calls.stored import Origin
    from lichen.ledger.pricing import Pricer

NOT_PRICED = "not-priced"
# The method of what nobody can tell.
UNKNOWN = "unknown/1"
_REQUEST = Work(1, "request")
_NOTHING = Footprint.zero()


def instead(pricer: Pricer, origin: Origin, at_us: int, claim: tuple[str, str]) -> Figures:
    """The figures of a call that another call's answer served; `claim` is strategy and method."""
    strategy, method = claim
    reading, factors = origin.reading, origin.factors
    calls = pricer.calls
    if origin.method == calls.method and factors != calls.factors:
        # Kept under older factors: a saving is priced by today's, as its evidence will be.
        reading, factors = calls.read(origin.model, origin.tokens), calls.factors
    again = pricer.instead(reading, origin.model, origin.tokens)
    made, gaps = pricer.footprint(again, origin.zone, at_us)
    raw: dict[str, float | str] = {}
    if origin.cpu_seconds is not None:
        raw["baseline_cpu_seconds"] = origin.cpu_seconds
    return Figures(
        name=origin.kind,
        strategy=strategy,
        work=_REQUEST,
        footprint=_NOTHING,
        method=origin.method,
        factors=factors,
        zone=origin.zone,
        model=origin.model,
        raw=raw,
        baseline=Baseline(made, method, origin.entry_id, origin.tokens),
        gaps=origin.gaps + gaps,
    )


def not_priced(origin: Origin, strategy: str) -> Figures:
    """The figures of a call that was answered and whose saving nobody can tell."""
    return Figures(
        name=origin.kind,
        strategy=strategy,
        work=_REQUEST,
        footprint=_NOTHING,
        method=UNKNOWN,
        factors="",
        zone=origin.zone,
        model=origin.model,
        gaps=(NOT_PRICED,),
    )
