"""Lattice: how finely a plan tells work left apart, so that its states fit into memory.

    grain = gcd(step, restart)        [µs], unless a step would have more than 60 points

Source: as `lichen.plan.states`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.plan.states import Costs, Frame

# Lattice points a step may have.
_FINEST = 60
# States a table may have: two tables of 8 bytes each, so 320 MB.
_MOST_STATES = 20_000_000


def joining(steps: int, amounts: int) -> int:
    """How many steps must be joined into one for some steps and steps of work to fit. [1]"""
    return max(1, math.ceil(math.sqrt(steps * amounts / _MOST_STATES)))


def finest(frame: Frame, costs: Costs) -> int:
    """How many points a step may have for the states to fit."""
    amounts = (frame.work + costs.restart) // frame.step + 2
    return max(1, min(_FINEST, _MOST_STATES // (frame.bounds.size * amounts)))


def lattice(step: int, restart: int, finest: int) -> tuple[int, int]:
    """The grain of work left, and the restart as a whole number of grains. [µs]"""
    grain = math.gcd(step, restart)
    if step // grain > finest:
        grain = next(step // part for part in range(finest, 0, -1) if step % part == 0)
    return grain, -(-restart // grain) * grain
