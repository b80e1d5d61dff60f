"""What a soak showed: a row a minute, what should not have been, and memory with its slope."""

from __future__ import annotations

import csv
import datetime as dt
import os
import platform
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.soak.memory import slope

if TYPE_CHECKING:
    from benchmarks.soak.load import Seen

RESULTS = Path(__file__).parent / "results"
# Until then the store of answers fills and memory is meant to grow. [-]
_WARM_UP = 0.3
_COLUMNS = (
    *("at_s", "answered", "not_sent", "strangers", "p50_ms", "p99_ms", "rss_mb", "cpu_s"),
    *("load", "unexpected", "rate", "machine"),
)


@dataclass(frozen=True, slots=True)
class Second:
    """One second: when it ended [s], calls answered and not sent, latencies [ms], CPU time [s]."""

    at: float
    answered: int
    not_sent: int
    strangers: int
    p50_ms: float
    p99_ms: float
    rss_mb: float
    cpu_s: float
    load: float
    unexpected: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, at: float, seen: Seen, *, rss_mb: float, cpu_s: float) -> Second:
        """What was seen in it, with the service's memory [MB] and CPU time [s]."""
        took = sorted(seen.took)
        return cls(
            at,
            seen.count,
            seen.not_sent,
            seen.strangers,
            _quantile(took, 0.5) * 1e3,
            _quantile(took, 0.99) * 1e3,
            rss_mb,
            cpu_s,
            os.getloadavg()[0],
            Counter(seen.unexpected),
        )


def _quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def table(seconds: list[Second], rate: float) -> str:
    """The rows of the minutes, then the verdicts; the ratio of memory comes last."""
    lines = [
        (
            f"{'minute':>6} {'calls/s':>8} {'not sent':>8} {'p50 ms':>7} {'p99 ms':>7} {'CPU':>5}"
            f" {'load':>5} {'RSS MB, least to most':>22}"
        )
    ]
    length = 60.0 if seconds[-1].at >= 120 else seconds[-1].at / 5
    for number, part in enumerate(_parts(seconds, length), 1):
        took = sum(second.answered for second in part) / length
        rss = [second.rss_mb for second in part]
        lines.append(
            f"{number:6} {took:8,.0f} {sum(s.not_sent for s in part):8,}"
            f" {_middle([s.p50_ms for s in part]):7.1f} {_middle([s.p99_ms for s in part]):7.1f}"
            f" {sum(s.cpu_s for s in part) / length:5.0%} {_middle([s.load for s in part]):5.1f}"
            f" {min(rss):12.1f} to {max(rss):.1f}"
        )
    return "\n".join([*lines, *_verdicts(seconds, rate)])


def _parts(seconds: list[Second], length: float) -> list[list[Second]]:
    parts: dict[int, list[Second]] = {}
    for second in seconds:
        parts.setdefault(int((second.at - 1e-6) / length), []).append(second)
    return [part for _, part in sorted(parts.items())]


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _verdicts(seconds: list[Second], rate: float) -> list[str]:
    answered = sum(second.answered for second in seconds)
    unexpected: Counter[str] = sum((second.unexpected for second in seconds), Counter())
    asked = rate * seconds[-1].at
    lines = [
        (
            f"{answered:,} calls answered, {answered / asked:.1%} of those due; "
            f"{sum(s.not_sent for s in seconds):,} not sent since 800 were under way"
        ),
        f"answers that were somebody else's: {max(s.strangers for s in seconds)}",
        f"answers that should not have been: {sum(unexpected.values()):,} {dict(unexpected)}",
    ]
    samples = [(second.at, second.rss_mb) for second in seconds]
    found = slope(samples, warm_up_s=_WARM_UP * seconds[-1].at)
    if found is None:
        return [*lines, "memory: too short to say"]
    return [
        *lines,
        (
            f"memory after the first {_WARM_UP:.0%}: {found.per_minute:+.2f} MB/min "
            f"[{found.low:+.2f}, {found.high:+.2f}]"
        ),
        f"memory, last over first after that: {found.last_mb / found.first_mb:.3f}",
    ]


def keep(seconds: list[Second], rate: float) -> Path:
    """A row a second, in the results folder."""
    path = RESULTS / f"{dt.datetime.now(dt.UTC).date()}.csv"
    path.parent.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(_COLUMNS)
        for s in seconds:
            row = (s.p50_ms, s.p99_ms, s.rss_mb, s.cpu_s, s.load)
            counts = (s.answered, s.not_sent, s.strangers)
            wrong = sum(s.unexpected.values())
            out.writerow(
                (f"{s.at:.1f}", *counts, *(f"{value:.2f}" for value in row), wrong, rate, machine)
            )
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
