"""Factors: what the energy of a token depends on and nobody publishes, each as a spread.

The table `token_factors.csv` holds one row a factor: unit, shape, two ends, where they come from.
`Draw` is one joint draw of all of them; a thousandfold guess is replaced by some hundred draws.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError
from lichen.meter.token_spread import (
    LogNormal,
    LogUniform,
    Spread,
    Uniform,
    latin_hypercube,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Raised with every change of token_factors.csv or of an equation, so that history says which.
VERSION = "token-factors 2026.1"

# Against 16,384 draws, 512 put the middle within 6 % and the ends within 12 %: little beside an
# interval of four times each way, and a model's first call stays quick.
DRAWS = 512

SHAPES: dict[str, Callable[[float, float], Spread]] = {
    "uniform": Uniform,
    "loguniform": LogUniform,
    "lognormal": LogNormal,
}


@dataclass(frozen=True, slots=True)
class Draw:
    """One joint draw of every factor; units and sources in token_factors.csv."""

    size: float
    batch: float
    weight_bits: float
    gpu_memory: float
    weight_joules: float
    step_joules: float
    decode_flop_joules: float
    token_joules: float
    kv_joules: float
    decode_residual: float
    model_form: float
    serving_stack: float
    decode_power: float
    flop_joules: float
    flop_utilisation: float
    prefill_power: float
    power_limit: float
    host_power: float
    utilisation: float
    idle_power: float
    idle_host: float
    pue: float
    kv_scale: float
    attention_scale: float
    cache_bandwidth: float
    cache_hold_power: float
    cache_hold_time: float
    gpu_embodied: float
    server_embodied: float
    lifetime: float


class _Unit:
    """Evenly between 0 and 1: where a model lies in the range of its parameters."""

    def at(self, probability: float) -> float:
        return probability


@cache
def published() -> Mapping[str, Spread]:
    """The spread of every factor, as tabulated."""
    table = files("lichen.meter") / "token_factors.csv"
    rows = csv.DictReader(table.read_text("utf-8").splitlines())
    return {
        row["name"]: SHAPES[row["shape"]](float(row["low"]), float(row["high"])) for row in rows
    }


def draws(changed: Mapping[str, Spread], count: int = DRAWS) -> tuple[Draw, ...]:
    """Joint draws of the published factors, those in `changed` put in their place.

    Raises:
        InputError: there is no factor of a name in `changed`.
    """
    names = [field.name for field in fields(Draw)]
    if unknown := sorted(changed.keys() - set(names) | changed.keys() & {"size"}):
        known = ", ".join(name for name in names if name != "size")
        raise InputError(f"no factor is called {', '.join(unknown)}; there are {known}")
    drawn = latin_hypercube({"size": _Unit(), **published(), **changed}, count)
    columns = [drawn[name] for name in names]
    return tuple(Draw(*values) for values in zip(*columns, strict=True))
