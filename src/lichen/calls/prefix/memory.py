"""Memory: which prefixes were seen while a provider would still hold them, and how often.

    r = came again / (seen + 1)          share of prefixes of a kind that come again, per tenant
    again = r / (1 − r)                  how many calls more are to be expected (geometric)

A prefix that itself came n times within its life has r ≥ n / (n + 1). A kind that never came again
has r = 0: nothing is marked before something was seen to repeat.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Prefixes remembered: the last so many, to twice that. About 200 bytes each.
_MOST = 32_768
_MOST_AGAIN = 20.0


@dataclass(slots=True)
class Seen:
    """A prefix: when last [s], how often within its life, and when it was last held [s]."""

    last: float
    times: int = 1
    marked: float = -1e9


@dataclass(slots=True)
class _Kind:
    """How often prefixes of a kind were seen, and came again."""

    seen: int = 0
    came: int = 0


class Memory:
    """What was seen of prefixes, each kept by a provider for `life_s` from its last use. [s]"""

    def __init__(self, life_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._life_s, self._clock = life_s, clock
        self._now: dict[bytes, Seen] = {}
        self._before: dict[bytes, Seen] = {}
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def __len__(self) -> int:
        """How many prefixes are remembered."""
        return len(self._now) + len(self._before)

    def saw(self, tenant: str, kind: str, digest: bytes) -> Seen:
        """A prefix is seen; what is known of it, this time included."""
        now, key = self._clock(), tenant.encode() + digest
        count = self._kinds.setdefault((tenant, kind), _Kind())
        had = self._now.get(key) or self._before.get(key)
        if had is None or now - had.last > self._life_s:
            count.seen += 1
            had = Seen(now)
        else:
            count.came += had.times == 1
            had.last, had.times = now, had.times + 1
        self._now[key] = had
        if len(self._now) > _MOST:
            self._now, self._before = {}, self._now
        if len(self._kinds) > _MOST:
            self._kinds.clear()
        return had

    def known(self, tenant: str, digest: bytes) -> Seen | None:
        """What is known of a prefix within its life; None where it was not seen."""
        key = tenant.encode() + digest
        had = self._now.get(key) or self._before.get(key)
        return had if had is not None and self._clock() - had.last <= self._life_s else None

    def again(self, tenant: str, kind: str, seen: Seen) -> float:
        """How many more calls will come with a prefix while it is held, as far as was learnt."""
        count = self._kinds.get((tenant, kind), _Kind())
        earlier = seen.times - 1
        share = max(count.came / (count.seen + 1), earlier / (earlier + 1))
        return min(share / (1 - share), _MOST_AGAIN) if share < 1 else _MOST_AGAIN

    def is_held(self, seen: Seen) -> bool:
        """Whether the provider holds it, since it was marked within its life."""
        return self._clock() - seen.marked <= self._life_s

    def hold(self, seen: Seen) -> None:
        """It is marked now."""
        seen.marked = self._clock()
