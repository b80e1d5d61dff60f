"""Shelf: answers of live sources, kept on disk so that nobody is asked twice for the same.

What was, stays: settled history is kept without end. What may change has a time after which it is
asked again, and is still there where a source cannot be asked. A shelf never breaks what uses it:
what cannot be read is not there, and what cannot be written is not kept.

Files are written aside and renamed, so that a reader sees an old answer or a new one, never half of
one. Over its limit the shelf drops what was read longest ago. It holds numbers and times: no
credential, no address.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# Ten years of one zone's half-hours are 8 MB.
LIMIT_BYTES = 64_000_000
# Looking at every file takes time: once in so many writes is enough to stay near the limit.
_LOOK_EVERY = 16
# Length of a file's name: 128 bits do not meet by chance.
_NAME = 32


class Kept(NamedTuple):
    """An answer on the shelf: when it was stored, until when it stands (None: for ever)."""

    stored: datetime
    until: datetime | None
    what: Any

    def stands(self, now: datetime) -> bool:
        """Whether it need not be asked again."""
        return self.until is None or now < self.until


def user_folder(environ: Mapping[str, str]) -> Path:
    """Where this user's caches belong (XDG base directories), and in it lichen's grid answers."""
    home = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME", "/")) / ".cache")
    return Path(home) / "lichen" / "grid"


class Shelf:
    """Answers by key, in a folder; without one, in memory for as long as the process lives."""

    def __init__(self, folder: Path | None = None, *, limit: int = LIMIT_BYTES) -> None:
        self.folder = folder
        self._limit = limit
        self._memory: dict[str, str] = {}
        self._writes = 0

    def get(self, *key: str) -> Kept | None:
        """The answer kept under this key, however old; None where there is none."""
        name = _name(key)
        text = self._memory.get(name)
        if text is None and self.folder is not None:
            path = self.folder / name
            with suppress(OSError, UnicodeDecodeError):
                text = path.read_text(encoding="utf-8")
                os.utime(path)
        return None if text is None else _kept(text, key)

    def put(self, key: tuple[str, ...], kept: Kept) -> None:
        """Keep an answer under this key, in place of the one before."""
        until = None if kept.until is None else kept.until.timestamp()
        name = _name(key)
        text = json.dumps(
            {"key": key, "stored": kept.stored.timestamp(), "until": until, "what": kept.what}
        )
        self._memory.pop(name, None)
        try:
            if self.folder is not None:
                self._write(self.folder, name, text)
                return
        except OSError:
            pass  # a full or read-only disk: memory serves as long as the process lives
        self._memory[name] = text
        while len(self._memory) > 1 and sum(map(len, self._memory.values())) > self._limit:
            del self._memory[next(iter(self._memory))]

    def _write(self, folder: Path, name: str, text: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(aside).replace(folder / name)
        except OSError:
            with suppress(OSError):
                Path(aside).unlink()
            raise
        if self._writes % _LOOK_EVERY == 0:
            self._make_room(folder)
        self._writes += 1

    def _make_room(self, folder: Path) -> None:
        """Drop what was read longest ago until the rest fits."""
        files = []
        with os.scandir(folder) as found:
            for file in found:
                with suppress(OSError):  # another thread or process has just dropped it
                    if file.is_file():
                        files.append((file.stat(), Path(file.path)))
        files.sort(key=lambda one: one[0].st_mtime)
        size = sum(stat.st_size for stat, _ in files)
        for stat, path in files:
            if size <= self._limit:
                return
            with suppress(OSError):
                path.unlink()
                size -= stat.st_size


def _name(key: tuple[str, ...]) -> str:
    return sha256("\0".join(key).encode()).hexdigest()[:_NAME] + ".json"


def _kept(text: str, key: tuple[str, ...]) -> Kept | None:
    """What a file says; None where it is not one of ours, or another key's."""
    try:
        read = json.loads(text)
        if tuple(read["key"]) != key:
            return None
        until = None if read["until"] is None else datetime.fromtimestamp(read["until"], UTC)
        return Kept(datetime.fromtimestamp(read["stored"], UTC), until, read["what"])
    except (ValueError, TypeError, KeyError, OverflowError, OSError):
        return None
