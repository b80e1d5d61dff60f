"""Actual: what a grid emitted, once that is final; until then a job waits to be settled.

A job's hours were chosen because their forecast was low. To settle it on that forecast would let
the forecast prove itself, so a signal that holds provisional steps is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.errors import SignalUnavailable
from lichen.ledger.signal import Standing

if TYPE_CHECKING:
    from datetime import datetime

    from lichen.ledger.ports import IntensitySource
    from lichen.ledger.signal import GridSignal
    from lichen.ledger.window import Window

_LATER = "settle later: `lichen status --settle`"


def as_it_was(actual: IntensitySource, window: Window, now: datetime) -> GridSignal:
    """The intensity of the window's zone, where it is final. [gCO₂e/kWh]

    Raises:
        SignalUnavailable: the time has not passed, its actuals are not out yet, or nobody has them.
        UnknownZone: the source knows no such zone.
    """
    what = f"the intensity of {window.zone} from {window.start:%F %R} to {window.end:%F %R} UTC"
    if window.end > now:
        raise SignalUnavailable(what, "that time has not passed", _LATER)
    signal = actual.intensity(window.zone, window)
    if signal.standing is Standing.PROVISIONAL:
        raise SignalUnavailable(
            what,
            f"actuals are not out yet: {signal.source} has a forecast or an estimate of a part",
            _LATER,
        )
    return signal
