"""`python -m benchmarks.gate`: what the gate costs a call that it does not answer.

All calls go through `admit` and `at_once` of a gate with so many rules; none meets one. The ratio,
last, is to the limit that the project set itself: 5 µs a call. `--keep` writes to results/.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import platform
import statistics
import time
import timeit
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from lichen import assemble
from lichen.calls.directives import NO_WISHES
from lichen.calls.exchange import Exchange
from lichen.calls.gate.step import Gate
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.ledger.book import Book
from lichen.ledger.memory import MemoryStore
from lichen.settings import load
from lichen.testing.upstreams import ScriptedUpstream, chat_answer, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    # A gate, a question, what it took [µs] and its ratio to the limit.
    Row = tuple[str, str, float, float]

RESULTS = Path(__file__).parent / "results"
REPEATS = 7
# Source: issue 4, point 5: configured and not matching. [µs]
LIMIT_US = 5.0
EXACT = [{"exact": f"question {n}", "answer": "x"} for n in range(20)]
PATTERNS = [{"pattern": rf"(?i)^hours in (?P<city>\w+) {n}\??$", "answer": "x"} for n in range(20)]
LOCAL = [{"local": ["arithmetic", "dates"]}]
OTHERS = [{"empty": True}, {"longer": 100_000}, {"max_tokens": 100_000, "n": 8}]
GATES: dict[str, dict[str, Any]] = {
    "20 exact rules": {"rule": EXACT},
    "20 patterns": {"rule": PATTERNS},
    "sums and dates": {"rule": LOCAL},
    "empty, longer, caps": {"rule": OTHERS},
    "all of these": {"rule": [*EXACT, *PATTERNS, *LOCAL, *OTHERS]},
    "rules for another model": {"rule": [{**rule, "model": "o3*"} for rule in PATTERNS]},
}
TEXTS = {
    "80 characters": "Please write a short and friendly note to a colleague who joined us today.",
    "4,000 characters": "Please summarise this text about lichens and the air. " * 74,
}


def microseconds(work: Callable[[], object]) -> float:
    """The median over some repeats of the CPU time that `work` takes. [µs]"""
    timer = timeit.Timer(work, timer=time.process_time)
    count, _ = timer.autorange()
    return statistics.median(timer.repeat(REPEATS, count)) / count * 1e6


def gate_with(told: dict[str, Any]) -> Gate:
    settings = load(environ={}, ledger="memory:", cache="memory:", gate=told)
    book = Book(MemoryStore(), assemble.make_pricer(settings))
    upstream = ScriptedUpstream(whole(chat_answer()))
    answers = assemble.open_answers(settings, print)
    layers = assemble.open_layers(settings, upstream, book, answers, print)
    return next(step for step in layers.steps if isinstance(step, Gate))


def exchange_with(text: str) -> Exchange:
    asked: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": text}],
    }
    asked |= {"max_tokens": 500}
    body = orjson.dumps(asked)
    call = OPENAI.read_call("chat.completions", b"/v1/chat/completions", body)
    return Exchange("POST", "/v1/chat/completions", [], body, "t", 0, NO_WISHES, call)


def cost(gate: Gate, exchange: Exchange) -> float:
    def work() -> None:
        gate.admit(exchange)
        assert gate.at_once(exchange) is None

    return microseconds(work)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write to results/")
    asked = parser.parse_args()
    rows = measured()
    if asked.keep:
        print(f"kept in {keep(rows)}")


def measured() -> list[Row]:
    """Measure each gate with each question, and print what it took as it comes."""
    rows = []
    print(f"{'gate':26}{'question':20}{'µs':>8}{'of the limit':>14}")
    for name, told in GATES.items():
        gate = gate_with(told)
        for length, text in TEXTS.items():
            took = cost(gate, exchange_with(text))
            ratio = took / LIMIT_US
            rows.append((name, length, round(took, 2), round(ratio, 2)))
            print(f"{name:26}{length:20}{took:8.2f}{ratio:14.2f}")
    return rows


def keep(rows: Sequence[Row]) -> Path:
    """Write what was measured, with machine and date."""
    RESULTS.mkdir(exist_ok=True)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    path = RESULTS / f"{today}.csv"
    machine = f"{platform.processor() or platform.machine()}, Python {platform.python_version()}"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("gate", "question", "us", "of_limit", "machine", "date"))
        out.writerows((*row, machine, today) for row in rows)
    return path


if __name__ == "__main__":
    main()
