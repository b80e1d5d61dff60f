"""`python -m benchmarks.ledger`: entries per CPU second into SQLite, beside bare SQLite.

Everything an entry costs is counted: putting it, turning it into rows, roll-ups, tally, commits.
The limit is `executemany` of as many equally wide tuples, made before, into one table in WAL mode.
Beside it: what reading a report costs, and how soon an entry that was put can be read.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import itertools
import os
import platform
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ledger.flushing import Flush, flush_times
from benchmarks.ledger.reading import Reading, read_reports
from benchmarks.ledger.writing import CASES, Cost, limit_cost, writer_cost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Source: issue 2, "What must exist", 2: at least 50,000 entries a second into SQLite on one core.
TARGET_PER_S = 50_000
# Source: the same: "flush within 250 ms".
BOUND_MS = 250.0
RESULTS = Path(__file__).with_name("results")
_HEAD = ("entries", "lichen /core-s", "limit /core-s", "put µs", "write µs", "RSS MB", "of limit")


def apart(work: Callable[..., object], *arguments: object) -> object:
    """Run in a process of its own, so that memory and collections are its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def measured(case: str, count: int, repeats: int) -> Cost:
    """The middle one of some runs, limit and writer in turn."""
    runs = []
    for _ in range(repeats):
        limit, written = apart(limit_cost, case, count), apart(writer_cost, case, count)
        assert isinstance(limit, float)
        assert isinstance(written, Cost)
        runs.append(written.beside(limit))
    return sorted(runs, key=lambda run: run.per_s)[len(runs) // 2]


def main() -> None:
    """Measure and print; the ratios last."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer entries, one run each")
    parser.add_argument("--keep", action="store_true", help="write the table to results/")
    chosen = parser.parse_args()
    count, repeats = (40_000, 1) if chosen.quick else (200_000, 3)
    costs = [measured(case, count, repeats) for case in CASES]
    print(_table([_HEAD, *map(_cells, costs)]))
    print()
    small, large = (10_000, 100_000) if chosen.quick else (10_000, 1_000_000)
    readings = [apart(read_reports, entries) for entries in (small, large)]
    reports = [reading for reading in readings if isinstance(reading, Reading)]
    print(
        _table(
            [("ledger", "report ms", "an hour ms", "newest 50 ms", "file MB"), *map(_read, reports)]
        )
    )
    print()
    flush = apart(flush_times, 200 if chosen.quick else 500)
    assert isinstance(flush, Flush)
    print(_table([("put to readable", "p50 ms", "p99 ms", "longest ms"), _flushed(flush)]))
    if chosen.keep:
        print(f"kept in {keep([*costs, *reports, flush])}")
    print()
    print("\n".join([*verdicts(costs, reports), verdict(flush)]))


def verdicts(costs: Sequence[Cost], reports: Sequence[Reading]) -> list[str]:
    """How lichen stands to its target and its limit."""
    lines = [
        f"{cost.case}: {cost.per_s:,.0f} entries a CPU second "
        f"(>= {TARGET_PER_S:,}: {'reached' if cost.per_s >= TARGET_PER_S else 'MISSED'}), "
        f"{cost.of_limit:.2f} of bare SQLite"
        for cost in costs
    ]
    one, many = reports
    more, longer = many.entries / one.entries, many.report_ms / one.report_ms
    return [*lines, f"a report over {more:.0f} times the entries takes {longer:.2f} times as long"]


def verdict(flush: Flush) -> str:
    """Whether entries are on disk in time."""
    held = "held" if flush.longest_ms <= BOUND_MS else "MISSED"
    return (
        f"put to readable: p99 {flush.p99_ms:.0f} ms, longest {flush.longest_ms:.0f} ms "
        f"(<= {BOUND_MS:.0f} ms: {held})"
    )


def keep(results: Sequence[Cost | Reading | Flush]) -> Path:
    """Write what was measured below `results/`, named by date."""
    about = {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "cpu": _cpu_name(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{about['date']}.csv"
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*about, "what", "measure", "value"])
        for what, measure, value in itertools.chain(*(each.rows() for each in results)):
            writer.writerow([*about.values(), what, measure, round(value, 3)])
    return path


def _cpu_name() -> str:
    rows = Path("/proc/cpuinfo").read_text().splitlines()
    names = (row.partition(":")[2].strip() for row in rows if row.startswith("model name"))
    return re.sub(r"\((R|TM)\)|CPU|@.*", "", next(names, platform.machine())).strip()


def _cells(cost: Cost) -> tuple[str, ...]:
    return (
        cost.case,
        f"{cost.per_s:,.0f}",
        f"{1 / cost.limit_s:,.0f}",
        f"{cost.put_s * 1e6:.2f}",
        f"{cost.write_s * 1e6:.2f}",
        f"{cost.rss_mb:.0f}",
        f"{cost.of_limit:.2f}",
    )


def _flushed(flush: Flush) -> tuple[str, ...]:
    times = (flush.p50_ms, flush.p99_ms, flush.longest_ms)
    return f"{flush.entries:,} entries", *(f"{each:.1f}" for each in times)


def _read(reading: Reading) -> tuple[str, ...]:
    return (
        f"{reading.entries:,} entries",
        f"{reading.report_ms:.2f}",
        f"{reading.hour_ms:.2f}",
        f"{reading.newest_ms:.2f}",
        f"{reading.file_mb:.1f}",
    )


def _table(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if place else text.ljust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


if __name__ == "__main__":
    main()
