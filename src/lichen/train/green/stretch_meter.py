"""Stretch meter: what one stretch of a job used, read from its first sight to its last.

    energy = reading at its end − reading at its beginning        [J]

A meter that cannot be read never stops a job: the stretch then has no energy of its own, which is
a gap, and it is told by other means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.estimate import Estimate
    from lichen.ledger.ports import Meter
    from lichen.ledger.quantities import Energy

# A gap: the meter given for a stretch could not be read, so its energy is told by other means.
METER_FAILED = "meter-failed"


class StretchMeter:
    """Reads a job's processes, a stretch at a time.

    `open_meter` makes a meter of a process and all it starts, None where nothing can read one;
    `failed` hears that a stretch could not be read.
    """

    def __init__(
        self, open_meter: Callable[[int], Meter] | None, failed: Callable[[], None]
    ) -> None:
        self._open, self._failed = open_meter, failed
        self._reading: tuple[Meter, Estimate[Energy]] | None = None

    def begin(self, pid: int | None) -> None:
        """A stretch runs as this process; None where it cannot be seen from here."""
        if pid is None or self._open is None:
            return
        try:
            meter = self._open(pid)
            self._reading = (meter, meter.read())
        except Exception:  # noqa: BLE001 (a stranger's meter: the job is driven on)
            self._failed()

    def end(self) -> Estimate[Energy] | None:
        """What the stretch used; None where that was not read. [J]"""
        if self._reading is None:
            return None
        meter, began = self._reading
        self._reading = None
        try:
            return meter.read().minus_shared(began)
        except Exception:  # noqa: BLE001 (as above; a process's own meter ends with it)
            self._failed()
            return None
