"""Answers kept: in memory for speed, in a file for the next start.

`find` looks in memory, then in the file if its index knows the key; a miss costs two look-ups in
dictionaries. `keep` never waits. Both tiers are bounded in bytes, the oldest go first. Without a
path nothing is written at all, and where the file cannot be used, answers stay in memory: the store
only spares calls, so that nothing is lost without it.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from typing import TYPE_CHECKING

from lichen.calls.answer_file import AnswerFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.calls.stored import Stored


class AnswerStore:
    """Keeps answers by key, at most `size` bytes in the file and `memory` bytes in memory.

    `warn` hears what is wrong with the file, also from the thread that writes it.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        size: float = 256e6,
        memory: float = 24e6,
        warn: Callable[[str], None] = lambda _message: None,
    ) -> None:
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
