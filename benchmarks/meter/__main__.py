"""`python -m benchmarks.meter`: what a window costs, and four trackers on one busy core.

The other trackers are installed by pip, each into an environment of its own, and all are asked in
the same run, one after the other.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"
# The peers by name, as pip knows them.
PEERS = {
    "zeus": "zeus==0.16.0",
    "codecarbon": "codecarbon==3.3.2",
    "carbontracker": "carbontracker==2.4.7",
}
# Source: issue 3: a window entered and left [µs], and the cost at rest. [1]
TARGET_US, TARGET_SHARE = 20.0, 0.001
REPEATS = 3


class Row(NamedTuple):
    """One figure of one tracker."""

    tracker: str
    what: str
    value: float
    unit: str


def interpreter(name: str, environments: Path) -> str:
    """The Python of a tracker, its environment made where there is none."""
    if name == "lichen":
        return sys.executable
    folder = environments / name
    python = folder / "bin" / "python"
    if not (folder / ".made").exists():
        print(f"installing {PEERS[name]} into {folder} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, PEERS[name]], check=True, stderr=subprocess.DEVNULL)
        (folder / ".made").touch()
    return str(python)


def ask(python: str, name: str, part: str, seconds: float) -> dict[str, float] | None:
    """What a tracker answers; None, with its last line, where it fails."""
    done = subprocess.run(
        [python, "-m", f"benchmarks.meter.with_{name}", part, str(seconds)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        print(f"{name} {part}: {(done.stderr.strip().splitlines() or ['no answer'])[-1]}")
        return None
    found: dict[str, float] = json.loads(lines[-1])
    return found


def best(python: str, name: str, part: str, seconds: float) -> dict[str, float]:
    """Of some runs the one with the least of its first figure: other programs only add."""
    found = [each for _ in range(REPEATS) if (each := ask(python, name, part, seconds))]
    return min(found, key=lambda each: next(iter(each.values())), default={})


def costs(pythons: dict[str, str], seconds: float) -> list[Row]:
    """The cost of a window and at rest, of each."""
    rows = []
    print(f"{'tracker':14} {'window, µs':>12} {'99 %':>9} {'CPU in all':>11} {'at rest, %':>11}")
    for name, python in pythons.items():
        window = {} if name == "carbontracker" else best(python, name, "window", 0)
        steady = best(python, name, "steady", seconds)
        rows += [Row(name, what, value, "µs") for what, value in window.items()]
        rows += [Row(name, "at rest", value, "1") for value in steady.values()]
        median, p99, cpu = (window.get(key) for key in ("median_us", "p99_us", "cpu_us"))
        share = steady.get("share")
        print(
            f"{name:14} {_shown(median):>12} {_shown(p99):>9} {_shown(cpu):>11} "
            f"{_shown(None if share is None else share * 100):>11}"
        )
    return rows


def busy(pythons: dict[str, str], seconds: float) -> list[Row]:
    """What each says of the same busy loop."""
    rows = []
    print(f"\none busy core for {seconds:g} s\n{'tracker':14} {'W':>8}  {'90 % interval':16}")
    for name, python in pythons.items():
        # Of some runs the one that held the core longest: other programs want it too.
        runs = [ask(python, name, "busy", seconds) or {} for _ in range(REPEATS)]
        found = max(runs, key=lambda run: run.get("held", 0.0))
        rows += [
            Row(name, f"busy {what}", value, "1" if what == "held" else "W")
            for what, value in found.items()
        ]
        between = f"{found['low']:.2f} – {found['high']:.2f}" if "low" in found else "none given"
        memory = found.get("memory_watts")
        apart = "" if memory is None else f"memory {memory:.1f} W, "
        apart += f"core held {found.get('held', 0.0):.0%} of the time"
        print(f"{name:14} {_shown(found.get('watts')):>8}  {between:16} {apart}")
    return rows


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def keep(rows: list[Row]) -> Path:
    """Write the figures with machine and date."""
    RESULTS.mkdir(exist_ok=True)
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    path = RESULTS / f"{today}.csv"
    model = next(
        (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), ""
    )
    machine = f"{model}, {os.cpu_count()} logical CPUs, Python {platform.python_version()}"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("tracker", "version", "what", "value", "unit", "machine", "date"))
        for row in rows:
            version = PEERS.get(row.tracker, "lichen, this checkout")
            figure = f"{row.value:.4g}"
            writer.writerow((row.tracker, version, row.what, figure, row.unit, machine, today))
    return path


def _cpuinfo() -> list[str]:
    return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()


def _found(rows: list[Row], tracker: str, what: str) -> float:
    return next((r.value for r in rows if (r.tracker, r.what) == (tracker, what)), float("nan"))


def main() -> None:
    """Measure and print; the ratios come last."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.meter", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each busy and rest")
    parser.add_argument("--keep", action="store_true", help="write a CSV under results/")
    parser.add_argument(
        "--environments", type=Path, default=ROOT / ".venv" / "trackers", help="where peers live"
    )
    chosen = parser.parse_args()

    pythons = {name: interpreter(name, chosen.environments) for name in ("lichen", *PEERS)}
    rows = costs(pythons, chosen.seconds) + busy(pythons, chosen.seconds)
    if chosen.keep:
        print(f"\nwritten to {keep(rows).relative_to(Path.cwd())}")
    window, rest = _found(rows, "lichen", "median_us"), _found(rows, "lichen", "at rest")
    print(
        f"\nlichen's window {window:.1f} µs, target {TARGET_US:.0f} µs "
        f"{'met' if window <= TARGET_US else 'MISSED'}; at rest {rest * 100:.4f} % of a core, "
        f"target {TARGET_SHARE * 100:g} % {'met' if rest <= TARGET_SHARE else 'MISSED'}"
    )
    watts = [_found(rows, name, "busy watts") for name in pythons]
    print(
        f"a window: codecarbon / lichen {_found(rows, 'codecarbon', 'median_us') / window:.0f}x, "
        f"zeus / lichen {_found(rows, 'zeus', 'median_us') / window:.2f}x; one busy core: "
        f"{', '.join(f'{name} {each:.3g} W' for name, each in zip(pythons, watts, strict=True))}"
    )


if __name__ == "__main__":
    main()
