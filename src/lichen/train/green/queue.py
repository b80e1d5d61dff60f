"""Queue: jobs on disk, in the ledger's SQLite file, with tables and a schema version of their own.

    green_jobs       a job's record, with a version: nobody overwrites what they have not read
    green_plannings  each planning with the forecasts as they were issued; only ever added
    green_wishes     what a user asked of a job: released or cancelled; only ever added

A ledger without these tables opens as before, and so does one with them in a lichen that does not
know them. A job is driven by whoever holds the lock on its file beside the ledger; the kernel lets
go of that lock when its holder dies, however it dies.

Source: flock(2); SQLite documentation, "Write-Ahead Logging": with synchronous = FULL a commit is
on disk before it returns.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError, NoJob, StoreUnavailable
from lichen.ledger.sqlite import BUSY_MS, SqliteStore
from lichen.train.green.identity import Identity
from lichen.train.green.issued import Planning
from lichen.train.green.record import Record, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERSION = 1
_SCHEMA = """\
CREATE TABLE green_schema (version INTEGER NOT NULL);
CREATE TABLE green_jobs (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, version INTEGER NOT NULL, record TEXT NOT NULL
) STRICT;
CREATE TABLE green_plannings (
  number INTEGER PRIMARY KEY, job TEXT NOT NULL, planning TEXT NOT NULL
) STRICT;
CREATE INDEX green_plannings_of ON green_plannings (job);
CREATE TABLE green_wishes (
  number INTEGER PRIMARY KEY, job TEXT NOT NULL, at TEXT NOT NULL, wish TEXT NOT NULL
) STRICT;
CREATE INDEX green_wishes_of ON green_wishes (job);
INSERT INTO green_schema VALUES (1);
"""
_NEAREST = 3


class Wish(Enum):
    """What a user may ask of a job that was queued."""

    RELEASE = "release"
    CANCEL = "cancel"


class Taken(InputError):  # noqa: N818 (named for what it is)
    """Another runner drives the job."""


class Queue:
    """The jobs of a ledger; `folder` beside it holds locks, outputs and checkpoints.

    Raises:
        StoreUnavailable: the file cannot be opened, is no ledger, or a newer lichen's.
        InputError: the ledger is no file.
    """

    def __init__(self, ledger: str | os.PathLike[str]) -> None:
        where = str(ledger)
        if where == "memory:" or "://" in where:
            raise InputError(
                f"jobs are kept in a ledger that is a file, and {where.partition(':')[0]}: is "
                "none: give one with --ledger lichen.db (the ledger elsewhere stays as it is)"
            )
        # The ledger first: it marks the file as its own, and refuses one that is another program's.
        SqliteStore(where).close()
        self.path = Path(where).resolve()
        self.folder = self.path.with_name(f"{self.path.name}.jobs")
        with self._translated():
            self._db = sqlite3.connect(
                self.path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA synchronous = FULL")
            self._prepare()

    def _prepare(self) -> None:
        with self._transaction():
            known = self._db.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = 'green_schema'"
            ).fetchone()[0]
            if not known:
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
            version = self._db.execute("SELECT version FROM green_schema").fetchone()[0]
        if version > VERSION:
            raise StoreUnavailable(
                str(self.path),
                f"its jobs have schema version {version}, this lichen knows up to {VERSION}",
                "a newer lichen wrote them: upgrade this one",
            )

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._db.close()

    def __enter__(self) -> Queue:  # noqa: PYI034 (nobody inherits it)
        """This queue."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def add(self, record: Record) -> None:
        """Put a job into the queue; on disk when this returns."""
        with self._translated():
            self._db.execute(
                "INSERT INTO green_jobs VALUES (?, ?, 0, ?)",
                (record.id, record.state.value, json.dumps(record.to_plain())),
            )

    def get(self, job: str) -> Record:
        """A job by its id, or by how its id begins or ends where that is one job's alone.

        Raises:
            NoJob: there is none.
        """
        query = "SELECT record, version FROM green_jobs WHERE id "
        rows = self._read(query + "= ?", (job,))
        if not rows and job.isalnum():
            rows = self._read(query + "LIKE ? OR id LIKE ?", (f"{job}%", f"%{job}"))
        if len(rows) != 1:
            raise NoJob(job, str(self.path), [each.id for each in self.newest(_NEAREST)])
        return Record.from_plain(json.loads(rows[0][0]), rows[0][1])

    def newest(self, most: int) -> list[Record]:
        """The newest jobs, the newest first."""
        rows = self._read(
            "SELECT record, version FROM green_jobs ORDER BY id DESC LIMIT ?", (most,)
        )
        return [Record.from_plain(json.loads(text), version) for text, version in rows]

    def living(self) -> list[Record]:
        """Jobs that have not ended, the oldest first."""
        alive = [state.value for state in State if not state.ended]
        marks = ",".join("?" * len(alive))
        rows = self._read(
            f"SELECT record, version FROM green_jobs WHERE state IN ({marks}) ORDER BY id",  # noqa: S608 (marks)
            alive,
        )
        return [Record.from_plain(json.loads(text), version) for text, version in rows]

    def put(self, record: Record) -> Record:
        """Keep a job's new record in place of the one it was made from; as kept.

        Raises:
            StoreUnavailable: somebody else changed it meanwhile; only its lock's holder may.
        """
        with self._translated():
            changed = self._db.execute(
                "UPDATE green_jobs SET state = ?, version = version + 1, record = ?"
                " WHERE id = ? AND version = ?",
                (
                    record.state.value,
                    json.dumps(record.to_plain()),
                    record.id,
                    record.version,
                ),
            ).rowcount
        if not changed:
            raise StoreUnavailable(
                str(self.path),
                f"job {record.id} was changed by another process",
                "one runner at a time: see that lock files work on this file system",
            )
        return Record.from_plain(record.to_plain(), record.version + 1)

    def note(self, job: str, planning: Planning) -> None:
        """Add a planning, with the forecasts it saw."""
        with self._translated():
            self._db.execute(
                "INSERT INTO green_plannings (job, planning) VALUES (?, ?)",
                (job, json.dumps(planning.to_plain())),
            )

    def plannings(self, job: str) -> list[Planning]:
        """All plannings of a job, the oldest first."""
        rows = self._read(
            "SELECT planning FROM green_plannings WHERE job = ? ORDER BY number", (job,)
        )
        return [Planning.from_plain(json.loads(text)) for (text,) in rows]

    def latest(self, job: str) -> Planning | None:
        """The last planning of a job."""
        rows = self._read(
            "SELECT planning FROM green_plannings WHERE job = ? ORDER BY number DESC LIMIT 1",
            (job,),
        )
        return Planning.from_plain(json.loads(rows[0][0])) if rows else None

    def wish(self, job: str, wish: Wish) -> None:
        """Ask something of a job; its runner sees it within a second."""
        with self._translated():
            self._db.execute(
                "INSERT INTO green_wishes (job, at, wish) VALUES (?, ?, ?)",
                (job, datetime.now(UTC).isoformat(), wish.value),
            )

    def wishes(self, job: str) -> dict[Wish, datetime]:
        """What was asked of a job, each with when first."""
        rows = self._read(
            "SELECT wish, min(at) FROM green_wishes WHERE job = ? GROUP BY wish", (job,)
        )
        return {Wish(wish): datetime.fromisoformat(at) for wish, at in rows}

    @contextmanager
    def driving(self, job: str) -> Iterator[None]:
        """Hold a job's lock: who holds it drives the job.

        Raises:
            Taken: another runner does.
        """
        path = self.folder / job / "lock"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                said = path.read_text(encoding="utf-8")
                who = Identity.parse(said)
                raise Taken(
                    f"job {job} is driven by another runner"
                    f"{f' (process {who.pid})' if who else ''}: nothing to do here"
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(Identity.own()).encode(), 0)
            yield
        finally:
            os.close(handle)

    def driven(self, job: str) -> bool:
        """Whether some runner drives a job now."""
        with suppress(FileNotFoundError), closing(_Open(self.folder / job / "lock")) as lock:
            return lock.taken
        return False

    def _read(self, query: str, values: Sequence[Any]) -> list[Any]:
        with self._translated():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreUnavailable(
                str(self.path), str(error), "see that this user may write it and the disk has room"
            ) from error


class _Open:
    """A lock file looked at, and let go of at once."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR)
        self.taken = False
        try:
            fcntl.flock(self._handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            self.taken = True

    def close(self) -> None:
        os.close(self._handle)
