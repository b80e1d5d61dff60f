"""Resting: the step where no route asks for it any more, and questions are still kept.

It answers nothing and looks at nothing. It is there so that what is kept can be forgotten, and goes
when its time is over.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from lichen.calls.similar import seen
from lichen.calls.similar.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.calls.exchange import Answer, Exchange, Onward
    from lichen.calls.forget import Forget


class Resting:
    """Passes calls on; forgets what it is told to."""

    def __init__(self, path: Path, warn: Callable[[object], None]) -> None:
        self._path, self._warn = path, warn

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Pass onward."""
        return await onward(exchange)

    async def start(self) -> None:
        """Let go of what has expired."""
        kept = Kept(self._path, None, self._warn)
        kept.expire(time.time_ns() // 1000)
        kept.close()

    async def forget(self, which: Forget) -> int:
        """Erase questions and hits that are meant, in a thread; how many."""
        return await asyncio.to_thread(seen.erase, self._path, which, self._warn)
