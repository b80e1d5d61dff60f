"""carbontracker: epochs of its tracker, of the CPU, with what it logs."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from carbontracker.tracker import CarbonTracker

from benchmarks.meter.protocol import answer, at_rest, spin

_JOULES_PER_KWH = 3.6e6
_LOGGED = re.compile(r"Energy:\s*([0-9.eE+-]+) kWh")


def _tracker(folder: str) -> CarbonTracker:
    return CarbonTracker(
        epochs=1,
        monitor_epochs=1,
        epochs_before_pred=0,
        update_interval=1,
        components="cpu",
        log_dir=folder,
        verbose=0,
    )


def steady(seconds: float) -> dict[str, float]:
    """One open epoch, a reading a second."""
    tracker = _tracker(tempfile.mkdtemp())
    tracker.epoch_start()
    share = at_rest(seconds)
    tracker.epoch_end()
    tracker.stop()
    return {"share": share}


def busy(seconds: float) -> dict[str, float]:
    """One busy core."""
    folder = tempfile.mkdtemp()
    tracker = _tracker(folder)
    tracker.epoch_start()
    held = spin(seconds)
    tracker.epoch_end()
    tracker.stop()
    logged = "".join(path.read_text() for path in sorted(Path(folder).glob("*.log")))
    found = _LOGGED.findall(logged)
    return {"watts": float(found[-1]) * _JOULES_PER_KWH / seconds, "held": held / seconds}


if __name__ == "__main__":
    answer({"steady": steady, "busy": busy})
