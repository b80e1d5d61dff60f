"""Who is measured, and how each is started.

`bare` is the limit of the run: a program that does the least that could be called a cache (for
hits) or a proxy (for pass-through). `direct` is the mock upstream itself, without a gateway.
"""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.gateway import peer, steps
from benchmarks.gateway.processes import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIRECT = "direct"
BARE = "bare"
LICHEN = "lichen"
PEER = "litellm"
# lichen with every step configured and none hit.
STEPS = "lichen, all steps"


@dataclass(frozen=True, slots=True)
class Bench:
    """What every contestant needs to start."""

    folder: Path
    """A temporary folder: ledgers, logs, configurations."""
    upstream: Running


@contextlib.contextmanager
def mock_upstream(folder: Path) -> Iterator[Running]:
    """The provider that answers at once."""
    command = [sys.executable, "-m", "benchmarks.gateway.mock_upstream", "{port}"]
    with running(command, ready="/count", log=folder / "upstream.log") as started:
        yield started


@contextlib.contextmanager
def started(name: str, kind: str, bench: Bench) -> Iterator[Running]:
    """Contestant `name`, ready for calls of `kind`, until the block ends."""
    log = bench.folder / f"{name.replace(', ', '-').replace(' ', '-')}-{kind}.log"
    if name == DIRECT:
        yield bench.upstream
    elif name == PEER:
        command = peer.command(bench.folder, upstream=bench.upstream.url, kind=kind)
        with running(
            command,
            ready=peer.READY_PATH,
            wait_s=peer.READY_WAIT_S,
            env=peer.ENVIRONMENT,
            log=log,
        ) as it:
            yield it
    else:
        is_lichen = name in (LICHEN, STEPS)
        command = _lichen(name, kind, bench) if is_lichen else _bare(kind)
        ready = "/readyz" if is_lichen else None
        env = {"BENCH_UPSTREAM": bench.upstream.url}
        if name == STEPS:
            env |= steps.write(bench.folder)
        with running(command, ready=ready, env=env, log=log) as it:
            yield it


def ledger_path(kind: str, bench: Bench, name: str = LICHEN) -> Path:
    """Where lichen keeps the book of this run."""
    return bench.folder / f"ledger-{kind}{'-steps' * (name == STEPS)}.db"


def why_absent(name: str) -> str | None:
    """Why a contestant cannot take part, or None."""
    if name in (LICHEN, STEPS):
        probe = [sys.executable, "-m", "lichen", "serve", "--help"]
        ran = subprocess.run(probe, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            said = ran.stderr.strip().splitlines() or ["no reason given"]
            return f"`lichen serve` does not run: {said[-1][-200:]}"
    if name == BARE:
        needed = ("uvicorn", "httptools", "uvloop", "orjson", "pyreqwest")
        lacking = [module for module in needed if importlib.util.find_spec(module) is None]
        if lacking:
            return f"pip install {' '.join(lacking)}"
    return None


def _lichen(name: str, kind: str, bench: Bench) -> list[str]:
    serve = [sys.executable, "-m", "lichen", "serve", "--host", "127.0.0.1", "--port", "{port}"]
    ledger = str(ledger_path(kind, bench, name))
    return [*serve, "--upstream", bench.upstream.url, "--ledger", ledger]


def _bare(kind: str) -> list[str]:
    program = "bare_server" if kind == "hit" else "bare_proxy"
    return [sys.executable, "-m", f"benchmarks.gateway.{program}", "{port}"]
