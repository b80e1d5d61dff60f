"""Prints what was measured, the ratios last, and keeps it as CSV with machine and date."""

from __future__ import annotations

import csv
import datetime as dt
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.gateway.contestants import BARE, DIRECT, LICHEN, PEER, STEPS
from benchmarks.gateway.measure import Row

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True, slots=True)
class Target:
    """What lichen must reach at 64 clients, whole bodies."""

    kind: str
    per_core_s: float
    of_bare: float
    p99_ms: float


# Source: what the project set itself (README.md beside this file, "What it must reach").
TARGETS = (Target("hit", 25_000, 0.60, 5.0), Target("pass", 8_000, 0.75, 12.0))
TARGET_CLIENTS = 64
RSS_MB = 90.0
ADDED_P50_MS = 0.3

_NAMES = {"hit": "exact hit", "pass": "pass-through"}
_HEAD = ("call", "clients", "who", "req/core-s", "req/s", "p50 ms", "p99 ms", "RSS MB", "upstream")


def table(rows: Iterable[Row]) -> str:
    """The measurements as aligned text, one line each."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column in {0, 2} else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def verdicts(rows: Sequence[Row]) -> list[str]:
    """The ratios, and how lichen stands to its targets."""
    found = {(row.kind, row.mode, row.clients, row.who): row for row in rows}
    lines = [line for row in rows if row.who == LICHEN for line in _ratios(row, found)]
    lines += [line for row in rows if row.who == STEPS for line in _beside(row, found)]
    for target in TARGETS:
        lines.extend(_against(target, found))
    lichen = [row for row in rows if row.who == LICHEN]
    if lichen:
        worst = max(row.rss_mb for row in lichen)
        lines.append(f"RSS of lichen: {worst:.0f} MB (<= {RSS_MB:.0f}: {_mark(worst <= RSS_MB)})")
    return lines


def keep(rows: Sequence[Row], *, versions: Mapping[str, str]) -> Path:
    """Write the rows below `results/`, named by date and machine."""
    about = {"date": dt.datetime.now(tz=dt.UTC).date().isoformat(), **machine()}
    RESULTS.mkdir(exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", f"{about['cpu']}-{about['cores']}-cores".lower()).strip("-")
    path = RESULTS / f"{about['date']}-{slug}.csv"
    with path.open("w", newline="") as out:
        fields = [*about, "version", *asdict(rows[0])]
        writer = csv.DictWriter(out, fieldnames=fields, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            measured = {
                name: round(value, 3) if isinstance(value, float) else value
                for name, value in asdict(row).items()
            }
            writer.writerow({**about, "version": versions.get(row.who, ""), **measured})
    return path


def machine() -> dict[str, str]:
    """What the numbers were measured on."""
    return {
        "cpu": _cpu_name(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }


def _cpu_name() -> str:
    rows = Path("/proc/cpuinfo").read_text().splitlines()
    names = (row.partition(":")[2].strip() for row in rows if row.startswith("model name"))
    name = next(names, platform.machine())
    return re.sub(r"\((R|TM)\)|CPU|@.*", "", name).strip()


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"{_NAMES[row.kind]}, {row.mode}",
        str(row.clients),
        row.who + (f" ({row.errors} errors)" if row.errors else ""),
        f"{row.per_core_s:,.0f}",
        f"{row.per_s:,.0f}",
        f"{row.p50_ms:.2f}",
        f"{row.p99_ms:.2f}",
        f"{row.rss_mb:.0f}",
        f"{row.upstream_share:.2f}",
    )


_Found = Mapping[tuple[str, str, int, str], Row]


def _ratios(row: Row, found: _Found) -> list[str]:
    parts = []
    for other in (BARE, PEER):
        rival = found.get((row.kind, row.mode, row.clients, other))
        if rival is not None:
            parts.append(f"{row.per_core_s / rival.per_core_s:.2f} × {other}")
    if not parts:
        return []
    shape = f"{_NAMES[row.kind]}, {row.mode}, {row.clients} clients"
    return [f"{shape}: lichen does {', '.join(parts)} per core-second"]


def _beside(row: Row, found: _Found) -> list[str]:
    """What it costs to have every step configured."""
    plain = found.get((row.kind, row.mode, row.clients, LICHEN))
    if plain is None:
        return []
    shape = f"{_NAMES[row.kind]}, {row.mode}, {row.clients} clients"
    ratio = row.per_core_s / plain.per_core_s
    return [f"{shape}: with all steps configured and none hit {ratio:.2f} × without, per core-s"]


def _against(target: Target, found: _Found) -> list[str]:
    at = (target.kind, "whole", TARGET_CLIENTS)
    lichen, bare = found.get((*at, LICHEN)), found.get((*at, BARE))
    if lichen is None:
        return [f"target, {_NAMES[target.kind]}, {TARGET_CLIENTS} clients: not measured"]
    checks = [
        (f"{lichen.per_core_s:,.0f} req/core-s", f">= {target.per_core_s:,.0f}",
         lichen.per_core_s >= target.per_core_s),
        (f"p99 {lichen.p99_ms:.1f} ms", f"<= {target.p99_ms:g}", lichen.p99_ms <= target.p99_ms),
    ]  # fmt: skip
    if bare is not None:
        ratio = lichen.per_core_s / bare.per_core_s
        checks.append((f"{ratio:.2f} of bare", f">= {target.of_bare:g}", ratio >= target.of_bare))
    checks.extend(_added(target, found))
    told = "; ".join(f"{is_} ({wanted}: {_mark(ok)})" for is_, wanted, ok in checks)
    return [f"target, {_NAMES[target.kind]}, {TARGET_CLIENTS} clients: {told}"]


def _added(target: Target, found: _Found) -> list[tuple[str, str, bool]]:
    lichen = found.get((target.kind, "whole", 1, LICHEN))
    direct = found.get((target.kind, "whole", 1, DIRECT))
    if lichen is None or direct is None:
        return []
    added = lichen.p50_ms - direct.p50_ms
    return [(f"adds {added:.2f} ms at 1 client", f"<= {ADDED_P50_MS:g}", added <= ADDED_P50_MS)]


def _mark(reached: bool) -> str:  # noqa: FBT001 (it turns a truth into a word)
    return "reached" if reached else "MISSED"
