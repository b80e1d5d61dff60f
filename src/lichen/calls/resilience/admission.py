"""Admission: how much may be under way at once: memory is bounded, and no tenant takes it all.

    calls < most                                      else: held back, all
    calls < ⅞ · most, or own calls ≤ most / (n + 1)   else: held back, whoever has more than a share
    bytes < held                                      else: held back, all

with n the tenants that have calls under way [-]. So one tenant alone may have seven eighths of all
places, and somebody else still gets in at once. Bytes are those of whole answers on their way to
clients; those of requests are bounded where they come in (`lichen.serve`), those of streams each.
A call that is held back is told to come again: 503 with Retry-After, and nothing is done for it.

Stored answers are given without all this: they wait for nobody.

Source: Google, "Site Reliability Engineering", chapter 21 (load shedding, per-customer limits).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lichen.ledger.errors import NotAsked

# What is free for those who have less than their share. [-]
_KEPT_FREE = 1 / 8
# When to come again: an answer takes about that long. [s]
_AGAIN_S = 1.0


@dataclass(slots=True)
class Admission:
    """Counts calls and bytes under way; `most` calls, `held` bytes [byte]."""

    most: int = 4096
    held: float = 512e6
    calls: int = 0
    bytes: int = 0
    refused: int = 0
    _of: dict[str, int] = field(default_factory=dict)

    def enter(self, tenant: str) -> None:
        """A call begins; `leave` when it ends.

        Raises:
            NotAsked: there is no place for it now.
        """
        calls = self.calls
        mine = self._of.get(tenant, 0)
        if self.bytes > self.held:
            self._refuse(f"answers of {self.bytes / 1e6:.0f} MB wait for slow readers", "held")
        if calls >= self.most:
            self._refuse(f"{calls:,} calls are under way", "calls")
        if calls >= self.most * (1 - _KEPT_FREE) and mine > self.most / (len(self._of) + 1):
            self._refuse(f"{mine:,} calls of yours are under way, more than your share", "calls")
        self.calls = calls + 1
        self._of[tenant] = mine + 1

    def _refuse(self, why: str, limit: str) -> None:
        self.refused += 1
        raise NotAsked(
            f"{why}: send the call again in a moment, or raise limits.{limit}",
            status=503,
            code="too_busy",
            wait_s=_AGAIN_S,
        )

    def leave(self, tenant: str) -> None:
        """A call has ended."""
        self.calls -= 1
        left = self._of[tenant] - 1
        if left:
            self._of[tenant] = left
        else:
            del self._of[tenant]

    def hold(self, size: int) -> None:
        """A call under way holds that much more; less, where it is negative. [byte]"""
        self.bytes += size

    def gauges(self) -> dict[str, float]:
        """What is under way now, for the metrics."""
        return {
            "lichen_calls_under_way": self.calls,
            "lichen_calls_tenants": len(self._of),
            "lichen_calls_held_bytes": self.bytes,
            "lichen_calls_refused_total": self.refused,
        }
