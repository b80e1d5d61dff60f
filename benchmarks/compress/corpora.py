"""The texts that are shortened: rows of JSON as APIs give them, prose, code.

Rows are generated from one seed, but for `questions` (../shared/data/text/banking77).
"""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

from benchmarks.compress.needles import PEOPLE, SHARED

_CITIES = ("Berlin", "Paris", "Oslo", "Malmö", "Rome")
COUNT = 400


def rows() -> dict[str, list[dict[str, Any]]]:
    """400 rows of each kind."""
    draw = random.Random(20261125)
    return {
        "users": [_user(n) for n in range(COUNT)],
        "orders": [_order(draw, n) for n in range(COUNT)],
        "metrics": [_metric(draw, n) for n in range(COUNT)],
        "events": [_event(draw) for _ in range(COUNT)],
        "search": [_hit(draw, n) for n in range(COUNT)],
        "questions": _questions(),
    }


def _user(n: int) -> dict[str, Any]:
    return {
        "id": n,
        "name": f"user {n}",
        "email": f"u{n}@example.com",
        "active": n % 2 == 0,
        "score": round(n * 1.7, 2),
    }


def _order(draw: random.Random, n: int) -> dict[str, Any]:
    at = (draw.randrange(1, 26), draw.randrange(24), draw.randrange(60))
    return {
        "order_id": f"ORD-{100000 + n * 37}",
        "customer": draw.choice(PEOPLE),
        "address": {"city": draw.choice(_CITIES), "zip": f"{draw.randrange(10**5):05d}"},
        "items": [
            {"sku": f"A{draw.randrange(999)}", "quantity": draw.randrange(1, 5)}
            for _ in range(draw.randrange(1, 3))
        ],
        "amount": round(draw.random() * 500, 2),
        "currency": "EUR",
        "status": draw.choice(["shipped", "pending", "returned"]),
        "created_at": "2026-11-{:02d}T{:02d}:{:02d}:00Z".format(*at),
    }


def _metric(draw: random.Random, n: int) -> dict[str, Any]:
    return {
        "timestamp": 1764000000 + n * 60,
        "host": f"web-{n % 7}",
        "cpu_percent": round(draw.random() * 100, 1),
        "memory_mb": draw.randrange(1000, 8000),
        "healthy": True,
    }


def _event(draw: random.Random) -> dict[str, Any]:
    return {
        "level": draw.choice(["INFO", "WARN", "ERROR"]),
        "service": draw.choice(["api", "auth", "db"]),
        "message": draw.choice(["connection reset by peer", "request completed", "retrying"]),
        "trace_id": f"{draw.getrandbits(64):016x}",
        "latency_ms": draw.randrange(500),
    }


def _hit(draw: random.Random, n: int) -> dict[str, Any]:
    return {
        "path": f"src/app/module_{draw.randrange(40)}/part_{draw.randrange(90)}.py",
        "line": draw.randrange(1, 900),
        "column": draw.randrange(1, 80),
        "kind": "match",
        "symbol": f"handle_{draw.choice(['read', 'write', 'close'])}_{n}",
        "score": round(draw.random(), 3),
    }


def _questions() -> list[dict[str, Any]]:
    with (SHARED / "banking77" / "test.csv").open(encoding="utf-8", newline="") as lines:
        return [dict(row) for row in csv.DictReader(lines)][:COUNT]


def texts() -> dict[str, str]:
    """Prose and code, which must come out as they went in."""
    plays = (SHARED / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    problems = [
        json.loads(line)["question"]
        for line in (SHARED / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    root = Path(__file__).parents[2]
    code = "\n\n".join(
        path.read_text(encoding="utf-8") for path in sorted((root / "src/lichen/plan").glob("*.py"))
    )
    return {
        "plays": plays[:100_000],
        "problems": "\n\n".join(problems[:400]),
        "code": code[:100_000],
        "markdown": (root / "docs" / "glossary.md").read_text(encoding="utf-8"),
    }
