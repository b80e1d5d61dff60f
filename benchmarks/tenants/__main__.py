"""`python -m benchmarks.tenants`: a million calls of many tenants, and whose answer each got.

The crowd of `lichen.testing.crowd` asks one service whose store is so small that answers come and
go, with sampled calls passed on and reused, then three services that share a Redis. The least that
such a call could cost is asking the same upstream without a gateway, which is the ratio. `--keep`
writes a CSV under results/.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import datetime as dt
import platform
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen import assemble
from lichen.calls.gateway import Gateway
from lichen.settings import load
from lichen.testing.crowd import Crowd, Outcome, own_answer
from lichen.testing.redis import RedisServer, find_redis
from lichen.testing.upstreams import ScriptedUpstream

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from lichen.testing.callers import HeardRequest

RESULTS = Path(__file__).parent / "results"
# Source: issue 4, "What it must reach": coalescing. Cross-tenant answers among these calls.
CALLS, TARGET = 1_000_000, 0
_SHARED = {"timeout": "5s", "memory": "200kB"}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a crowd, and the CPU time a call took with gateway, upstream and crowd [µs]."""

    what: str
    outcome: Outcome
    call_us: float


class Bare:
    """The gateway's place with nothing in it: the upstream asked each time."""

    def handle(self, request: HeardRequest) -> Coroutine[None, None, None]:
        """Ask the upstream."""
        return self._ask(request)

    async def _ask(self, request: HeardRequest) -> None:
        answer = await own_answer(request)  # type: ignore[arg-type]
        head = b"x-lichen-cache: miss\r\n"
        if answer.stream is None:
            request.respond(answer.status, head, answer.body)
            return
        request.start(answer.status, head)
        async for chunk in answer.stream:
            await request.send(chunk)
        request.end()


async def through_services(seed: int, calls: int, *, services: int = 1, **settings: Any) -> Outcome:
    """A crowd before so many services on one ledger."""
    with tempfile.TemporaryDirectory() as folder:
        told = {"ledger": f"{folder}/book.db", "cache": "memory:", **settings}
        given = load(Path(folder), environ={}, **told)
        gateways = []
        async with AsyncExitStack() as closing:
            for _ in range(services):
                book = closing.enter_context(assemble.open_book(given, on_error=print))
                answers = assemble.open_answers(given, print)
                upstream = ScriptedUpstream(own_answer)
                layers = assemble.open_layers(given, upstream, book, answers, print)
                closing.push_async_callback(layers.close)
                gateways.append(Gateway(layers))
            return await Crowd(seed).ask(gateways, calls=calls)


def timed(what: str, calls: Coroutine[Any, Any, Outcome]) -> Run:
    """Run it, and show how it went."""
    begun = time.process_time()
    outcome = asyncio.run(calls)
    run = Run(what, outcome, (time.process_time() - begun) / outcome.calls * 1e6)
    print(
        f"{what:<34}{outcome.calls:>10,}{outcome.answered:>10,}{outcome.reused:>10,}"
        f"{outcome.left:>8,}{outcome.foreign:>9}{outcome.wrong:>7}{run.call_us:>9.0f}",
        flush=True,
    )
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help="in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="write a CSV under results/")
    asked = parser.parse_args()
    shared, each = asked.calls // 20, (asked.calls - asked.calls // 20) // 2
    print(
        f"{'':<34}{'calls':>10}{'answered':>10}{'reused':>10}{'left':>8}{'foreign':>9}"
        f"{'wrong':>7}{'µs/call':>9}"
    )
    bare = timed("no gateway", Crowd(asked.seed).ask([Bare()], calls=20_000))  # type: ignore[list-item]
    runs = [
        timed(
            f"one service, sampled = {sampled}",
            through_services(asked.seed + n, each, sampled=sampled, cache_size="3MB"),
        )
        for n, sampled in enumerate(("bypass", "reuse"))
    ]
    program = find_redis()
    if program is None:
        print("three services on one Redis: not run, Redis is not installed")
    else:
        with RedisServer(program) as server:
            settings: dict[str, Any] = {"cache": server.url, "shared": _SHARED}
            crowd = through_services(asked.seed + 2, shared, services=3, **settings)
            runs.append(timed("three services on one Redis", crowd))
    _conclude([bare, *runs])
    if asked.keep:
        print(f"kept in {keep([bare, *runs])}")


def _conclude(runs: list[Run]) -> None:
    bare, *others = runs
    calls = sum(run.outcome.calls for run in others)
    foreign = sum(run.outcome.foreign + run.outcome.wrong for run in others)
    verdict = "met" if foreign <= TARGET else "MISSED"
    print(f"\nforeign or wrong answers in {calls:,} calls: {foreign}, target {TARGET}: {verdict}")
    # With no error in n calls the 95 % upper bound of its rate is 3/n (the rule of three).
    # Source: Hanley and Lippman-Hand, JAMA 249 (1983) 1743.
    print(f"so with 95 % confidence fewer than one in {calls / 3:,.0f}" if foreign == 0 else "")
    print(f"CPU time of a call beside no gateway: {others[0].call_us / bare.call_us:.2f} : 1")


def keep(runs: list[Run]) -> Path:
    """Write the runs with machine and date."""
    RESULTS.mkdir(exist_ok=True)
    now = dt.datetime.now(dt.UTC).date().isoformat()
    path = RESULTS / f"{now}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        counted = ("calls", "answered", "reused", "left", "foreign", "wrong")
        writer.writerow(("date", "machine", "what", *counted, "cpu_us_per_call"))
        where = f"{platform.machine()} Python {platform.python_version()}"
        for run in runs:
            out = run.outcome
            counts = (out.calls, out.answered, out.reused, out.left, out.foreign, out.wrong)
            writer.writerow((now, where, run.what, *counts, round(run.call_us, 1)))
    return path


if __name__ == "__main__":
    main()
