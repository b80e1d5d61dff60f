"""Pace: how many calls may go now: requests and tokens a minute, and what a 429 asked for.

    level(t) = min(burst, level(t₀) + rate · (t − t₀)) − taken

rate   allowed per second    [1/s]
burst  what may go at once: that of two seconds, one call at least

Source: a token bucket (ITU-T I.371, "generic cell rate algorithm", in its continuous form).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE_S = 60.0
_BURST_S = 2.0
# One call reads and writes about so many tokens for each byte of its body.
# Source: OpenAI, "What are tokens": four characters of English a token.
_BYTES = 4


class Pace:
    """Bounds what is sent; `clock` gives seconds that only grow. 0 is no limit."""

    def __init__(
        self, requests: int, tokens: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._requests = _Bucket(requests / _MINUTE_S, clock()) if requests else None
        self._tokens = _Bucket(tokens / _MINUTE_S, clock()) if tokens else None
        self._until = 0.0

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the upstream asked for it. [s]"""
        self._until = max(self._until, self._clock() + seconds)

    def room(self, most: int) -> int:
        """How many of `most` may go now."""
        now = self._clock()
        if now < self._until:
            return 0
        if self._tokens is not None and self._tokens.level(now) <= 0:
            return 0
        if self._requests is None:
            return most
        return max(0, min(most, int(self._requests.level(now))))

    def took(self, body: bytes) -> None:
        """A call went; its tokens are estimated by its body, and may overdraw."""
        now = self._clock()
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(max(1, len(body) // _BYTES), now)


class _Bucket:
    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._burst = max(1.0, rate * _BURST_S)
        self._level, self._at = self._burst, now

    def level(self, now: float) -> float:
        self._level = min(self._burst, self._level + self._rate * (now - self._at))
        self._at = now
        return self._level

    def take(self, amount: float, now: float) -> None:
        self._level = self.level(now) - amount
