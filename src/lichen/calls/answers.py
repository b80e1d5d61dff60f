"""Answers kept: in memory for speed, in a file for the next start.

`find` looks in memory, then in the file if its index knows the key; a miss costs two look-ups in
dictionaries. `keep` never waits: a thread writes the file. Both tiers are bounded in bytes, the
oldest go first. The file holds what models answered, so only its owner may read it; with the path
"memory:" nothing is written at all.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.ports import CallReading
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.calls.exchange import Headers
    from lichen.ledger.entry import Figures

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, stored_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,
    size INTEGER NOT NULL, meta BLOB NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS answers_by_age ON answers (stored_us);
"""
_FLUSH_S = 0.2
_ROW_COST = 400  # bytes of a stored answer beside its body, in memory


@dataclass(frozen=True, slots=True)
class Origin:
    """The call an answer came from: what it used, and the entry that says so."""

    entry_id: str
    kind: str
    model: str
    zone: str
    method: str
    factors: str
    tokens: Tokens
    reading: CallReading
    cpu_seconds: float | None
    gaps: tuple[str, ...]


@dataclass(slots=True)
class Stored:
    """An answer kept, ready to be sent again. Times in µs since 1970."""

    key: bytes
    status: int
    headers: Headers
    body: bytes
    stored_us: int
    expires_us: int
    origin: Origin
    # Made at the first hit, and again when the grid's intensity has changed.
    figures: Figures | None = None
    figures_until_us: int = 0
    head: bytes = b""
    tail: bytes = b""
    digest: str = field(default="")

    def __post_init__(self) -> None:
        """Name the body by its hash: what `lichen prove` compares."""
        self.digest = self.digest or hashlib.sha256(self.body).hexdigest()[:32]

    @property
    def size(self) -> int:
        """Bytes it takes in memory, about."""
        return len(self.body) + _ROW_COST


class AnswerStore:
    """Keeps answers by key, bounded in bytes."""

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
        self._file = _File(path, size, warn) if path is not None else None

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
        while self._hot_size > self._memory_bound and len(self._hot) > 1:
            _, cold = self._hot.popitem(last=False)
            self._hot_size -= cold.size

    def counts(self) -> dict[str, float]:
        """How many answers are kept, and their bytes in memory."""
        in_file = len(self._file.keys) if self._file else 0
        return {"answers": max(in_file, len(self._hot)), "memory_bytes": self._hot_size}

    def close(self) -> None:
        """Write what waits and close the file."""
        if self._file is not None:
            self._file.close()


class _File:
    """The lower tier: an SQLite file, written by a thread of its own."""

    def __init__(self, path: Path, size: float, warn: Callable[[str], None]) -> None:
        self._path, self._bound, self._warn = path, size, warn
        self._lock = threading.Lock()
        self._db = self._open_or_set_aside()
        rows = self._db.execute("SELECT key, size FROM answers").fetchall()
        self.keys = {key for key, _ in rows}
        self._size = sum(size for _, size in rows)
        self._queue: dict[bytes, Stored] = {}
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="lichen-answers", daemon=True)
        self._thread.start()

    def _open_or_set_aside(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            aside = self._path.with_name(f"{self._path.name}.corrupt")
            self._path.replace(aside)
            self._warn(
                f"the stored answers in {self._path} cannot be read ({error}): moved to {aside}"
            )
            return self._open()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        db = sqlite3.connect(self._path, timeout=5, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(_SCHEMA)
        return db

    def read(self, key: bytes) -> Stored | None:
        waiting = self._queue.get(key)
        if waiting is not None:
            return waiting
        try:
            with self._lock:
                row = self._db.execute(
                    "SELECT stored_us, expires_us, meta, body FROM answers WHERE key = ?", (key,)
                ).fetchone()
        except sqlite3.Error as error:
            self._warn(f"a stored answer cannot be read from {self._path}: {error}")
            return None
        return None if row is None else _stored(key, *row)

    def put(self, stored: Stored) -> None:
        self._queue[stored.key] = stored
        self.keys.add(stored.key)
        self._wake.set()

    def close(self) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(10)
        with self._lock:
            self._db.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stop.wait(_FLUSH_S)
            self._flush()
        self._flush()

    def _flush(self) -> None:
        batch = list(self._queue.values())
        try:
            with self._lock:
                self._db.execute("BEGIN IMMEDIATE")
                for stored in batch:
                    self._db.execute(
                        "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", _row(stored)
                    )
                    self._size += stored.size
                self._evict()
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            # The file only spares calls: without it they are made again, so nothing is lost.
            self._warn(f"answers cannot be written to {self._path}: {error}")
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            for stored in batch:
                self.keys.discard(stored.key)
        for stored in batch:
            if self._queue.get(stored.key) is stored:
                del self._queue[stored.key]

    def _evict(self) -> None:
        while self._size > self._bound:
            gone = self._db.execute(
                "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY stored_us "
                "LIMIT max(1, (SELECT count(*) FROM answers) / 20)) RETURNING key, size"
            ).fetchall()
            if not gone:
                self._size = 0
            for key, size in gone:
                self.keys.discard(key)
                self._size -= size


def _row(stored: Stored) -> tuple[Any, ...]:
    origin = stored.origin
    reading = origin.reading
    meta = {
        "status": stored.status,
        "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in stored.headers],
        "entry": origin.entry_id,
        "kind": origin.kind,
        "model": origin.model,
        "zone": origin.zone,
        "method": origin.method,
        "factors": origin.factors,
        "tokens": [getattr(origin.tokens, name) for name in Tokens.__slots__],
        "energy": _numbers(reading.energy),
        "embodied": _numbers(reading.embodied),
        "cpu_seconds": origin.cpu_seconds,
        "gaps": [list(origin.gaps), list(reading.gaps)],
    }
    return (
        stored.key,
        stored.stored_us,
        stored.expires_us,
        stored.size,
        orjson.dumps(meta),
        stored.body,
    )


def _numbers(known: Estimate[Any]) -> list[float]:
    return [known.value.amount, known.low.amount, known.high.amount, int(known.basis)]


def _stored(key: bytes, stored_us: int, expires_us: int, meta: bytes, body: bytes) -> Stored:
    said = orjson.loads(meta)
    value, low, high, basis = said["energy"]
    energy = Estimate(Energy(value), Energy(low), Energy(high), Basis(basis))
    value, low, high, basis = said["embodied"]
    embodied = Estimate(Carbon(value), Carbon(low), Carbon(high), Basis(basis))
    gaps, reading_gaps = said["gaps"]
    origin = Origin(
        said["entry"],
        said["kind"],
        said["model"],
        said["zone"],
        said["method"],
        said["factors"],
        Tokens(*said["tokens"]),
        CallReading(energy, embodied, tuple(reading_gaps)),
        said["cpu_seconds"],
        tuple(gaps),
    )
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in said["headers"]]
    return Stored(key, said["status"], headers, body, stored_us, expires_us, origin)
