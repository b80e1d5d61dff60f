"""Shelf: files and batches of the Batch API, beside the items they are made of.

    validating → in_progress → finalizing → completed | expired
        │             └──→ cancelling → cancelled
        └──→ failed

A batch changes by its version, so that of two processes that do the same work one does it. What a
batch becomes (its items, or its files) is written in the commit that says that it is that.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.calls.batch.item import State
from lichen.calls.batch.rows import ALL, EMPTY, insert, item_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.batch.database import Cursor, Database
    from lichen.calls.batch.item import Item

OPEN = ("validating", "in_progress", "finalizing", "cancelling")
_FILE = "id, tenant, purpose, name, created_us, expires_us, size"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file's particulars; times in µs since 1970, `size` in bytes."""

    id: str
    tenant: str
    purpose: str
    name: str
    created_us: int
    expires_us: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as it stands; `times` are µs since 1970 by what happened then.

    `headers` are those of the call that made it, as text and without a credential.
    """

    id: str
    tenant: str
    endpoint: str
    input_file: str
    window: str
    created_us: int
    deadline_us: int
    headers: str
    needs_key: bool
    status: str = "validating"
    metadata: dict[str, str] | None = None
    times: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    completed: int = 0
    failed: int = 0
    output_file: str = ""
    error_file: str = ""
    files_kept_us: int = 0
    version: int = 0


class Made(NamedTuple):
    """A file with what is in it."""

    file: File
    content: bytes


class Shelf:
    """Files and batches in the queue's database. Not for two threads at once."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put_file(self, made: Made) -> None:
        """Keep a file; on disk when this returns."""
        with self._db.transaction() as cursor:
            _put(cursor, made)

    def file(self, file_id: str, tenant: str) -> File | None:
        """A tenant's file by its id."""
        with self._db.transaction() as cursor:
            cursor.execute(
                f"SELECT {_FILE} FROM deferred_files WHERE id = ? AND tenant = ?",
                (file_id, tenant),
            )
            rows = cursor.fetchall()
        return _file(rows[0]) if rows else None

    def content(self, file_id: str, tenant: str) -> bytes | None:
        """What is in a tenant's file."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "SELECT content FROM deferred_files WHERE id = ? AND tenant = ?", (file_id, tenant)
            )
            rows = cursor.fetchall()
        return bytes(rows[0][0]) if rows else None

    def files(self, tenant: str, purposes: Sequence[str], after: str, most: int) -> list[File]:
        """A tenant's files, the newest first, beginning after one of them."""
        marks = ",".join("?" * len(purposes))
        with self._db.transaction() as cursor:
            before = _created(cursor, "deferred_files", after)
            cursor.execute(
                f"SELECT {_FILE} FROM deferred_files WHERE tenant = ? AND purpose IN ({marks})"
                " AND created_us < ? ORDER BY created_us DESC LIMIT ?",
                (tenant, *purposes, before, most),
            )
            return [_file(row) for row in cursor.fetchall()]

    def size_of(self, tenant: str | None) -> int:
        """The bytes of a tenant's files; of everyone's with None."""
        only, values = ("", ()) if tenant is None else (" WHERE tenant = ?", (tenant,))
        with self._db.transaction() as cursor:
            cursor.execute(f"SELECT coalesce(sum(size), 0) FROM deferred_files{only}", values)
            return int(cursor.fetchall()[0][0])

    def drop_file(self, file_id: str, tenant: str) -> bool:
        """Delete a file; whether there was one."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "DELETE FROM deferred_files WHERE id = ? AND tenant = ? RETURNING id",
                (file_id, tenant),
            )
            return bool(cursor.fetchall())

    def put_batch(self, batch: Batch) -> None:
        """Keep a new batch; on disk when this returns."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "INSERT INTO deferred_batches VALUES (?, ?, ?, ?, 0, ?)",
                (batch.id, batch.tenant, batch.status, batch.created_us, _text(batch)),
            )

    def batch(self, batch_id: str, tenant: str) -> Batch | None:
        """A tenant's batch, counted as it stands now."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "SELECT record, version FROM deferred_batches WHERE id = ? AND tenant = ?",
                (batch_id, tenant),
            )
            rows = cursor.fetchall()
            return _counted(cursor, _batch(rows[0])) if rows else None

    def batches(self, tenant: str, after: str, most: int) -> list[Batch]:
        """A tenant's batches, the newest first, beginning after one of them."""
        with self._db.transaction() as cursor:
            before = _created(cursor, "deferred_batches", after)
            cursor.execute(
                "SELECT record, version FROM deferred_batches WHERE tenant = ? AND created_us < ?"
                " ORDER BY created_us DESC LIMIT ?",
                (tenant, before, most),
            )
            return [_counted(cursor, _batch(row)) for row in cursor.fetchall()]

    def open(self) -> list[Batch]:
        """Batches on which there is work to do, counted as they stand, the oldest first."""
        marks = ",".join("?" * len(OPEN))
        with self._db.transaction() as cursor:
            cursor.execute(
                f"SELECT record, version FROM deferred_batches WHERE state IN ({marks})"
                " ORDER BY created_us",
                OPEN,
            )
            return [_counted(cursor, _batch(row)) for row in cursor.fetchall()]

    def advance(self, batch: Batch, items: Sequence[Item] = (), files: Sequence[Made] = ()) -> bool:
        """Keep a batch's next state, with what it is made of; False: another process was quicker.

        A batch that has ended lets go of its items.
        """
        with self._db.transaction() as cursor:
            cursor.execute(
                "UPDATE deferred_batches SET state = ?, version = version + 1, record = ?"
                " WHERE id = ? AND version = ? RETURNING id",
                (batch.status, _text(batch), batch.id, batch.version),
            )
            if not cursor.fetchall():
                return False
            for item in items:
                insert(cursor, item)
            for made in files:
                _put(cursor, made)
            if batch.status not in OPEN:
                cursor.execute("DELETE FROM deferred_items WHERE batch = ?", (batch.id,))
            return True

    def cancel_items(self, batch_id: str) -> None:
        """Cancel what has not been sent of a batch."""
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            cursor.execute(
                "UPDATE deferred_items SET state = 'cancelled', body = ?, ended_us = ?"
                " WHERE batch = ? AND state = 'waiting'",
                (EMPTY, now, batch_id),
            )

    def items(self, batch_id: str) -> list[Item]:
        """The items of a batch, in the order of its lines."""
        with self._db.transaction() as cursor:
            cursor.execute(
                f"SELECT {ALL} FROM deferred_items WHERE batch = ? ORDER BY place", (batch_id,)
            )
            return [item_of(row) for row in cursor.fetchall()]

    def sweep(self, kept_us: int) -> None:
        """Delete files past their time, and batches that ended long ago."""
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            cursor.execute("DELETE FROM deferred_files WHERE expires_us < ?", (now,))
            marks = ",".join("?" * len(OPEN))
            cursor.execute(
                f"DELETE FROM deferred_batches WHERE created_us < ? AND state NOT IN ({marks})",
                (now - 4 * kept_us, *OPEN),
            )


