"""lichen, as the other trackers are asked."""

from __future__ import annotations

import tempfile
from pathlib import Path

import lichen
from benchmarks.meter.protocol import answer, at_rest, cpu_per_window, spin, windows


def _book() -> lichen.Book:
    return lichen.open(Path(tempfile.mkdtemp()) / "bench.db", zone="SE-SE3")


def window(_seconds: float) -> dict[str, float]:
    """Entering and leaving, priced and written into SQLite on a thread."""
    book = _book()

    def once() -> None:
        with book.measure("window"):
            pass

    found = windows(2000, once)
    book.flush()
    return {**found, "cpu_us": cpu_per_window(5000, once, book.flush)}


def steady(seconds: float) -> dict[str, float]:
    """One open window."""
    with _book().measure("window"):
        return {"share": at_rest(seconds)}


def busy(seconds: float) -> dict[str, float]:
    """One busy core, by the best meter here."""
    with _book().measure("busy") as measured:
        held = spin(seconds)
    energy = measured.footprint.energy
    ends = (energy.value, energy.low, energy.high)
    watts = [end.in_joules / seconds for end in ends]
    return {"watts": watts[0], "low": watts[1], "high": watts[2], "held": held / seconds}


if __name__ == "__main__":
    answer({"window": window, "steady": steady, "busy": busy})
