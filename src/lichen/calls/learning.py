"""Learning: of all processes that share a place, one keeps what its steps learn there.

Each would write whole files of what it knows, and the last would win. So whoever learns first holds
a lock on `lichen.db.learning` for as long as it runs, however it ends; another learns in memory,
says so when it begins and when it loses that, and what is kept stays whole. Services and pipelines
of one process are one learner.

Source: flock(2): a lock is of an open file, and goes with it. proc(5): /proc/locks.
"""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PID_BYTES = 20


class _Hold:
    """A lock of this process, until nobody here needs it any more."""

    def __init__(self, handle: int) -> None:
        weakref.finalize(self, os.close, handle)


_HELD: weakref.WeakValueDictionary[Path, _Hold] = weakref.WeakValueDictionary()
_HOLDING = threading.Lock()


class Learning:
    """Whether this process is the one that learns at a place: decided when first asked.

    `path` is the lock's file; `warn` hears that another process learns there, and at the end that
    what was learnt beside it is lost. Safe among threads.
    """

    def __init__(self, path: Path, warn: Callable[[object], None]) -> None:
        self._path, self._warn = path, warn
        self._hold: _Hold | None = None
        self._alone: bool | None = None
        self._ended = False

    @property
    def elsewhere(self) -> bool:
        """Whether somebody asked, and another process learns there."""
        return self._alone is False

    def alone(self) -> bool:
        """Whether this process keeps what it learns; where no lock can be had, it does."""
        with _HOLDING:
            if self._alone is None:
                self._alone, other = self._decide()
                if not self._alone:
                    self._warn(
                        f"another service{other} keeps what it learns in {self._path.parent}: "
                        "this one learns in memory, and loses that at its stop; give each a "
                        "folder of its own: LICHEN_STATE"
                    )
            return self._alone

    def _decide(self) -> tuple[bool, str]:
        where = self._path.absolute()
        self._hold = _HELD.get(where)
        if self._hold is not None:
            return True, ""
        try:
            handle = os.open(where, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return True, ""  # what is learnt cannot be written there either, and that is told
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(handle, _PID_BYTES, 0).decode(errors="replace").strip()
            os.close(handle)
            return False, f" (process {other})" if other.isdigit() else ""
        except OSError:
            os.close(handle)
            return True, ""  # a file system without locks
        with suppress(OSError):
            os.truncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._hold = _HELD[where] = _Hold(handle)
        return True, ""

    def release(self) -> None:
        """Let another process learn there, once nothing more is kept."""
        with _HOLDING:
            self._hold = None
            lost, self._ended = self.elsewhere and not self._ended, True
        if lost:
            self._warn(
                f"what this service learnt is lost at its stop: another kept {self._path.parent} "
                "to itself; give each a folder of its own: LICHEN_STATE"
            )


def learner_at(path: Path) -> int | None:
    """The number of the process that learns at a place; None: nobody, or it cannot be known.

    `path` is the lock's file. No lock is asked for, which could be in the way of one that starts.
    """
    try:
        inode = path.stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return None
    # 1: FLOCK  ADVISORY  WRITE 4711 08:01:131082 0 EOF
    for line in locks.splitlines():
        words = line.split()
        if words[1:2] == ["FLOCK"] and words[5].rpartition(":")[2] == str(inode):
            return int(words[4])
    return None