def _put(cursor: Cursor, made: Made) -> None:
    one = made.file
    cursor.execute(
        "INSERT INTO deferred_files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            one.id,
            one.tenant,
            one.purpose,
            one.name,
            one.created_us,
            one.expires_us,
            one.size,
            made.content,
        ),
    )


def _created(cursor: Cursor, table: str, after: str) -> int:
    if not after:
        return 2**62
    cursor.execute(f"SELECT created_us FROM {table} WHERE id = ?", (after,))
    rows = cursor.fetchall()
    return int(rows[0][0]) if rows else 0


def _counted(cursor: Cursor, batch: Batch) -> Batch:
    """The batch with the counts of its items, while it has them."""
    if batch.status not in OPEN or batch.status == "validating":
        return batch
    cursor.execute(
        "SELECT state, count(*) FROM deferred_items WHERE batch = ? GROUP BY state", (batch.id,)
    )
    by_state = {State(state): int(count) for state, count in cursor.fetchall()}
    failed = sum(by_state.get(one, 0) for one in (State.FAILED, State.EXPIRED, State.CANCELLED))
    return replace(batch, completed=by_state.get(State.ANSWERED, 0), failed=failed)


def _file(row: Sequence[Any]) -> File:
    names = _FILE.split(", ")
    made = dict(zip(names, row, strict=True))
    return File(**made)


def _text(batch: Batch) -> str:
    return json.dumps(asdict(batch))


def _batch(row: Sequence[Any]) -> Batch:
    return Batch(**{**json.loads(row[0]), "version": int(row[1])})
