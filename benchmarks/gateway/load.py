"""Loads a server with wrk, in a process of its own, and reads what wrk saw."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("load.lua")
_RESULT = re.compile(r"(\w+)=(\d+)")
# A gateway slower than this per call is out of the comparison.
_TIMEOUT_S = 10


class LoadError(RuntimeError):
    """The load could not be made."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What to send: which bodies, streamed or not, by how many clients."""

    kind: str
    """`hit`: ten bodies again and again. `pass`: every prompt is new."""
    mode: str
    """`whole` or `stream`."""
    clients: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What the clients saw."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the credential and the name of the model."""

    key: str
    model: str


def find_wrk() -> str:
    """Where wrk is.

    Raises:
        LoadError: it is not installed.
    """
    found = shutil.which("wrk")
    if found is None:
        raise LoadError("wrk is not installed: apt-get install wrk (or brew install wrk)")
    return found


def load(url: str, shape: Shape, *, caller: Caller, seed: str) -> Seen:
    """Call `url` as `shape` says, with one thread.

    Args:
        url: scheme, host and port.
        shape: what to send.
        caller: the credential and model name to send.
        seed: makes the prompts of this run unlike those of any other.

    Raises:
        LoadError: wrk is missing or could not finish.
    """
    seconds = max(1, round(shape.seconds))
    command = [find_wrk(), "-t1", f"-c{shape.clients}", f"-d{seconds}s", f"--timeout={_TIMEOUT_S}s"]
    told = {
        "KIND": shape.kind,
        "STREAM": "1" if shape.mode == "stream" else "0",
        "SEED": seed,
        "KEY": caller.key,
        "MODEL": caller.model,
    }
    ran = subprocess.run(
        [*command, "--latency", "-s", str(_SCRIPT), url],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 3 * _TIMEOUT_S,
        env={**os.environ, **told},
    )
    line = next((row for row in ran.stdout.splitlines() if row.startswith("RESULT ")), None)
    if line is None:
        raise LoadError(f"wrk gave no result: {(ran.stderr or ran.stdout).strip()[-300:]}")
    read = {name: int(value) for name, value in _RESULT.findall(line)}
    return Seen(
        requests=read["requests"],
        seconds=read["duration_us"] / 1e6,
        p50_ms=read["p50_us"] / 1e3,
        p99_ms=read["p99_us"] / 1e3,
        errors=read["errors"],
    )
