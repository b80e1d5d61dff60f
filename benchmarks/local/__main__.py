"""`python -m benchmarks.local`: the embedded model's tokens, metered, against the token model."""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.local.crowd import Crowded, crowded
from benchmarks.local.shape import Cost, Row, measured, modelled, typical
from lichen.calls.local import LocalModel, LocalOptions
from lichen.meter.machine import machine
from lichen.meter.process import ProcessMeter
from lichen.meter.tokens import Fixed, TokenMeter

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTHS, REPEATS = (64, 256, 768, 1536), 3
QUICK_LENGTHS, QUICK_REPEATS = (64, 256), 1
RESULTS = Path(__file__).parent / "results"
# The token model with nobody beside you, with a usual crowd, and as wide as it is by default.
MODELS = (("batch 1", 1.0), ("batch 64", 64.0), ("default", None))


def memory_mb(pid: int) -> float:
    """Resident memory of a process. [MB]"""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def show_tokens(rows: Sequence[Row], meter: ProcessMeter) -> None:
    """The measured table."""
    print(f"{meter.power} a busy CPU ({meter.factors}: {meter.why})")
    print(
        f"{'prompt':>7} {'read mJ':>8} {'cached mJ':>10} {'written mJ':>11}"
        f" {'read ms':>8} {'write ms':>9} {'CPU s per timed s':>18}"
    )
    for row in rows:
        cost = row.cost
        print(
            f"{cost.prompt:7} {cost.read * 1e3:8.2f} {cost.cached * 1e3:10.3f}"
            f" {cost.written * 1e3:11.2f} {row.read_ms:8.2f} {row.write_ms:9.2f}"
            f" {row.cpu_per_timed:18.2f}"
        )


def show_shape(named: Sequence[tuple[str, Sequence[Cost]]]) -> None:
    """Every meter's quotients, by prompt length."""
    print("\na written token over a read one; a cached one over a read one, at each prompt length")
    for name, costs in named:
        written = "  ".join(f"{cost.written / cost.read:8.1f}" for cost in costs)
        cached = "  ".join(f"{cost.cached / cost.read:7.2%}" for cost in costs)
        print(f"{name:>9}: written {written}   cached {cached}")


def show_crowd() -> None:
    """Threads against neighbours."""
    print(f"\n{'threads':>8} {'neighbours':>11} {'wall s':>7} {'CPU s':>6} {'load s':>7}")
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        for neighbours in (0, 1):
            took: Crowded = crowded(threads, neighbours)
            print(
                f"{threads:8} {neighbours:11} {took.wall_s:7.2f} {took.cpu_s:6.2f}"
                f" {took.load_s:7.2f}"
            )


def keep(named: Sequence[tuple[str, Sequence[Cost]]]) -> Path:
    """Write every meter's costs with machine and date."""
    RESULTS.mkdir(exist_ok=True)
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    here = machine()
    where = f"{here.name}, {here.logical} CPUs, Python {platform.python_version()}"
    path = RESULTS / f"{today}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("meter", "prompt", "read_j", "cached_j", "written_j", "machine", "date"))
        for name, costs in named:
            for cost in costs:
                joules = (f"{each:.4g}" for each in (cost.read, cost.cached, cost.written))
                table.writerow((name, cost.prompt, *joules, where, today))
    return path


def main() -> None:
    """Measure and print; the ratio comes last."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.local", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short prompts, once")
    parser.add_argument("--crowd", action="store_true", help="also threads against neighbours")
    parser.add_argument("--keep", action="store_true", help="write a CSV under results/")
    chosen = parser.parse_args()
    lengths, repeats = (QUICK_LENGTHS, QUICK_REPEATS) if chosen.quick else (LENGTHS, REPEATS)

    with LocalModel(options=LocalOptions(slots=1)) as model:
        meter = ProcessMeter(model.pid)
        rows = measured(model, meter, lengths, repeats)
        print(
            f"{model.model}: {memory_mb(model.pid):.0f} MB resident in the child, "
            f"{memory_mb(os.getpid()):.0f} MB in its parent"
        )
    here = [row.cost for row in rows]
    prompts = [cost.prompt for cost in here]
    named: list[tuple[str, Sequence[Cost]]] = [("measured", here)]
    for name, batch in MODELS:
        token_meter = TokenMeter() if batch is None else TokenMeter(batch=Fixed(batch))
        named.append((name, modelled(token_meter, prompts)))
    show_tokens(rows, meter)
    show_shape(named)
    if chosen.crowd:
        show_crowd()
    if chosen.keep:
        print(f"written to {keep(named).relative_to(Path.cwd())}")
    longest = here[-1]
    print(
        f"\na cached token of {longest.prompt} keeps {longest.cached / longest.read:.2%} of a read "
        f"one's energy here, {named[-1][1][-1].cached / named[-1][1][-1].read:.1%} by the model"
    )
    ratios = ", ".join(
        f"{typical(costs, _written) / typical(here, _written):.0f}x ({name})"
        for name, costs in named[1:]
    )
    print(
        f"written / read: {typical(here, _written):.1f} here; the token model over that: {ratios}"
    )


def _written(cost: Cost) -> float:
    return cost.written / cost.read


if __name__ == "__main__":
    main()
