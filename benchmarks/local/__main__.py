"""`python -m benchmarks.local`: the embedded model's tokens, metered, against the token model."""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import os
import platform
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.local.crowd import Crowded, crowded
from benchmarks.local.shape import Cost, Held, Row, measured, modelled, typical
from lichen.calls.local import LocalModel, LocalOptions
from lichen.meter.machine import machine
from lichen.meter.process import ProcessMeter
from lichen.meter.tokens import Fixed, TokenMeter

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTHS, REPEATS = (64, 256, 768, 1536), 3
QUICK_LENGTHS, QUICK_REPEATS = (64, 256), 1
KINDS = ("read", "cached", "written")
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
        f"{'prompt':>7} {'read mJ':>22} {'cached mJ':>24} {'written mJ':>22}"
        f" {'read ms':>8} {'write ms':>9} {'CPU s per timed s':>18}"
    )
    for row in rows:
        cost = row.cost
        print(
            f"{cost.prompt:7} {_mj(cost.read):>22} {_mj(cost.cached):>24} {_mj(cost.written):>22}"
            f" {row.read_ms:8.2f} {row.write_ms:9.2f}"
            f" {row.cpu_per_timed:18.2f}"
        )


def show_shape(named: Sequence[tuple[str, Sequence[Cost]]]) -> None:
    """Every meter's quotients, by prompt length."""
    print("\na written token over a read one; a cached one over a read one, at each prompt length")
    for name, costs in named:
        written = "  ".join(f"{_written(cost):8.1f}" for cost in costs)
        cached = "  ".join(f"{_cached(cost):7.2%}" for cost in costs)
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
        ends = [f"{kind}{end}_j" for kind in KINDS for end in ("", "_low", "_high")]
        table.writerow(("meter", "prompt", *ends, "machine", "date"))
        for name, costs in named:
            for cost in costs:
                every = (*cost.read, *cost.cached, *cost.written)
                table.writerow((name, cost.prompt, *(f"{j:.4g}" for j in every), where, today))
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
        f"\na cached token of {longest.prompt} keeps {_cached(longest):.2%} of a read "
        f"one's energy here, {_cached(named[-1][1][-1]):.1%} by the model"
    )
    ratios = ", ".join(
        f"{typical(costs, _written) / typical(here, _written):.0f}x ({name})"
        for name, costs in named[1:]
    )
    print(
        f"written / read: {typical(here, _written):.1f} here; the token model over that: {ratios}"
    )
    for kind in ("read", "written"):
        over = [
            getattr(one, kind).value / getattr(other, kind).value
            for one, other in zip(here, named[-1][1], strict=True)
        ]
        print(
            f"a {kind} token, here over the token model: {statistics.median(over):.2g}x "
            f"({min(over):.2g}x to {max(over):.2g}x over the lengths)"
        )


def _written(cost: Cost) -> float:
    return cost.written.value / cost.read.value


def _cached(cost: Cost) -> float:
    return cost.cached.value / cost.read.value


def _mj(held: Held) -> str:
    value, low, high = (1e3 * joules for joules in held)
    return f"{value:.3g} ({low:.3g} to {high:.3g})"


if __name__ == "__main__":
    main()
