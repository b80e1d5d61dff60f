"""Embodied carbon: the share of a machine's making that a piece of work bears.

    M = TE × (TiR / EL) × (RR / ToR)

TE   total embodied carbon of the hardware      [gCO₂e]
TiR  time reserved for the work                 [s]
EL   expected lifetime of the hardware          [s]
RR   resources reserved, ToR total resources    [cores, GPUs, ...]

Source: ISO/IEC 21031:2024, clause 7.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from datetime import timedelta

    from lichen.ledger.quantities import Carbon


def embodied(
    total: Carbon, reserved: timedelta, lifetime: timedelta, *, share: float = 1.0
) -> Carbon:
    """Embodied carbon of a share of hardware for a time: TE × (TiR / EL) × share. [gCO₂e]

    `share` is RR / ToR.

    Raises:
        InputError: the lifetime is not positive, the time negative, or the share not in [0, 1].
    """
    if lifetime.total_seconds() <= 0 or reserved.total_seconds() < 0:
        raise InputError(f"time reserved {reserved} of a lifetime {lifetime} cannot be")
    if not 0 <= share <= 1:
        raise InputError(f"the share of the hardware must lie in [0, 1], got {share!r}")
    return total * (reserved / lifetime) * share
