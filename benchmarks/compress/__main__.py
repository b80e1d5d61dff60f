"""`python -m benchmarks.compress`: how short prompts become, what stays, what it costs.

--needles N      of the 500 needle cases, the first N (0: none)
--peers PYTHON   also: headroom-ai, toons and toon-format, installed in that Python
--keep           write the figures to results/ with machine and date
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import platform
import statistics
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.compress import corpora
from benchmarks.compress.needles import cases
from lichen.calls.compress.exact_json import read, write
from lichen.calls.compress.expand import expand
from lichen.calls.compress.extract import Extract
from lichen.calls.compress.lossless import shorten
from lichen.text.embeddings import MiniLm
from lichen.text.tokens import tokenizer_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.compress.needles import Case

TOKENIZER = tokenizer_for("gpt-4o")
REPEATS = 25
KEEP = 0.5
RESULTS = Path(__file__).parent / "results"
PEERS = ("headroom", "toons", "toon_format")
Figures = list[dict[str, Any]]


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Median and fastest of some runs, in CPU time: the machine is shared. [ms]"""
    took = []
    for _ in range(REPEATS):
        begun = time.process_time()
        work()
        took.append((time.process_time() - begun) * 1e3)
    return statistics.median(took), min(took)


def lossless() -> Figures:
    """What becomes of rows, prose and code."""
    made: Figures = []
    for name, rows in corpora.rows().items():
        for way, text in (
            ("json.dumps", json.dumps(rows)),
            ("indent=2", json.dumps(rows, indent=2)),
            ("minified", json.dumps(rows, separators=(",", ":"), ensure_ascii=False)),
        ):
            made.append(_lossless(f"{name}, {way}", text, recovered=_recovered(text)))
    made += [_lossless(name, text, recovered="") for name, text in corpora.texts().items()]
    return made


def _lossless(name: str, text: str, recovered: str) -> dict[str, Any]:
    short = shorten(text, TOKENIZER)
    before, after = TOKENIZER.count(text), TOKENIZER.count(short)
    median, least = milliseconds(lambda: shorten(text, TOKENIZER))
    counting, _ = milliseconds(lambda: (TOKENIZER.count(text), TOKENIZER.count(short)))
    per = 10_000 / before
    return {
        "what": "lossless",
        "case": name,
        "before": before,
        "after": after,
        "change": after / before - 1,
        "kept": recovered,
        "ms_per_10k": median * per,
        "least_ms_per_10k": least * per,
        "counting_ms_per_10k": counting * per if short != text else 0.0,
    }


def _recovered(text: str) -> str:
    """How many of the rows come back, to the digit and in their order."""
    rows, back = read(text), read(expand(shorten(text, TOKENIZER)))
    same = sum(write(one) == write(other) for one, other in zip(rows, back, strict=True))
    return f"{same} of {len(rows)}"


def needles(given: Sequence[Case]) -> Figures:
    """How often the needle stays, at half the tokens that a text has when nothing is lost."""
    extract = Extract(MiniLm)
    found: dict[str, list[tuple[bool, int, int, float]]] = defaultdict(list)
    for number, case in enumerate(given):
        begun = time.process_time()
        short = extract.compress(case.context, case.question, KEEP, TOKENIZER)
        took = time.process_time() - begun
        counts = TOKENIZER.count(case.context), TOKENIZER.count(short)
        found[case.kind].append((case.needle in short, *counts, took))
        if case.needle not in short:
            print(f"  lost: {case.kind}: {case.question} | {case.needle}")
        if number % 50 == 49:
            print(f"  {number + 1} needles", flush=True)
    return [_needles("lichen", kind, told) for kind, told in found.items()]


def _needles(who: str, kind: str, told: Sequence[tuple[bool, int, int, float]]) -> dict[str, Any]:
    before, after = sum(t[1] for t in told), sum(t[2] for t in told)
    return {
        "what": f"needles, {who}",
        "case": kind,
        "before": before,
        "after": after,
        "change": after / before - 1,
        "kept": f"{sum(t[0] for t in told)} of {len(told)}",
        "ms_per_10k": sum(t[3] for t in told) / before * 1e7,
    }


