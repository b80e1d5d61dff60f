"""Blind: what stands in for a meter where there is none. It knows the time and says so.

Unknown is not zero: each window it reads has the gap `no-meter`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.ledger.window import Reserved

__all__ = ["NO_METER", "Blind"]

NO_METER = "no-meter"


class Blind:
    """Keeps `lichen.ledger.ports.WindowMeter` and reads no energy."""

    method = "window/1"
    within_s: float | None = None
    faults = 0

    def stand(self) -> tuple[float, ...]:
        """The time. [s]"""
        return (time.monotonic(),)

    def failed_since(self, faults: int) -> tuple[str, ...]:  # noqa: ARG002 (the port's signature)
        """Nothing is read, so nothing fails."""
        return ()

    def raw(
        self,
        spent: Sequence[float],
        reserved: Reserved | None,
    ) -> tuple[dict[str, float | str], tuple[str, ...]]:
        """The time, what was kept, and the gap."""
        held = {} if reserved is None else reserved.told()
        kept: dict[str, float | str] = {f"reserved_{name}": count for name, count in held.items()}
        return {"seconds": spent[0], **kept}, (NO_METER,)
