"""Apportion: what was spent goes to the windows that were open, each joule to exactly one.

    sᵢ = Σ over intervals in which window i was innermost:  ΔS / n        Σ sᵢ + outside = S

ΔS  what the meter's stand rose by between two events, an event being a window that opens or closes
n   innermost windows then open: those without an open window inside them

A window inside another takes what is spent while it is open, and the outer one keeps the rest, so
sums over entries never count a joule twice. Windows that are open side by side (threads, tasks)
share equally: which of them used how much cannot be told from outside, and each says that it
shared. What is spent while none is open belongs to no entry.
"""

from __future__ import annotations

import threading
from itertools import repeat
from operator import add, sub, truediv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.ledger.ports import WindowMeter

__all__ = ["Apportioner", "Share"]

_Stand = tuple[float, ...]


class Share:
    """One window's part, while it is open and after.

    Attributes:
        own: what it spent, without the windows inside it.
        inner: what the windows inside it spent.
        shared: whether another was innermost at the same time.
        failed: the meters that could not be read while it was open.
    """

    __slots__ = (
        "closed",
        "event",
        "failed",
        "faults",
        "inner",
        "own",
        "parent",
        "shared",
        "since",
        "within",
    )

    def __init__(self, parent: Share | None) -> None:
        self.parent = parent
        self.own: _Stand = ()
        self.inner: _Stand = ()
        self.since: _Stand = ()
        self.event = self.within = 0
        self.shared = False
        self.closed = False
        self.faults = 0
        self.failed: tuple[str, ...] = ()


class Apportioner:
    """Splits a meter's stands among open windows; safe to share among threads. O(1) an event.

    Written in maps over tuples: it runs at both ends of every window.
    """

    def __init__(self, meter: WindowMeter) -> None:
        self.meter = meter
        # A signal's handler may open a window of its own while one is being opened.
        self._lock = threading.RLock()
        self._last = meter.stand()
        self._none: _Stand = (0.0,) * len(self._last)
        # What a window that was innermost from the first moment on would have.
        self._each = self._none
        self._innermost = 0
        # The last moment at which several were innermost, as a count of events.
        self._events = self._crowded = 0

    def open(self, parent: Share | None) -> Share:
        """A window opens, inside `parent` if that is still open."""
        share = Share(parent)
        with self._lock:
            self._settle()
            share.own = share.inner = self._none
            share.faults = self.meter.faults
            while parent is not None and parent.closed:
                parent = share.parent = parent.parent
            if parent is not None:
                if not parent.within:
                    self._step_out(parent)
                parent.within += 1
            self._step_in(share)
        return share

    def close(self, share: Share) -> None:
        """A window closes, once; windows inside it that are still open go on without it."""
        with self._lock:
            if share.closed:
                return
            self._settle()
            if not share.within:
                self._step_out(share)
            share.closed = True
            if self.meter.faults > share.faults:
                share.failed = self.meter.failed_since(share.faults)
            parent = share.parent
            while parent is not None and parent.closed:
                parent = parent.parent
            if parent is not None:
                self._hand_up(share, parent)

    def settle(self) -> None:
        """Read the meter now: one that counts in circles must be read before it comes round."""
        with self._lock:
            self._settle()

    @property
    def busy(self) -> bool:
        """Whether any window is open."""
        return self._innermost > 0

    def _hand_up(self, share: Share, parent: Share) -> None:
        """What a closed window and those inside it spent was spent inside its parent too."""
        parent.inner = _plus(parent.inner, _plus(share.own, share.inner))
        # Windows inside the closed one that are still open are now directly inside its parent.
        parent.within += share.within - 1
        if not parent.within:
            self._step_in(parent)

    def _settle(self) -> None:
        now = self.meter.stand()
        if self._innermost:
            spent = map(sub, now, self._last)
            if self._innermost > 1:
                self._crowded = self._events
                spent = map(truediv, spent, repeat(self._innermost))
            self._each = tuple(map(add, self._each, spent))
        self._last = now

    def _step_in(self, share: Share) -> None:
        """It is innermost from now on."""
        share.since, share.event = self._each, self._events
        self._events += 1
        self._innermost += 1

    def _step_out(self, share: Share) -> None:
        """It is innermost no longer."""
        self._innermost -= 1
        share.own = tuple(map(add, share.own, map(sub, self._each, share.since)))
        share.shared = share.shared or self._crowded > share.event
        self._events += 1


def _plus(one: _Stand, other: _Stand) -> _Stand:
    return tuple(map(add, one, other))
