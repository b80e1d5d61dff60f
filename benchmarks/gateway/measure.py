"""One measurement: load one contestant, and divide the calls by the CPU time they took.

    requests per core-second = calls answered / CPU time of the whole process tree

It counts work and not speed: another busy program on the machine delays a gateway but costs it
little CPU time. Latency is what one machine gives that also runs the load and the upstream.
"""

from __future__ import annotations

import http.client
import json
import statistics
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.gateway.load import Caller, Seen, Shape, load
from benchmarks.gateway.traffic import CHAT_PATH, KEY, MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.gateway.processes import Running

CALLER = Caller(key=KEY, model=MODEL)
_WARM_S = 1.0
# A slow gateway still works on 64 calls when the load ends: wait for it, but not for ever. Below
# `_IDLE` of a core it idles.
_SETTLE_S = 10.0
_PAUSE_S = 0.2
_IDLE = 0.2


class RejectedError(RuntimeError):
    """A contestant did not answer as it must."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one contestant did under one shape of load."""

    kind: str
    mode: str
    clients: int
    who: str
    per_core_s: float
    per_s: float
    p50_ms: float
    p99_ms: float
    rss_mb: float
    upstream_share: float
    """Calls that reached the upstream, per call."""
    errors: int


def check(target: Running, shape: Shape) -> None:
    """Send one call by hand and look at the answer.

    Raises:
        RejectedError: it is not a chat completion.
    """
    document = {
        "model": MODEL,
        "messages": [{"role": "user", "content": f"check {uuid.uuid4()}"}],
        "stream": shape.mode == "stream",
        "temperature": 0,
    }
    headers = {"authorization": f"Bearer {CALLER.key}", "content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=30)
    try:
        body = json.dumps(document, separators=(",", ":"))
        connection.request("POST", CHAT_PATH, body=body, headers=headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    wanted = b"data: [DONE]" if shape.mode == "stream" else b'"choices"'
    if response.status != 200 or wanted not in answer:
        raise RejectedError(f"answered {response.status}: {answer[:200]!r}")


def measure(who: str, target: Running, shape: Shape, *, upstream: Running) -> Row:
    """Load `target` once, after a second of warming up with the same bodies."""
    seed = uuid.uuid4().hex[:12]
    warm = Shape(shape.kind, shape.mode, shape.clients, min(_WARM_S, shape.seconds))
    load(target.url, warm, caller=CALLER, seed=seed)
    _settle(target)
    if shape.kind == "pass":
        seed = uuid.uuid4().hex[:12]
    served, cpu = _served(upstream), target.cpu_s()
    seen = load(target.url, shape, caller=CALLER, seed=seed)
    used = target.cpu_s() - cpu
    return _row(who, shape, seen, used, target, reached=_served(upstream) - served)


def middle(rows: Sequence[Row]) -> Row:
    """The median of repeated measurements, each column by itself; errors add up."""
    first = rows[0]
    return Row(
        kind=first.kind,
        mode=first.mode,
        clients=first.clients,
        who=first.who,
        per_core_s=statistics.median(row.per_core_s for row in rows),
        per_s=statistics.median(row.per_s for row in rows),
        p50_ms=statistics.median(row.p50_ms for row in rows),
        p99_ms=statistics.median(row.p99_ms for row in rows),
        rss_mb=statistics.median(row.rss_mb for row in rows),
        upstream_share=statistics.median(row.upstream_share for row in rows),
        errors=sum(row.errors for row in rows),
    )


def _row(who: str, shape: Shape, seen: Seen, used: float, target: Running, *, reached: int) -> Row:
    if seen.requests == 0 or used <= 0:
        raise RejectedError(f"answered {seen.requests} calls in {seen.seconds:.1f} s")
    return Row(
        kind=shape.kind,
        mode=shape.mode,
        clients=shape.clients,
        who=who,
        per_core_s=seen.requests / used,
        per_s=seen.requests / seen.seconds,
        p50_ms=seen.p50_ms,
        p99_ms=seen.p99_ms,
        rss_mb=target.rss_mb(),
        upstream_share=reached / seen.requests,
        errors=seen.errors,
    )


def _settle(target: Running) -> None:
    """Wait until the calls that the warm-up left behind are done."""
    deadline = time.monotonic() + _SETTLE_S
    cpu = target.cpu_s()
    while time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
        before, cpu = cpu, target.cpu_s()
        if cpu - before < _IDLE * _PAUSE_S:
            return


def _served(upstream: Running) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=10)
    try:
        connection.request("GET", "/count")
        return int(connection.getresponse().read())
    finally:
        connection.close()
