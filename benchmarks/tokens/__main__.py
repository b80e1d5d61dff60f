"""`python -m benchmarks.tokens`: what reading a call costs, against ecologits, in one process.

With `--shape` also: prefill, decode and cache timings of a real llama.cpp server, beside what the
token model says of the same model at the same lengths.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import logging
import math
import platform
import statistics
import time
import timeit
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tokens.shape import print_shape
from lichen.ledger.tokens import Tokens
from lichen.meter.tokens import TokenMeter

if TYPE_CHECKING:
    from collections.abc import Callable

CALL = Tokens(prefill=1020, cache_read=512, decode=129, reasoning=64)
MODELS = (
    ("openai", "gpt-4o"),
    ("anthropic", "claude-opus-4-5"),
    ("google_genai", "gemini-2.5-flash"),
    ("mistralai", "mistral-large-2512"),
    ("huggingface_hub", "meta-llama/Meta-Llama-3.1-8B"),
)
REPEATS = 7
# Source: issue 2, "What it must reach": a token footprint of a call. [µs]
TARGET_US = 15.0
RESULTS = Path(__file__).parent / "results"


def microseconds(work: Callable[[], object]) -> float:
    """The median over some repeats of the time `work` takes. [µs]"""
    timer = timeit.Timer(work)
    count, _ = timer.autorange()
    return statistics.median(timer.repeat(REPEATS, count)) / count * 1e6


def first_reading_ms(model: str) -> float:
    """Median time of a meter's first reading of a model, the meter made before. [ms]"""
    took = []
    for _ in range(REPEATS):
        meter = TokenMeter()
        start = time.perf_counter()
        meter.read(model, CALL)
        took.append((time.perf_counter() - start) * 1e3)
    return statistics.median(took)


def meter_ms() -> float:
    """Median time of making a meter. [ms]"""
    return statistics.median(timeit.repeat(TokenMeter, number=1, repeat=REPEATS)) * 1e3


def speed() -> list[tuple[str, float, float, float]]:
    """For each model: first reading [ms], a reading [µs], ecologits' [µs]."""
    from ecologits.tracers.utils import llm_impacts  # noqa: PLC0415 (heavy, and only here)

    logging.getLogger("ecologits").setLevel(logging.CRITICAL)
    meter = TokenMeter()
    output = CALL.output
    return [
        (
            name,
            first_reading_ms(name),
            microseconds(lambda name=name: meter.read(name, CALL)),  # type: ignore[misc]
            microseconds(
                lambda provider=provider, name=name: llm_impacts(  # type: ignore[misc]
                    provider, name, output, math.inf, "WOR"
                )
            ),
        )
        for provider, name in MODELS
    ]


def keep(table: list[tuple[str, float, float, float]]) -> Path:
    """Write the table with machine and date."""
    RESULTS.mkdir(exist_ok=True)
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    path = RESULTS / f"{today}.csv"
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("model", "first_ms", "lichen_us", "ecologits_us", "machine", "date"))
        writer.writerows((*map(_short, row), machine, today) for row in table)
    return path


def _short(cell: object) -> object:
    return f"{cell:.3g}" if isinstance(cell, float) else cell


def main() -> None:
    """Measure and print; the ratio comes last."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tokens", description=__doc__)
    parser.add_argument("--shape", action="store_true", help="time a real llama.cpp server too")
    parser.add_argument("--keep", action="store_true", help="write a CSV under results/")
    chosen = parser.parse_args()

    if chosen.shape:
        print_shape()
    table = speed()
    print(f"a call: {CALL}; medians of {REPEATS} runs; making a meter takes {meter_ms():.1f} ms")
    print(f"{'model':32} {'first, ms':>10} {'lichen, µs':>11} {'ecologits, µs':>14} {'ratio':>7}")
    for name, first, ours, theirs in table:
        print(f"{name:32} {first:10.1f} {ours:11.2f} {theirs:14.1f} {theirs / ours:6.0f}x")
    print(f"{'a model nobody knows':32} {first_reading_ms('nobody-knows'):10.1f}")
    if chosen.keep:
        print(f"written to {keep(table).relative_to(Path.cwd())}")
    ours = statistics.median(row[2] for row in table)
    theirs = statistics.median(row[3] for row in table)
    met = "met" if ours <= TARGET_US else "MISSED"
    print(
        f"lichen {ours:.2f} µs a call, target {TARGET_US:.0f} µs {met}; ecologits {theirs:.0f} µs; "
        f"ratio {theirs / ours:.0f}x"
    )


if __name__ == "__main__":
    main()
