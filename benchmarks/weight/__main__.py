"""`python -m benchmarks.weight`: the base install, beside a bare virtual environment and Python.

The wheel is built from this checkout and installed with its dependencies, as constraints.txt pins
them, into a fresh virtual environment without pip. Size is what the install added to it, source and
bytecode alike; a package is a distribution that it added, lichen included.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

from lichen.meter.machine import machine

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"
MOST_MB, MOST_PACKAGES = 20.0, 14
REPEATS = 21


@dataclass(frozen=True, slots=True)
class Weight:
    """What was found: wheel and install [MB], packages, starting bare and with lichen [ms]."""

    wheel_mb: float
    install_mb: float
    packages: int
    bare_ms: float
    lichen_ms: float

    @property
    def is_light(self) -> bool:
        """Whether both limits are kept."""
        return self.install_mb < MOST_MB and self.packages <= MOST_PACKAGES


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    subprocess.run(command, check=True, cwd=ROOT)


def _size_mb(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _start_ms(python: Path, code: str, folder: Path) -> float:
    """Median wall time of a Python that runs `code`. [ms]"""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        subprocess.run([python, "-I", "-c", code], check=True, cwd=folder)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e3


def weigh(folder: Path) -> Weight:
    """Build, install and measure in an empty folder."""
    _pip("wheel", "--no-deps", "--wheel-dir", folder / "wheel", ROOT)
    [wheel] = (folder / "wheel").glob("lichen-*.whl")
    home = folder / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    before = _size_mb(home)
    constraints = ROOT / "constraints.txt"
    _pip("--python", python, "install", "--compile", "--constraint", constraints, wheel)
    return Weight(
        wheel_mb=wheel.stat().st_size / 1e6,
        install_mb=_size_mb(home) - before,
        packages=len(list(home.rglob("*.dist-info"))),
        bare_ms=_start_ms(python, "pass", folder),
        lichen_ms=_start_ms(python, "import lichen", folder),
    )


def keep(found: Weight) -> Path:
    """Write what was found, with machine and date."""
    RESULTS.mkdir(exist_ok=True)
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    path = RESULTS / f"{today}.csv"
    here = machine()
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("date", "cpu", "cores", "python", "measure", "value"))
        for measure, value in (
            ("wheel, MB", found.wheel_mb),
            ("install, MB", found.install_mb),
            ("packages", found.packages),
            ("bare Python, ms", found.bare_ms),
            ("import lichen, ms", found.lichen_ms),
        ):
            version = platform.python_version()
            table.writerow((today, here.name, here.logical, version, measure, f"{value:.4g}"))
    return path


def main() -> None:
    """Measure and print; the ratio comes last. Exits with 1 where a limit is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weight", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write a CSV under results/")
    chosen = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="lichen-weight-") as folder:
        found = weigh(Path(folder))
    more = found.lichen_ms - found.bare_ms
    print(f"wheel          {found.wheel_mb:8.2f} MB")
    print(f"install        {found.install_mb:8.2f} MB, limit {MOST_MB:.0f}")
    print(f"packages       {found.packages:8}, limit {MOST_PACKAGES}")
    print(f"bare Python    {found.bare_ms:8.1f} ms, median of {REPEATS}")
    print(f"import lichen  {found.lichen_ms:8.1f} ms, {more:+.1f} ms")
    if chosen.keep:
        print(f"written to {keep(found).relative_to(ROOT)}")
    print(
        f"install / limit: {found.install_mb / MOST_MB:.2f}; "
        f"import lichen / bare Python: {found.lichen_ms / found.bare_ms:.2f}x"
    )
    if not found.is_light:
        sys.exit(1)


if __name__ == "__main__":
    main()
