"""Prices: a call meter and a grid whose numbers can be checked in the head."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lichen.ledger.errors import UnknownZone
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.ports import CallReading
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.signal import GridSignal, SignalKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.tokens import Tokens
    from lichen.ledger.window import Window


class WattHourPerToken:
    """A call meter: `wh` watt-hours for each token but cached ones, and 0.1 g for each of those."""

    method = "tokens/per-token"

    def __init__(self, wh: float = 1.0) -> None:
        self._wh = wh
        self.factors = f"{wh:g} Wh"

    def read(self, model: str, tokens: Tokens) -> CallReading:
        """Energy and embodied carbon; a gap for a model called "unknown"."""
        paid = tokens.total - tokens.cache_read
        return CallReading(
            Estimate.around(Energy.wh(self._wh * paid), 2.0),
            Estimate.around(Carbon.grams(0.1 * self._wh * paid), 2.0),
            ("model-unknown",) if model == "unknown" else (),
        )


class FlatGrid:
    """A grid of one intensity everywhere, [gCO₂e/kWh], but for the zones told apart."""

    def __init__(self, g_per_kwh: float, zones: Mapping[str, float] | None = None) -> None:
        self._everywhere = g_per_kwh
        self._zones = dict(zones or {})

    def intensity(self, zone: str, window: Window) -> GridSignal:
        """The zone's intensity from an hour before the window to an hour after it.

        Raises:
            UnknownZone: the zone is called "nowhere".
        """
        if zone == "nowhere":
            raise UnknownZone(zone)
        value = self._zones.get(zone, self._everywhere)
        hour = timedelta(hours=1)
        return GridSignal(
            zone=zone,
            kind=SignalKind.AVERAGE,
            basis=Basis.ASSUMED,
            source="a flat grid",
            issued_at=window.start,
            start=window.start - hour,
            step=window.duration + 2 * hour,
            values=(value,),
            lows=(value / 2,),
            highs=(value * 2,),
        )
