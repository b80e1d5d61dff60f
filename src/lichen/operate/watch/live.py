"""Live: what changed on the overview, as server-sent events, while somebody looks.

A message is a JSON object of regions by their ids, only those whose HTML is no longer what this
viewer has. The roll-ups of today are looked at once in `Span.every` seconds; where their version
has not changed nothing is made and nothing is sent but a comment that keeps the connection.

Source: HTML Living Standard, §9.2 "Server-sent events".
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from lichen.ledger.errors import LedgerError
from lichen.operate.watch.overview import REGIONS, Region

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from datetime import datetime

    from lichen.operate.watch.sight import Sight
    from lichen.operate.watch.span import Span

# Proxies close a connection on which nothing passes for a minute or so. [s]
KEEP_ALIVE = 15.0
# A browser that lost us asks again after this time. [ms]
_OPENING = b"retry: 3000\n\n"
_STILL_HERE = b": still here\n\n"


class Viewer:
    """One who looks at a span, and what they have seen of it.

    `seen` is the version of the page they hold; with another than today's they get all regions.
    """

    def __init__(self, sight: Sight, span: Span, seen: str = "") -> None:
        self.span = span
        self._sight = sight
        self._seen = seen
        self._state: tuple[str, datetime] | None = None
        self._stale: set[str] = set()
        self._next: dict[str, float] = {}
        self._has: dict[str, str] = {}

    def changes(self) -> dict[str, str]:
        """The regions that changed and may be sent again by now; what may not waits."""
        try:
            return self._changes()
        except LedgerError:
            # The page keeps what it shows; the next look may find the store again.
            return {}

    def _changes(self) -> dict[str, str]:
        now = self._sight.clock()
        state = (self._sight.version(), self.span.since(now))
        first, self._state, before = self._state is None, state, self._state
        if first and state[0] == self._seen:
            # What they hold is not made again to compare: it may be newer than the version by now.
            return {}
        if state != before:
            self._stale = {region.name for region in REGIONS}
        moment = now.timestamp()
        due = [r for r in REGIONS if r.name in self._stale and moment >= self._next.get(r.name, 0)]
        return self._make(due) if due else {}

    def _make(self, due: Sequence[Region]) -> dict[str, str]:
        view = self._sight.glance(self.span)
        if not view.has_work and not self._has:
            self._stale.clear()
            return {}
        made: dict[str, str] = {}
        for region in due:
            html = region.make(view)
            self._stale.discard(region.name)
            self._next[region.name] = view.now.timestamp() + max(region.every, self.span.every)
            if self._has.get(region.name) != html:
                made[region.name] = self._has[region.name] = html
        return made


async def stream(
    make: Callable[[], Viewer], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncGenerator[bytes, None]:
    """The events for one viewer, until closed. The store is read in a thread."""
    yield _OPENING
    viewer = await asyncio.to_thread(make)
    quiet, step = 0.0, min(viewer.span.every, KEEP_ALIVE)
    while True:
        changes = await asyncio.to_thread(viewer.changes)
        if changes:
            quiet = 0.0
            yield f"data: {json.dumps(changes, ensure_ascii=False)}\n\n".encode()
        elif quiet >= KEEP_ALIVE:
            quiet = 0.0
            yield _STILL_HERE
        await pause(step)
        quiet += step
