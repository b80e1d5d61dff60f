"""Zeus: windows of ZeusMonitor, on whatever devices it finds here."""

from __future__ import annotations

from zeus.monitor import ZeusMonitor

from benchmarks.meter.protocol import answer, at_rest, cpu_per_window, spin, windows


def _joules(measured: object) -> float:
    """All the energy of a measurement; 0 where it found no device to read. [J]"""
    parts = [getattr(measured, f"{kind}_energy") or {} for kind in ("gpu", "cpu", "dram")]
    return float(sum(sum(part.values()) for part in parts))


def window(_seconds: float) -> dict[str, float]:
    """Entering and leaving."""
    monitor = ZeusMonitor()

    def once() -> None:
        monitor.begin_window("window", sync_execution=False)
        monitor.end_window("window", sync_execution=False)

    return {**windows(2000, once), "cpu_us": cpu_per_window(5000, once, lambda: None)}


def steady(seconds: float) -> dict[str, float]:
    """One open window."""
    monitor = ZeusMonitor()
    monitor.begin_window("window", sync_execution=False)
    share = at_rest(seconds)
    monitor.end_window("window", sync_execution=False)
    return {"share": share}


def busy(seconds: float) -> dict[str, float]:
    """One busy core."""
    monitor = ZeusMonitor()
    monitor.begin_window("busy", sync_execution=False)
    held = spin(seconds)
    measured = monitor.end_window("busy", sync_execution=False)
    return {"watts": _joules(measured) / seconds, "held": held / seconds}


if __name__ == "__main__":
    answer({"window": window, "steady": steady, "busy": busy})
