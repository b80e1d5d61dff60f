"""Answers kept: in memory for speed, in a file for the next start.

`find` looks in memory, then in the file if its index knows the key; a miss costs two look-ups in
dictionaries. `keep` never waits. Both tiers are bounded in bytes, the oldest go first. Without a
path nothing is written at all, and where the file cannot be used, answers stay in memory: the store
only spares calls, so that nothing is lost without it.

A `Remote` is a third tier that several machines share. It is asked off the hot path, by whoever may
wait (`fetch`), and what it gives is in memory from then on.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lichen.calls.answer_file import AnswerFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.exchange import Step
    from lichen.calls.forget import Forget
    from lichen.calls.shared.index import SharedIndex
    from lichen.calls.steps import StepParts
    from lichen.calls.stored import Stored


class Remote(Protocol):
    """Answers that several machines share. Nothing here raises but `forget`: it spares calls only.

    It works in the event loop that starts it, or of the first call that asks it.
    """

    async def start(self) -> None:
        """Connect before the first call does, where it can be reached."""
        ...

    async def fetch(self, key: bytes) -> Stored | None:
        """The answer under a key; None where there is none, or none could be had in time."""
        ...

    def put(self, stored: Stored) -> None:
        """Take an answer, to be written soon. Never waits."""
        ...

    async def landed(self, key: bytes) -> None:
        """Wait until an answer that was put is written, or could not be."""
        ...

    async def forget(self, which: Forget) -> int:
        """Erase what is meant; how many answers went.

        Raises:
            StoreUnavailable: it cannot be reached.
        """
        ...

    def lease(self, parts: StepParts) -> Step | None:
        """A step that lets identical calls of several machines become one, where it can."""
        ...

    def index(self, kind: str, *, ttl: float) -> SharedIndex | None:
        """A log by which services keep indexes of a kind alike for `ttl` [s], where it has any."""
        ...

    def gauges(self) -> Mapping[str, float]:
        """What it tells Prometheus, by full names."""
        ...

    async def close(self) -> None:
        """Write what waits, for a moment, and release it."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerParts:
    """What an answer store is opened from: `where` it is, and its bounds [byte].

    `options` gives a section of the settings by its name. An entry point of the group
    "lichen.answers", named as an address begins, is a function from this to an `AnswerStore`.
    """

    where: str
    size: float
    entry_limit: float
    options: Callable[[str], Any]
    warn: Callable[[object], None]


def open_file(parts: AnswerParts) -> AnswerStore:
    """Answers in a file."""
    return AnswerStore(Path(parts.where), size=parts.size, warn=parts.warn)


def open_memory(parts: AnswerParts) -> AnswerStore:
    """Answers in memory alone."""
    return AnswerStore(None, size=parts.size, warn=parts.warn)


class AnswerStore:
    """Keeps answers by key, at most `size` bytes in the file and `memory` bytes in memory.

    `warn` hears what is wrong with the file, also from the thread that writes it. `remote` is what
    other machines share, where they do.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        size: float = 256e6,
        memory: float = 24e6,
        warn: Callable[[str], None] = lambda _message: None,
        remote: Remote | None = None,
    ) -> None:
        self.remote = remote
        self._memory_bound = min(memory, size)
        self._hot: OrderedDict[bytes, Stored] = OrderedDict()
        self._hot_size = 0
        self._file = _opened(path, size, warn) if path is not None else None

    def find(self, key: bytes) -> Stored | None:
        """The answer under a key, whatever its age."""
        stored = self._hot.get(key)
        if stored is not None:
            self._hot.move_to_end(key)
            return stored
        if self._file is not None and key in self._file.keys:
            stored = self._file.read(key)
            if stored is not None:
                self._heat(stored)
        return stored

    def keep(self, stored: Stored) -> None:
        """Keep an answer, in place of an older one under its key."""
        self._heat(stored)
        if self._file is not None:
            self._file.put(stored)
        if self.remote is not None:
            self.remote.put(stored)

    async def fetch(self, key: bytes) -> Stored | None:
        """The answer under a key as other machines know it, which is in memory from then on."""
        if self.remote is None:
            return None
        stored = await self.remote.fetch(key)
        if stored is not None:
            self._heat(stored)
        return stored

    def forget(self, which: Forget) -> int:
        """Erase what is meant from memory and the file; how many answers went.

        Raises:
            StoreUnavailable: the file cannot be written.
        """
        gone = self._cool(which)
        return gone if self._file is None else self._file.forget(which)

    def _cool(self, which: Forget) -> int:
        meant = [
            kept
            for kept in self._hot.values()
            if which.covers(tenant=kept.tenant, at_us=kept.stored_us, texts=(kept.body,))
        ]
        for kept in meant:
            del self._hot[kept.key]
            self._hot_size -= kept.size
        return len(meant)

    async def heed(self, which: Forget | None) -> None:
        """Another process erased answers: let go of what is meant, here and in this file.

        What is not told (words) it alone could look for: then all in memory is let go of.

        Raises:
            StoreUnavailable: the file cannot be written.
        """
        if which is None:
            self.reread()
            return
        self._cool(which)
        if self._file is not None:
            await asyncio.to_thread(self._file.forget, which)

    def reread(self) -> None:
        """Others erased answers: let go of all in memory, and see what the file still has."""
        self._hot.clear()
        self._hot_size = 0
        if self._file is not None:
            self._file.reread()

    def _heat(self, stored: Stored) -> None:
        old = self._hot.pop(stored.key, None)
        if old is not None:
            self._hot_size -= old.size
        self._hot[stored.key] = stored
        self._hot_size += stored.size
        while self._hot_size > self._memory_bound:
            _, cold = self._hot.popitem(last=False)
            self._hot_size -= cold.size

    def counts(self) -> dict[str, float]:
        """How many answers are kept, and their bytes in memory."""
        in_file = len(self._file.keys) if self._file else 0
        return {"answers": max(in_file, len(self._hot)), "answer_memory_bytes": self._hot_size}

    def flush(self) -> None:
        """Wait until what was kept is in the file."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Write what waits and close the file."""
        if self._file is not None:
            self._file.close()


def _opened(path: Path, size: float, warn: Callable[[str], None]) -> AnswerFile | None:
    try:
        return AnswerFile(path, size, warn)
    except (OSError, sqlite3.Error) as error:
        warn(
            f"answers cannot be kept in {path} ({error}): they are kept in memory and end with "
            "this process; give another file with LICHEN_CACHE"
        )
        return None
