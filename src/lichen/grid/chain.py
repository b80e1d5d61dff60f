"""Chain: several intensity sources in order of preference, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.errors import SignalUnavailable, SourceError, UnknownZone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.ledger.ports import IntensitySource
    from lichen.ledger.signal import GridSignal
    from lichen.ledger.window import Window


class Chain:
    """Asks each source until one answers; the last one's error is raised if none does."""

    def __init__(self, sources: Sequence[IntensitySource]) -> None:
        self._sources = tuple(sources)

    def intensity(self, zone: str, window: Window) -> GridSignal:
        """Carbon intensity of a zone over a window. [gCO₂e/kWh]

        Raises:
            UnknownZone: no source knows the zone.
            SignalUnavailable: no source has it for that window.
        """
        failure: UnknownZone | SourceError = SignalUnavailable(
            f"intensity of {zone}", "no source is configured", "configure one"
        )
        for source in self._sources:
            try:
                return source.intensity(zone, window)
            except (UnknownZone, SourceError) as error:
                failure = error
        raise failure
