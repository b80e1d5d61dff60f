"""CodeCarbon: tasks of its offline tracker, as its documentation starts it."""

from __future__ import annotations

from codecarbon import OfflineEmissionsTracker

from benchmarks.meter.protocol import answer, at_rest, cpu_per_window, spin, windows

_JOULES_PER_KWH = 3.6e6


def _tracker() -> OfflineEmissionsTracker:
    return OfflineEmissionsTracker(
        country_iso_code="SWE", log_level="critical", save_to_file=False, allow_multiple_runs=True
    )


def window(_seconds: float) -> dict[str, float]:
    """A task, begun and ended."""
    tracker = _tracker()
    tracker.start()
    number = iter(range(1_000_000))

    def once() -> None:
        name = f"task {next(number)}"
        tracker.start_task(name)
        tracker.stop_task(name)

    found = windows(200, once)
    return {**found, "cpu_us": cpu_per_window(200, once, lambda: None)}


def steady(seconds: float) -> dict[str, float]:
    """Started, at its default of a reading every 15 s."""
    tracker = _tracker()
    tracker.start()
    share = at_rest(seconds)
    tracker.stop()
    return {"share": share}


def busy(seconds: float) -> dict[str, float]:
    """One busy core; its memory alone beside it."""
    tracker = _tracker()
    tracker.start()
    held = spin(seconds)
    tracker.stop()
    found = tracker.final_emissions_data
    return {
        "watts": found.energy_consumed * _JOULES_PER_KWH / seconds,
        "memory_watts": found.ram_energy * _JOULES_PER_KWH / seconds,
        "held": held / seconds,
    }


if __name__ == "__main__":
    answer({"window": window, "steady": steady, "busy": busy})
