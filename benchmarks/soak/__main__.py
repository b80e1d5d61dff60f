"""`python -m benchmarks.soak [--minutes 10] [--rate 1000]`: all kinds of traffic, memory watched.

Exit code 1 where an answer was somebody else's, or the service could not be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.gateway.processes import Running, StartError, running
from benchmarks.soak import report
from benchmarks.soak.load import Seen, load
from benchmarks.soak.report import Second

# So small that they are full, and turn over, within the warm-up.
_SETTINGS = ("--cache-size", "24MB", "--ttl", "60s")
_FOR_SHORT = ("--cache-size", "4MB", "--ttl", "5s")
_LONG_S = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how fast, and from which draw."""

    seconds: float
    rate: float
    seed: int = 20261125


def main() -> int:
    """Soak, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=1000.0, help="calls a second")
    parser.add_argument("--no-csv", action="store_true", help="keep nothing")
    asked = parser.parse_args()
    plan = Plan(asked.minutes * 60, asked.rate)
    with tempfile.TemporaryDirectory(prefix="lichen-soak-") as folder:
        try:
            seconds = soak(plan, Path(folder))
        except StartError as error:
            print(error, file=sys.stderr)
            return 1
    if not asked.no_csv:
        print(f"kept in {report.keep(seconds, plan.rate)}")
    print(report.table(seconds, plan.rate))
    return int(any(second.strangers for second in seconds))


def soak(plan: Plan, folder: Path) -> list[Second]:
    """What came in each second.

    Raises:
        StartError: the service or its upstream did not come up.
    """
    settings = _SETTINGS if plan.seconds > _LONG_S else _FOR_SHORT
    program = [sys.executable, "-m", "benchmarks.soak.upstream", "{port}"]
    with running(program, ready="/ready", log=folder / "upstream.log") as upstream:
        serve = [sys.executable, "-m", "lichen", "serve", "--port", "{port}", *settings]
        serve += ["--upstream", upstream.url, "--ledger", str(folder / "book.db")]
        with running(serve, ready="/readyz", log=folder / "lichen.log") as service:
            return uvloop.run(_watched(service, plan))


async def _watched(service: Running, plan: Plan) -> list[Second]:
    seconds: list[Second] = []
    cpu_before = [service.cpu_s()]

    def each(at: float, seen: Seen) -> None:
        cpu = service.cpu_s()
        seconds.append(Second.of(at, seen, rss_mb=service.rss_mb(), cpu_s=cpu - cpu_before[0]))
        cpu_before[0] = cpu

    await load(service.url, rate=plan.rate, seconds=plan.seconds, seed=plan.seed, each=each)
    await asyncio.sleep(0)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
