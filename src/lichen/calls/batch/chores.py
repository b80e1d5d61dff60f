"""Chores: work beside the sending, such as provider batches; none of it holds up a call.

Each runs as a task of its own, once at a time, and is stopped when it takes too long: what it did
is on disk, and the next one goes on from there.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Chore = Callable[[], Awaitable[object]]

# How long one may take: a provider takes a large file in minutes. [s]
_LONGEST_S = 900.0


class Chores:
    """Begun at each sweep; `warn` hears once of each trouble. Bounded by `longest_s` [s]."""

    def __init__(self, warn: Callable[[object], None], longest_s: float = _LONGEST_S) -> None:
        self._warn, self._longest_s = warn, longest_s
        self._chores: list[Chore] = []
        self._running: dict[int, asyncio.Task[None]] = {}
        self._told: dict[int, str] = {}

    def append(self, chore: Chore) -> None:
        """One more."""
        self._chores.append(chore)

    def begin(self) -> None:
        """Begin each that does not run."""
        for number, chore in enumerate(self._chores):
            if number not in self._running:
                task = asyncio.create_task(self._run(number, chore))
                self._running[number] = task
                task.add_done_callback(partial(self._ended, number))

    def _ended(self, number: int, _task: asyncio.Task[None]) -> None:
        del self._running[number]

    async def _run(self, number: int, chore: Chore) -> None:
        told = ""
        try:
            async with asyncio.timeout(self._longest_s) as limit:
                await chore()
        except Exception as error:  # noqa: BLE001 (a fault of one must not end the others)
            told = str(error) or type(error).__name__
            if limit.expired():
                told = f"work on batches took longer than {self._longest_s:g} s; it goes on later"
            if told != self._told.get(number):
                self._warn(told if limit.expired() else error)
        self._told[number] = told

    async def close(self) -> None:
        """Stop those that run: what they did is on disk."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
