"""Tally: what a writer had taken and written, kept so that kill -9 does not hide a loss.

    lost = put − written        written counts the chunk in flight if its last entry is in the book

Six numbers in a small memory-mapped file beside the ledger, or in the user's state folder where
the ledger is a database elsewhere: entries put, entries written, what written will be once the
chunk in flight is, the id of that chunk's last entry, how many pieces of work are under way, whose
entries are to come, and whether the process books its own use as it goes. A chunk goes in whole or
not at all, so one id tells of all of it. A living writer holds the file's lock; the kernel drops a
dead one's.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
from contextlib import suppress
from datetime import UTC, datetime
from glob import escape
from typing import TYPE_CHECKING

from lichen.ledger.errors import StoreUnavailable
from lichen.ledger.ids import from_int, to_int

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.ledger.ports import Store

LOST_AT_STOP = "entries lost at a hard stop (at most one flush)"
BROKEN_AT_STOP = "calls under way at a hard stop"
OWN_AT_STOP = "readings of lichen's own energy lost at a hard stop (at most 5 s each)"
# Native layout: each number is stored in one piece, so a kill never leaves half of one.
_NUMBER = struct.Struct("@Q")
_ALL = struct.Struct("@QQQQQQ")
_PUT, _WRITTEN, _IN_FLIGHT, _LAST_ID, _UNDER_WAY, _OWN = (n * _NUMBER.size for n in range(6))


class Tally:
    """The six numbers of one writer.

    Raises:
        StoreUnavailable: the file cannot be made.
    """

    def __init__(self, ledger: Path) -> None:
        name = f"{ledger.name}.tally-{os.getpid()}-{time.time_ns():x}"
        self._path = ledger.with_name(name)
        # Under another name until it is locked: an opening ledger would take it for a dead one's.
        making = ledger.with_name(f".{name}")
        try:
            made = os.open(making, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = os.fdopen(made, "w+b")
            # Real zeros: writing through the map to a hole would kill the process on a full disk.
            self._file.write(bytes(_ALL.size))
            self._file.flush()
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._map = mmap.mmap(self._file.fileno(), _ALL.size)
            making.rename(self._path)
        except OSError as error:
            with suppress(OSError):
                making.unlink(missing_ok=True)
            raise StoreUnavailable(
                str(ledger), str(error), f"see that {ledger.parent} can be written"
            ) from error

    def put(self, count: int) -> None:
        """So many entries were taken."""
        _NUMBER.pack_into(self._map, _PUT, count)

    def begin(self, written: int, last_id: str) -> None:
        """A chunk is about to be written, after which `written` entries are."""
        _NUMBER.pack_into(self._map, _LAST_ID, to_int(last_id))
        _NUMBER.pack_into(self._map, _IN_FLIGHT, written)

    def written(self, count: int) -> None:
        """So many entries were written."""
        _NUMBER.pack_into(self._map, _WRITTEN, count)

    def under_way(self, count: int) -> None:
        """So many pieces of work have begun and are not booked yet."""
        _NUMBER.pack_into(self._map, _UNDER_WAY, count)

    def reads_own(self) -> None:
        """The process books its own use from here on; a hard stop loses what it had not read."""
        _NUMBER.pack_into(self._map, _OWN, 1)

    def close(self) -> None:
        """Release the file: no hard stop, so its own use was read to the end."""
        if not self._map.closed:
            _NUMBER.pack_into(self._map, _OWN, 0)
        self._map.close()
        self._file.close()

    def remove(self) -> None:
        """Release the file and remove it: nothing was lost."""
        self._path.unlink(missing_ok=True)
        self.close()


def count_lost(store: Store, ledger: Path) -> int:
    """Note as a gap what killed writers of this ledger took and did not write. Each counts once.

    Raises:
        StoreUnavailable: the gap cannot be noted; the tallies stay for the next time.
    """
    total = 0
    for path in sorted(ledger.parent.glob(f"{escape(ledger.name)}.tally-*")):
        with suppress(OSError), path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_nlink == 0:
                continue  # another opening counted it in between
            for what, lost in _lost(store, file.read(_ALL.size)).items():
                if lost:
                    store.note_gap(what, lost, datetime.now(UTC))
                    total += lost
            path.unlink(missing_ok=True)
    return total


def _lost(store: Store, content: bytes) -> dict[str, int]:
    # One that an older lichen left ends before the last number.
    if len(content) not in (_ALL.size, _ALL.size - _NUMBER.size):
        return {}
    content = content.ljust(_ALL.size, b"\0")
    numbers: tuple[int, int, int, int, int, int] = _ALL.unpack(content)
    put, written, in_flight, last_id, under_way, own = numbers
    if in_flight > written and store.entry(from_int(last_id)) is not None:
        written = in_flight
    return {
        LOST_AT_STOP: max(0, put - written),
        BROKEN_AT_STOP: under_way,
        OWN_AT_STOP: own,
    }
