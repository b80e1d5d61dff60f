"""`python -m benchmarks.deferred`: ten thousand calls that wait, through kills, and their cost."""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import platform
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lichen.meter.machine import machine
from lichen.testing.deferring import Caller, Counted, Killed, by_many, fetch, leave, marked
from lichen.testing.postgres import PostgresServer, find_programs
from lichen.testing.provider import ScriptedProvider
from lichen.testing.service import RunningService

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESULTS = Path(__file__).parent / "results"
CALLS, QUICK_CALLS = 10_000, 1_000
QUICKLY = {"LICHEN_BATCH_LEASE": "2s"}


class Run(NamedTuple):
    """One run: what was left and what came of it; times in seconds, CPU in ms a call."""

    name: str
    calls: int
    kills: int
    lost: int
    sent_twice: int
    unmarked: int
    marked: int
    leave_s: float
    whole_s: float
    cpu_ms: float


def cpu_s(pid: int) -> float:
    """CPU time of a process so far. [s]"""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def passed(calls: int, folder: Path) -> float:
    """CPU time of a call that does not wait, through the same service. [ms]"""
    with ScriptedProvider() as upstream, RunningService(folder, upstream=upstream.url) as service:
        keys = [f"call {n}" for n in range(calls)]

        def one(caller: Caller, key: str) -> int:
            asked = {"model": "m", "messages": [{"role": "user", "content": key}]}
            body = json.dumps(asked)
            return caller.until(
                lambda heard: heard.status == 200, "POST", "/v1/chat/completions", body=body
            ).status

        by_many(service, keys[:50], one)
        began = cpu_s(service.pid)
        by_many(service, keys, one)
        return (cpu_s(service.pid) - began) / calls * 1000


def deferred(name: str, calls: int, folder: Path, ledger: str, kills: int) -> Run:
    """Leave calls, kill the service, fetch the answers, count what the provider saw."""
    keys = [f"call {n}" for n in range(calls)]
    with ExitStack() as stack:
        upstream = stack.enter_context(ScriptedProvider())
        counted = Counted(upstream)
        service = stack.enter_context(
            RunningService(folder, upstream=upstream.url, ledger=ledger, environ=QUICKLY)
        )
        # It should be killed all along: about once in so many seconds at the usual rate.
        every = (0.3, 2.0 * calls / 400 / max(kills, 1))
        killer = stack.enter_context(Killed(service, every=every, times=kills))
        began, used = time.monotonic(), cpu_s(service.pid)
        left = leave(service, keys, within="6h")
        leave_s = time.monotonic() - began
        answers = fetch(service, left)
        whole_s = time.monotonic() - began
        spent = 0.0 if kills else cpu_s(service.pid) - used
    return _counted(name, keys, counted.sent, answers)._replace(
        kills=killer.kills,
        leave_s=leave_s,
        whole_s=whole_s,
        cpu_ms=spent / calls * 1000,
        marked=len(marked(ledger)),
    )


def _counted(
    name: str, keys: Sequence[str], sent: Mapping[str, int], answers: Mapping[str, object]
) -> Run:
    told = {
        key
        for key, heard in answers.items()
        if "x-lichen-maybe-sent-twice" in getattr(heard, "headers", {})
    }
    twice = {key for key, many in sent.items() if many > 1}
    lost = len(set(keys) - sent.keys()) + len(keys) - len(answers)
    return Run(name, len(keys), 0, lost, len(twice), len(twice - told), 0, 0.0, 0.0, 0.0)


def show(runs: Sequence[Run], pass_ms: float) -> None:
    """The table, the ratio last."""
    print(
        f"{'':22} {'calls':>7} {'kills':>6} {'lost':>5} {'sent twice':>11} {'unmarked':>9}"
        f" {'marked':>7} {'left /s':>8} {'answered /s':>12} {'CPU ms a call':>14}"
    )
    for run in runs:
        cpu = f"{run.cpu_ms:14.2f}" if run.cpu_ms else f"{'–':>14}"
        print(
            f"{run.name:22} {run.calls:7,} {run.kills:6} {run.lost:5} {run.sent_twice:11}"
            f" {run.unmarked:9} {run.marked:7} {run.calls / run.leave_s:8.0f}"
            f" {run.calls / run.whole_s:12.0f} {cpu}"
        )
    print(f"{'passed through':22} {'':84} {pass_ms:14.2f}")
    for run in runs:
        if run.cpu_ms:
            print(
                f"{run.name}: CPU of a call that waits / one that passes {run.cpu_ms / pass_ms:.2f}"
            )
    bad = sum(run.lost + run.unmarked for run in runs)
    calls = sum(run.calls for run in runs)
    print(f"lost or sent twice unmarked / left {bad} / {calls:,}")


def keep(runs: Sequence[Run], pass_ms: float) -> Path:
    """Write what was measured, with machine and date."""
    RESULTS.mkdir(exist_ok=True)
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    here = machine()
    where = f"{here.name}, {here.logical} CPUs, Python {platform.python_version()}"
    path = RESULTS / f"{today}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([*Run._fields, "pass_cpu_ms", "machine", "date"])
        for run in runs:
            out.writerow([*run, f"{pass_ms:.3f}", where, today])
    return path


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deferred")
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    parser.add_argument("--keep", action="store_true", help="write to results/")
    asked = parser.parse_args()
    calls = QUICK_CALLS if asked.quick else CALLS
    kills = 8 if asked.quick else 40
    runs = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        runs.append(deferred("SQLite", calls, folder, str(folder / "calm.db"), 0))
        runs.append(deferred("SQLite, killed", calls, folder, str(folder / "killed.db"), kills))
        if (programs := find_programs()) is not None:
            server = stack.enter_context(PostgresServer(programs))
            runs.append(deferred("PostgreSQL, killed", calls, folder, server.dsn, kills))
        (folder / "passed").mkdir()
        pass_ms = passed(calls, folder / "passed")
    show(runs, pass_ms)
    if asked.keep:
        print(f"kept in {keep(runs, pass_ms)}")


if __name__ == "__main__":
    main()
