"""Breaker: stops asking an upstream that fails, and tries now and then whether it is back.

    closed ── share of failures ≥ most, of at least `least` calls in 10 s ──▶ open
    open ── its time has passed ──▶ half open: one call is let through as a probe
    half open ── the probe is answered ──▶ closed
    half open ── the probe fails ──▶ open, twice as long

A failure is no connection, a timeout, or an answer of 502, 503, 504 or 529. A 500 is none: a single
call that an upstream stumbles over must not shut the way for others; nor is what is the client's
fault. A storm of 429 is told apart for each credential and model, since the limit is
theirs: one tenant's storm holds nobody else up.

Clocks are monotonic. Source: M. Nygard, "Release It!", 2nd edition, 2018, chapter 5 (circuit
breaker).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

# What happened longer ago does not count. [s]
_WINDOW_S = 10
# Credentials and models of which storms are remembered.
_STORMS = 1024


@dataclass(frozen=True, slots=True)
class Trip:
    """When a breaker opens: `most` failures of all calls [-], of at least `least` calls.

    It stays open for `hold` [s] the first time, for `longest` [s] at most.
    """

    most: float = 0.5
    least: int = 20
    hold: float = 2.0
    longest: float = 60.0


class BreakerOpen(Exception):  # noqa: N818 (named for what it is)
    """The call is not to be sent; `wait` is when to come again. [s]"""

    def __init__(self, wait: float) -> None:
        """Say how long to `wait` [s]."""
        super().__init__(f"open for {wait:.1f} s")
        self.wait = wait


class Breaker:
    """One circuit. `admit` a call, then tell what came of it with `note`, whatever did."""

    def __init__(self, trip: Trip, clock: Callable[[], float]) -> None:
        self._trip, self._clock = trip, clock
        # Second, calls, failures: one row for each second in which a call ended.
        self._rows: deque[list[int]] = deque()
        self._until = 0.0
        self._hold = trip.hold
        self._probing = False
        self.is_open = False
        self.opened = 0

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to remember: nothing came of late, and no time runs."""
        is_held = self.is_open and self._clock() <= self._until + _WINDOW_S
        return not (is_held or self._recent())

    def admit(self) -> bool:
        """Let a call pass; whether it is a probe, which `note` must be told.

        Raises:
            BreakerOpen: it is not to be sent.
        """
        if not self.is_open:
            return False
        left = self._until - self._clock()
        if left > 0 or self._probing:
            # While a probe is out nobody knows: its answer, or the next try, is not far.
            raise BreakerOpen(max(left, 1.0))
        self._probing = True
        return True

    def note(self, *, ok: bool | None, probe: bool, wait: float | None = None) -> None:
        """A call ended: well, as a failure, or (None) so that it says nothing of the upstream.

        `wait` is how long the upstream asked to be left alone. [s]
        """
        if probe:
            self._probing = False
            if ok:
                self._close()
            elif ok is False:
                self._hold = min(self._hold * 2, self._trip.longest)
                self._open(wait)
        elif ok is not None and not self.is_open:
            self._count(failed=not ok)
            if not ok and self._has_tripped():
                self._open(wait)

    def _recent(self) -> int:
        """Calls within the window; older ones are let go."""
        oldest = int(self._clock()) - _WINDOW_S
        while self._rows and self._rows[0][0] < oldest:
            self._rows.popleft()
        return sum(row[1] for row in self._rows)

    def _count(self, *, failed: bool) -> None:
        second = int(self._clock())
        row = self._rows[-1] if self._rows else None
        if row is None or row[0] != second:
            self._recent()
            row = [second, 0, 0]
            self._rows.append(row)
        row[1] += 1
        row[2] += failed

    def _has_tripped(self) -> bool:
        calls = self._recent()
        failures = sum(row[2] for row in self._rows)
        return calls >= self._trip.least and failures >= self._trip.most * calls

    def _open(self, wait: float | None) -> None:
        held = self._hold if wait is None else max(self._hold, wait)
        self._until = self._clock() + min(held, self._trip.longest)
        self.is_open = True
        self.opened += 1
        self._rows.clear()

    def _close(self) -> None:
        self.is_open = False
        self._hold = self._trip.hold
        self._rows.clear()


class Storms:
    """A breaker for each credential and model that was told to slow down; others cost nothing."""

    def __init__(self, trip: Trip, clock: Callable[[], float]) -> None:
        self._trip, self._clock = trip, clock
        self._breakers: OrderedDict[Hashable, Breaker] = OrderedDict()
        self._looked = clock()

    def find(self, whose: Hashable) -> Breaker | None:
        """The breaker of a credential and model, where there was a refusal lately."""
        return self._breakers.get(whose) if self._breakers else None

    def begin(self, whose: Hashable) -> Breaker:
        """The breaker of whoever was just refused."""
        found = self._breakers.get(whose)
        if found is None:
            self._let_go()
            found = self._breakers[whose] = Breaker(self._trip, self._clock)
        self._breakers.move_to_end(whose)
        return found

    def _let_go(self) -> None:
        """Forget those in which nothing happens any more, then the oldest."""
        if len(self._breakers) >= _STORMS:
            self._forget_quiet()
        while len(self._breakers) >= _STORMS:
            self._breakers.popitem(last=False)

    def _forget_quiet(self) -> None:
        for whose in [w for w, breaker in self._breakers.items() if breaker.is_quiet]:
            del self._breakers[whose]

    @property
    def any(self) -> bool:
        """Whether anybody was told to slow down of late; who was not is forgotten."""
        if self._breakers and self._clock() - self._looked >= _WINDOW_S:
            self._looked = self._clock()
            self._forget_quiet()
        return bool(self._breakers)

    @property
    def open(self) -> int:
        """Storms that hold calls back now."""
        return sum(breaker.is_open for breaker in self._breakers.values())
