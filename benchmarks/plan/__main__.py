"""`python -m benchmarks.plan`: two papers' savings, beside ours, and what a plan costs.

Recorded traces lie beside the checkout, in `../shared/data/carbon`, or where `--data` says. Without
them only the speed is measured.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.plan.proving import proving
from benchmarks.plan.published import cells, waiting, year_2022
from benchmarks.plan.replanning import worth
from benchmarks.plan.speed import batches, exact_plans, restart_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.plan.speed import Batch, Exact

# Source: issue 3, "Data and checks".
TARGET_CELLS = 1e-4
TARGET_POINTS = 0.15
TARGET_PLANS_PER_MIN = 1e6
TARGET_EXACT_MS = 5.0
ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results")
REPLANNED = [
    (zone, *hours)
    for zone in ("DE", "GB", "US-CAL-CISO")
    for hours in ((48, 168), (24, 72), (4, 24))
]
PAUSED = [
    (zone, *hours)
    for zone in ("DE", "GB", "FR", "US-CAL-CISO")
    for hours in ((4, 24), (24, 72), (48, 168), (24, 36))
]
Row = tuple[str, str, float]


def published_rows(carbon: Path) -> Iterator[Row]:
    """The savings of two papers, and what a restart takes of one."""
    found = cells(carbon)
    for name in ("run_now", "contiguous", "interruptible"):
        yield f"{found.cells} published cells", f"{name}, worst difference", getattr(found, name)
    for one in waiting(carbon):
        for name, ours, theirs in zip(
            ("in one piece", "pausing"), one.ours, one.theirs, strict=True
        ):
            yield f"next workday, {one.zone}", f"{name}, saved %", ours
            yield f"next workday, {one.zone}", f"{name}, published %", theirs
    free, restarting = restart_points(year_2022(carbon, "DE"))
    yield "24 h in 72 h, DE 2022", "saved with free pauses %", free
    yield "24 h in 72 h, DE 2022", "saved with restarts of 6 min %", restarting


def proving_rows(carbon: Path) -> Iterator[Row]:
    """What it costs that no deadline hangs on a checkpoint that nobody has seen."""
    for zone, job_h, within_h in PAUSED:
        found = proving(year_2022(carbon, zone), job_h, within_h)
        what = f"{job_h} h in {within_h} h, {zone} 2022"
        yield what, "pauses wherever they are best, share of run-now %", found.free
        yield what, "as planned before a first checkpoint, share %", found.provable
        yield what, "plans whose first pause is earlier for it %", found.earlier


def replanning_rows(carbon: Path, jobs: int) -> Iterator[Row]:
    """What asking again every hour is worth."""
    for zone, job_h, within_h in REPLANNED:
        for one in worth(year_2022(carbon, zone), job_h, within_h, jobs):
            what = f"{job_h} h in {within_h} h, {zone} 2022, history only"
            yield what, f"{one.what}, share of the oracle %", one.share
            yield what, f"{one.what}, plans a job", one.plans


def speed_rows(many: list[Batch], exact: list[Exact]) -> Iterator[Row]:
    """What plans cost, in CPU time of one core."""
    for batch in many:
        yield f"week-ahead plans {batch.what}", "a minute", batch.lichen * 60
        yield f"week-ahead plans {batch.what}", "a minute, plain loop", batch.loop * 60
    for one in exact:
        what = f"48 h in a week by {one.step}, restart 6 min"
        yield what, "exact plan, ms", one.states_ms
        yield what, "priced plan of Shift, ms", one.policy_ms


def main() -> None:
    """Measure and print; the ratio comes last."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plan", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "carbon")
    parser.add_argument(
        "--replan", type=int, default=0, help="jobs to re-plan hourly; takes minutes"
    )
    parser.add_argument("--keep", action="store_true", help="write a CSV under results/")
    chosen = parser.parse_args()

    many, exact = batches(200_000), exact_plans()
    rows = list(speed_rows(many, exact))
    if chosen.data.is_dir():
        rows += published_rows(chosen.data)
        rows += proving_rows(chosen.data)
        rows += replanning_rows(chosen.data, chosen.replan) if chosen.replan else ()
    else:
        print(f"no recorded traces in {chosen.data}: the papers' savings are left out")
    for what, measure, value in rows:
        print(f"{what:44} {measure:44} {value:14,.7g}")
    if chosen.keep:
        print(f"written to {keep(rows)}")
    print("\n".join(verdicts(rows, many)))


def verdicts(rows: list[Row], many: list[Batch]) -> Iterator[str]:
    """How the figures stand to their targets; the ratio last."""
    found = {(what, measure): value for what, measure, value in rows}
    differences = [value for (_, measure), value in found.items() if "worst" in measure]
    if differences:
        yield _verdict("published cells, relative", max(differences), TARGET_CELLS)
        points = [
            abs(value - found[what, measure.replace("saved", "published")])
            for (what, measure), value in found.items()
            if what.startswith("next workday") and "saved" in measure
        ]
        yield _verdict("next workday, points", max(points), TARGET_POINTS)
    hourly = next(value for (_, measure), value in found.items() if measure.endswith("Shift, ms"))
    yield _verdict("exact week by hours, ms", hourly, TARGET_EXACT_MS)
    slowest = min(many, key=lambda batch: batch.lichen)
    reached = "reached" if slowest.lichen * 60 >= TARGET_PLANS_PER_MIN else "MISSED"
    yield (
        f"{slowest.lichen * 60:,.0f} plans a minute and core {slowest.what} "
        f"(>= {TARGET_PLANS_PER_MIN:,.0f}: {reached}), {slowest.lichen / slowest.loop:.0f} times "
        "the plain loop"
    )


def _verdict(what: str, value: float, most: float) -> str:
    return f"{what}: {value:.3g} (<= {most:g}: {'reached' if value <= most else 'MISSED'})"


def keep(rows: list[Row]) -> Path:
    """Write what was measured below `results/`, named by date."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (row.partition(":")[2].strip() for row in cpu if row.startswith("model name"))
    about = {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "cpu": re.sub(r"\((R|TM)\)|CPU|@.*", "", next(names, platform.machine())).strip(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{about['date']}.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*about, "what", "measure", "value"])
        for what, measure, value in rows:
            writer.writerow([*about.values(), what, measure, f"{value:.6g}"])
    return path.relative_to(ROOT)


if __name__ == "__main__":
    main()
