"""PUE: what the buildings add to a job's energy, by one rule for its plan and its settlement.

    E at the meter = E of the machines × PUE of the place where it runs      [J]

A job counts with the PUE of its place, and one that may choose among places with theirs, where that
of each is known: of those and of its home. Otherwise none is counted, since an unknown one would
count as the best there is. Among places, a plan and the settlement then say so (`pue-unknown`).

PUE  energy of a data centre over that of its computers [1]

Source: ISO/IEC 30134-2:2016; `lichen.grid.regions` has the published ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.ledger.estimate import Basis, Estimate, Q

if TYPE_CHECKING:
    from lichen.train.green.order import Order

# What plans and settlements say that left PUE out, since that of a place is not known.
PUE_UNKNOWN = "pue-unknown"


class Pue(NamedTuple):
    """A PUE with the ends of its interval. [1]"""

    value: float
    low: float
    high: float

    def of(self, machines: Estimate[Q], less: float = 0.0) -> Estimate[Q]:
        """What the meter reads for what machines take, `less` a part of the latter. [1]"""
        return Estimate(
            machines.value * (self.value - less),
            machines.low * (self.low - less),
            machines.high * (self.high - less),
            max(machines.basis, Basis.MODELLED),
        )

    def to_plain(self) -> list[float]:
        """As JSON can hold it: value, low, high. [1]"""
        return [self.value, self.low, self.high]


def published(order: Order, source: object) -> dict[str, Pue | None]:
    """The PUE of an order's home and of each of its places, home first; None where not known.

    `source` says that of zones that are cloud regions, where it knows such (`pue_of`).
    """
    pue_of: Any = getattr(source, "pue_of", lambda _zone: None)
    found = {zone: pue_of(zone) for zone in dict.fromkeys((order.zone, *order.place))}
    return {zone: Pue(*said) if said else None for zone, said in found.items()}


def counted(order: Order, source: object) -> dict[str, Pue]:
    """The PUE of each zone that an order counts with; empty where none is counted."""
    found = published(order, source)
    known = {zone: pue for zone, pue in found.items() if pue is not None}
    return known if len(known) == len(found) else {}
