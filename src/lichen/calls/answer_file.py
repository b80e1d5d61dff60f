"""AnswerFile: answers in an SQLite file, written by a thread of its own.

The file holds what models answered, so only its owner may read it. It is a cache: a file that is
corrupt is set aside and a new one begun, and what cannot be written is left out, with a word about
it. Reading has a connection of its own and never waits for the writer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.answer_erasing import erase_from
from lichen.calls.framing import UNREADABLE, described, description

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.calls.forget import Forget
    from lichen.calls.stored import Stored

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, stored_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,
    size INTEGER NOT NULL, meta BLOB NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS answers_by_age ON answers (stored_us);
"""
_FLUSH_S = 0.2
# Bytes of answers that may wait for a slow disk; more are kept in memory alone.
_WAITING = 32e6
# Bytes of a row beside its body and its description.
_ROW_COST = 120


class AnswerFile:
    """Answers by key in a file of at most `bound` bytes, the oldest let go first.

    Raises:
        OSError: the file cannot be made or read.
        sqlite3.Error: it is locked, or the disk is full.
    """

    def __init__(self, path: Path, bound: float, warn: Callable[[str], None]) -> None:
        self._path, self._bound, self._warn = path, bound, warn
        self._db, sizes = self._open_or_set_aside()
        self._reader = _connect(path)
        self.keys = set(sizes)
        self._size = sum(sizes.values())
        self._lock = threading.Lock()
        self._queue: dict[bytes, Stored] = {}
        self._queued = 0
        self._well = True
        self._recount = False
        self._wake, self._stop = threading.Event(), threading.Event()
        self._done = threading.Condition(self._lock)
        self._thread = threading.Thread(target=self._run, name="lichen-answers", daemon=True)
        self._thread.start()

    def _open_or_set_aside(self) -> tuple[sqlite3.Connection, dict[bytes, int]]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _open(self._path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            name = self._path.name
            aside = self._path.with_name(f"{name}.corrupt")
            # The log of a lost file would be read into the new one.
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    self._path.with_name(name + suffix).replace(f"{aside}{suffix}")
            self._warn(
                f"the stored answers in {self._path} cannot be read ({error}): moved to {aside}"
            )
            return _open(self._path)

    def read(self, key: bytes) -> Stored | None:
        """The answer under a key; None where there is none that can be read."""
        waiting = self._queue.get(key)
        if waiting is not None:
            return waiting
        try:
            row = self._reader.execute(
                "SELECT stored_us, expires_us, meta, body FROM answers WHERE key = ?", (key,)
            ).fetchone()
            if row is not None:
                stored_us, expires_us, meta, body = row
                return described(key, stored_us, expires_us, orjson.loads(meta), body)
        except (sqlite3.Error, *UNREADABLE) as error:
            self._warn(f"a stored answer cannot be read from {self._path}: {error}")
        self.keys.discard(key)
        return None

    def put(self, stored: Stored) -> None:
        """Take an answer, to be written soon."""
        with self._lock:
            old = self._queue.pop(stored.key, None)
            self._queued -= old.size if old is not None else 0
            if self._queued + stored.size > _WAITING:
                self.keys.discard(stored.key)
                return
            self._queue[stored.key] = stored
            self._queued += stored.size
            self.keys.add(stored.key)
        self._wake.set()

    def forget(self, which: Forget) -> int:
        """Erase what is meant; how many answers went.

        Raises:
            StoreUnavailable: the file cannot be written.
        """
        with self._lock:
            waiting = [each for each in self._queue.values() if _is_meant(each, which)]
            for stored in waiting:
                del self._queue[stored.key]
                self._queued -= stored.size
        gone = {stored.key for stored in waiting}.union(erase_from(self._path, which))
        self.reread()
        return len(gone)

    def reread(self) -> None:
        """Another process changed the file: see again what is in it."""
        with suppress(sqlite3.Error):
            rows = self._reader.execute("SELECT key FROM answers").fetchall()
            with self._lock:
                self.keys = {key for (key,) in rows} | set(self._queue)
                self._recount = True

    def flush(self, timeout: float = 10.0) -> None:
        """Wait until what was put is written. [s]"""
        self._wake.set()
        with self._done:
            self._done.wait_for(lambda: not self._queue, timeout)

    def close(self) -> None:
        """Write what waits and close the file."""
        self._stop.set()
        self._wake.set()
        self._thread.join(10)
        self._reader.close()
        self._db.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stop.wait(_FLUSH_S)
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        with self._lock:
            batch = list(self._queue.values())
        if not batch:
            return
        try:
            gone = self._write(batch)
            self._well = True
        except Exception as error:  # noqa: BLE001 (a thread that dies would write nothing any more)
            gone = [stored.key for stored in batch]
            self._complain(error)
        with self._done:
            for stored in batch:
                if self._queue.get(stored.key) is stored:
                    del self._queue[stored.key]
                    self._queued -= stored.size
            self.keys.difference_update(key for key in gone if key not in self._queue)
            self._done.notify_all()

    def _complain(self, error: Exception) -> None:
        """Say once that nothing can be written, until something can."""
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
        if self._well:
            self._well = False
            self._warn(
                f"answers cannot be written to {self._path} ({error}): they are kept in memory"
            )

    def _write(self, batch: list[Stored]) -> list[bytes]:
        """Write answers in one transaction; the keys of those that had to go."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        if self._recount:
            self._recount = False
            self._size = db.execute("SELECT coalesce(sum(size), 0) FROM answers").fetchone()[0]
        size = self._size
        for stored in batch:
            row = _row(stored)
            had = db.execute("SELECT size FROM answers WHERE key = ?", row[:1]).fetchone()
            db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)
            size += row[3] - (had[0] if had else 0)
        gone: list[bytes] = []
        while size > self._bound:
            rows = db.execute(
                "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY stored_us "
                "LIMIT max(1, (SELECT count(*) FROM answers) / 20)) RETURNING key, size"
            ).fetchall()
            gone += [key for key, _ in rows]
            size = size - sum(freed for _, freed in rows) if rows else 0
        db.execute("COMMIT")
        self._size = size
        return gone


def _open(path: Path) -> tuple[sqlite3.Connection, dict[bytes, int]]:
    """The file, made where there is none, and the sizes of its answers by key."""
    # Before anything is in it.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    db = _connect(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(_SCHEMA)
        return db, dict(db.execute("SELECT key, size FROM answers").fetchall())
    except BaseException:
        db.close()
        raise


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    # What goes is overwritten: answers hold what people asked.
    db.execute("PRAGMA secure_delete = ON")
    return db


def _is_meant(stored: Stored, which: Forget) -> bool:
    return which.covers(tenant=stored.tenant, at_us=stored.stored_us, texts=(stored.body,))


def _row(stored: Stored) -> tuple[Any, ...]:
    meta = orjson.dumps(description(stored))
    size = len(stored.body) + len(meta) + _ROW_COST
    return stored.key, stored.stored_us, stored.expires_us, size, meta, stored.body
