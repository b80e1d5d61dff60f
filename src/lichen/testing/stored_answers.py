"""Stored answers: such as a cache holds, the same for the same number.

`ORIGIN` is the call that paid for them; the numbers are made up and measure nothing.
"""

from __future__ import annotations

import time

from lichen.calls.stored import Origin, Stored
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.ports import CallReading
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.tokens import Tokens

SECOND_US = 1_000_000
HEADERS = [(b"content-type", b"application/json"), (b"x-odd", b"\xff\x01")]
READING = CallReading(
    Estimate(Energy(0.1), Energy(0.01), Energy(1.0), Basis.MODELLED),
    Estimate(Carbon(0.2), Carbon(0.02), Carbon(2.0), Basis.ASSUMED),
    ("model-unknown",),
)
ORIGIN = Origin(
    "0123456789abcdef",
    "chat.completions",
    "gpt-4o-mini",
    "SE",
    "tokens/1",
    "token-factors 2026.1",
    Tokens(prefill=12, decode=5, cache_read=3),
    READING,
    1.5,
    ("tokens-estimated",),
)


def answer(n: int, body: bytes = b"{}", *, lasts_s: float = 60, tenant: str = "t1") -> Stored:
    """An answer kept just now, under a key of its number, that serves for so long. [s]"""
    now_us = time.time_ns() // 1000
    until_us = now_us + int(lasts_s * SECOND_US)
    key = n.to_bytes(32, "big")
    return Stored(key, 200, list(HEADERS), body, now_us, until_us, ORIGIN, tenant)