def peers(python: str, given: Sequence[Case]) -> Figures:
    """The same texts through others."""
    tables = {name: json.dumps(rows) for name, rows in corpora.rows().items()}
    made: Figures = []
    for peer in PEERS:
        asked = [(text, "What do these rows say?") for text in tables.values()]
        for name, text, (short, took) in zip(
            tables, tables.values(), _through(python, peer, asked), strict=True
        ):
            before, after = TOKENIZER.count(text), TOKENIZER.count(short)
            made.append(
                {
                    "what": f"rows, {peer}",
                    "case": f"{name}, json.dumps",
                    "before": before,
                    "after": after,
                    "change": after / before - 1,
                    "kept": "failed" if short.startswith("failed: ") else "",
                    "ms_per_10k": took / before * 1e7,
                }
            )
    told = _through(python, "headroom", [(case.context, case.question) for case in given])
    found: dict[str, list[tuple[bool, int, int, float]]] = defaultdict(list)
    for case, (short, took) in zip(given, told, strict=True):
        counts = TOKENIZER.count(case.context), TOKENIZER.count(short)
        found[case.kind].append((case.needle in short, *counts, took))
    return made + [_needles("headroom", kind, one) for kind, one in found.items()]


def _through(python: str, peer: str, asked: Sequence[tuple[str, str]]) -> list[tuple[str, float]]:
    if not asked:
        return []
    done = subprocess.run(
        [python, str(Path(__file__).with_name("peer.py")), peer],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{peer} failed: {done.stderr[-2000:]}")
    made: list[tuple[str, float]] = [tuple(one) for one in json.loads(done.stdout)]
    return made


def show(figures: Figures) -> None:
    """The table, and the ratios last."""
    print(f"{'what':22} {'case':24} {'before':>8} {'after':>8} {'change':>8} {'kept':>12} ms/10k")
    for row in figures:
        print(
            f"{row['what']:22} {row['case']:24} {row['before']:8,} {row['after']:8,} "
            f"{row['change']:+8.1%} {row['kept']:>12} {row['ms_per_10k']:.2f}"
            f"{_fastest(row)}"
        )
    by = defaultdict(list)
    for row in figures:
        if row["case"].endswith("json.dumps"):
            by[row["what"]].append((row["before"], row["after"]))
    left = {what: sum(a for _, a in told) / sum(b for b, _ in told) for what, told in by.items()}
    for what, share in left.items():
        print(f"rows of JSON, {what}: {share - 1:+.1%} tokens; ratio {1 / share:.2f}")


def _fastest(row: dict[str, Any]) -> str:
    if "least_ms_per_10k" not in row:
        return ""
    told = (row["least_ms_per_10k"], row["counting_ms_per_10k"])
    return " (fastest {:.2f}; the tokenizer alone {:.2f})".format(*told)


def main() -> None:
    asks = argparse.ArgumentParser(description=__doc__)
    asks.add_argument("--needles", type=int, default=500)
    asks.add_argument("--peers", default="")
    asks.add_argument("--keep", action="store_true")
    told = asks.parse_args()
    figures = lossless()
    given = cases(500)[: told.needles] if told.needles else []
    figures += needles(given)
    if told.peers:
        figures += peers(told.peers, given)
    show(figures)
    if told.keep:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}.csv"
        names = ["machine", *dict.fromkeys(name for row in figures for name in row)]
        with path.open("w", newline="", encoding="utf-8") as out:
            lines = csv.DictWriter(out, names, lineterminator="\n")
            lines.writeheader()
            machine = f"{platform.machine()}, Python {platform.python_version()}"
            lines.writerows({"machine": machine, **row} for row in figures)
        print(f"written to {path}")


if __name__ == "__main__":
    main()
