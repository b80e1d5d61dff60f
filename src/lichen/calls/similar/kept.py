"""Kept: the questions whose answers may serve others, in an SQLite file or in memory.

The file holds questions as texts, since guards and the verifier compare what texts say, and what a
proof runs again is the comparison. A route that asks for `similar` opts in to that; SECURITY.md
says so. Only the owner may read the file, what is deleted is overwritten, and a file that cannot be
read is set aside and a new one begun: it only spares calls, so that nothing is lost without it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from lichen.calls.similar import erasing
from lichen.text.nearest import Small

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lichen.calls.forget import Forget
    from lichen.calls.similar.erasing import Meant

_SCHEMA = """
CREATE TABLE IF NOT EXISTS questions (
    key BLOB PRIMARY KEY, scope BLOB NOT NULL, owner TEXT NOT NULL, entry TEXT NOT NULL,
    text TEXT NOT NULL, levels BLOB, scale REAL, stored_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL, was_right INTEGER NOT NULL, was_wrong INTEGER NOT NULL,
    together BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS hits (
    entry TEXT PRIMARY KEY, owner TEXT NOT NULL, text TEXT NOT NULL, matched BLOB NOT NULL,
    at_us INTEGER NOT NULL, expires_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS learners (name TEXT PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Question(NamedTuple):
    """A question that was answered: `key` is its answer's, `entry` the call that was paid for.

    `owner` is the tenant, or "*" where a route shares answers. `vector` is None until somebody asks
    something like it. `was_right` and `was_wrong` count how its answer was verified; `group` is the
    key of the first question that it was verified to serve like, or its own. Times in µs.
    """

    key: bytes
    scope: bytes
    owner: str
    entry: str
    text: str
    vector: Small | None
    stored_us: int
    expires_us: int
    was_right: int = 0
    was_wrong: int = 0
    group: bytes = b""


class Given(NamedTuple):
    """A question that got a like one's answer, for its proof: `matched` is that one's key."""

    text: str
    matched: bytes


class Kept:
    """Questions, given answers and what deciders learnt. Of one thread: whoever made it.

    `path` None keeps them in memory. `embedder` names whose vectors these are: others' are let go;
    None for whoever needs no vector.
    `warn` hears what is wrong with the file.
    """

    def __init__(
        self, path: Path | None, embedder: str | None, warn: Callable[[object], None]
    ) -> None:
        self._warn = warn
        self._well = True
        self._db = _opened(path, warn)
        if embedder is not None:
            self._keep_to(embedder)
        self._version = self._outside()

    def _keep_to(self, embedder: str) -> None:
        self._do("INSERT OR IGNORE INTO about VALUES ('embedder', ?)", embedder)
        ((named,),) = self._db.execute("SELECT value FROM about WHERE name = 'embedder'")
        if named != embedder:
            self._do("UPDATE questions SET levels = NULL, scale = NULL")
            self._do("UPDATE about SET value = ? WHERE name = 'embedder'", embedder)

    def _do(self, sql: str, *values: object) -> None:
        """Write; where that fails, say so once and go on without."""
        try:
            self._db.execute(sql, values)
            self._well = True
        except sqlite3.Error as error:
            if self._well:
                self._well = False
                self._warn(f"questions cannot be kept ({error}): they end with this process")

    def expire(self, now_us: int) -> None:
        """Let go of all whose time is over."""
        self._do("DELETE FROM questions WHERE expires_us <= ?", now_us)
        self._do("DELETE FROM hits WHERE expires_us <= ?", now_us)

    def questions(self) -> Iterator[Question]:
        """All of them, oldest first."""
        for row in self._db.execute("SELECT * FROM questions ORDER BY stored_us"):
            yield question_of(row)

    def put(self, question: Question) -> None:
        """Keep a question, in place of an older one under its key."""
        vector = question.vector
        self._do(
            "INSERT OR REPLACE INTO questions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *question[:5],
            vector.levels.tobytes() if vector is not None else None,
            vector.scale if vector is not None else None,
            *question[6:10],
            question.group or question.key,
        )

    def drop(self, keys: Sequence[bytes]) -> None:
        """Erase questions."""
        for key in keys:
            self._do("DELETE FROM questions WHERE key = ?", key)

    def give(self, entry: str, owner: str, given: Given, at_us: int, expires_us: int) -> None:
        """Remember what was asked where a like question's answer was given."""
        self._do(
            "INSERT OR REPLACE INTO hits VALUES (?, ?, ?, ?, ?, ?)",
            *(entry, owner, given.text, given.matched, at_us, expires_us),
        )

    def learners(self) -> dict[str, Mapping[str, Any]]:
        """What deciders learnt, by their names; what cannot be read is begun anew."""
        made: dict[str, Mapping[str, Any]] = {}
        for name, state in self._db.execute("SELECT name, state FROM learners"):
            with suppress(orjson.JSONDecodeError):
                made[name] = orjson.loads(state)
        return made

    def learn(self, name: str, state: Mapping[str, Any]) -> None:
        """Keep what a decider learnt."""
        self._do("INSERT OR REPLACE INTO learners VALUES (?, ?)", name, orjson.dumps(state))

    def changed_outside(self) -> bool:
        """Whether another process changed the file since last asked, as `lichen forget` does."""
        before, self._version = self._version, self._outside()
        return before != self._version

    def _outside(self) -> int:
        ((version,),) = self._db.execute("PRAGMA data_version")
        return int(version)

    def keys(self) -> set[bytes]:
        """The keys of all questions."""
        return {key for (key,) in self._db.execute("SELECT key FROM questions")}

    def erase(self, which: Forget) -> Iterator[Meant]:
        """Erase questions and hits that are meant: each page is gone when it is given.

        At the end their bytes are gone from the file and its log, too.
        """
        for page in erasing.pages(self._db, which):
            self.drop(page.keys)
            for entry in page.hits:
                self._do("DELETE FROM hits WHERE entry = ?", entry)
            for name in page.learners:
                self._do("DELETE FROM learners WHERE name = ?", name)
            yield page
        self._do("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def question_of(row: tuple[Any, ...]) -> Question:
    """A row of the table `questions`."""
    import numpy as np  # noqa: PLC0415 (heavy)

    key, scope, owner, entry, text, levels, scale, *counts = row
    vector = Small(np.frombuffer(levels, np.int8), scale) if levels is not None else None
    return Question(key, scope, owner, entry, text, vector, *counts)


def _opened(path: Path | None, warn: Callable[[object], None]) -> sqlite3.Connection:
    if path is None:
        return _open(":memory:")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Before anything is in it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        return _open_or_set_aside(path, warn)
    except (OSError, sqlite3.Error) as error:
        warn(f"questions cannot be kept in {path} ({error}): they end with this process")
        return _open(":memory:")


def _open_or_set_aside(path: Path, warn: Callable[[object], None]) -> sqlite3.Connection:
    try:
        return _open(str(path))
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        aside = path.with_name(f"{path.name}.corrupt")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).replace(f"{aside}{suffix}")
        warn(f"the questions kept in {path} cannot be read ({error}): moved to {aside}")
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        return _open(str(path))


def _open(where: str) -> sqlite3.Connection:
    db = sqlite3.connect(where, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA secure_delete = ON")
        db.executescript(_SCHEMA)
        # A page that is broken is found now, not at the first question.
        db.execute("SELECT count(text), count(levels) FROM questions").fetchone()
        db.execute("SELECT count(state) FROM learners").fetchone()
    except BaseException:
        db.close()
        raise
    return db
