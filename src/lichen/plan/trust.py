"""Trust: whether a forecast can be what it says it is.

A source that is out of date, of another zone or in another unit must not place anything: whoever
asked runs now.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lichen.ledger.errors import SignalUnavailable
from lichen.ledger.plausible import LEAST_G_PER_KWH, MOST_G_PER_KWH

if TYPE_CHECKING:
    from datetime import datetime

    from lichen.ledger.signal import GridSignal

# A forecast issued longer ago says little about the next days.
STALE = timedelta(hours=48)
# What clocks of two machines may differ by.
_SKEW = timedelta(minutes=10)


def believed(signal: GridSignal, zone: str, now: datetime) -> None:
    """See that a forecast can be what it says.

    Raises:
        SignalUnavailable: it is of another zone or time, out of date, or in another unit.
    """
    what = f"the forecast of {zone} by {signal.source}"
    mend = "run now, or see what the source sends (`lichen doctor`)"
    top = max(signal.values)
    why = ""
    if not signal.start <= now + _SKEW or signal.end <= now:
        why = f"it covers {signal.start.isoformat()} to {signal.end.isoformat()}, not now"
    elif signal.issued_at > now + _SKEW:
        why = f"it says that it was issued at {signal.issued_at.isoformat()}, which is to come"
    elif min(signal.values) < top and now - signal.issued_at > STALE:
        why = f"it was issued {signal.issued_at.isoformat()}, more than {STALE} ago"
    elif not LEAST_G_PER_KWH <= top <= MOST_G_PER_KWH:
        why = f"its highest value is {top:g} gCO₂e/kWh, which is likely another unit"
    if why:
        raise SignalUnavailable(what, why, mend)
