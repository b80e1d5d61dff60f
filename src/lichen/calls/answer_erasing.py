"""Erasing stored answers from their file, so that their bytes are gone from it.

What SQLite deletes stays in the file until its place is needed. So the place of what goes is
overwritten with zeros, the file is written anew without gaps, and its log is emptied. What the disk
itself keeps of old blocks (wear levelling, snapshots, backups) no program can reach.

Source: SQLite documentation, "PRAGMA secure_delete", "VACUUM", "PRAGMA wal_checkpoint".
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import orjson

from lichen.ledger.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.calls.forget import Forget

# How long to wait for a service that writes to the file. [s]
_PATIENCE_S = 10.0
_PAGE = 200


def erase_from(path: Path, which: Forget) -> list[bytes]:
    """Erase what is meant from an answers file; the keys of what went.

    Raises:
        StoreUnavailable: the file cannot be read or written; nothing was erased.
    """
    try:
        db = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
        try:
            db.execute("PRAGMA secure_delete = ON")
            keys = _delete(db, which)
            if keys:
                db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(
            str(path),
            str(error),
            "stop what uses it, or delete the file: answers are kept to spare calls only",
        ) from error
    return keys


def _delete(db: sqlite3.Connection, which: Forget) -> list[bytes]:
    db.execute("BEGIN IMMEDIATE")
    try:
        keys = list(_meant(db, which))
        db.executemany("DELETE FROM answers WHERE key = ?", [(key,) for key in keys])
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    return keys


def _meant(db: sqlite3.Connection, which: Forget) -> Iterator[bytes]:
    last = b""
    while True:
        rows = db.execute(
            "SELECT key, stored_us, meta, body FROM answers WHERE key > ? ORDER BY key LIMIT ?",
            (last, _PAGE),
        ).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        for key, stored_us, meta, body in rows:
            if which.covers(tenant=_tenant(meta), at_us=stored_us, texts=(meta, body)):
                yield key


def _tenant(meta: bytes) -> str:
    """Whose it is; empty, which is anyone's, where it does not say so or cannot be read."""
    try:
        return str(orjson.loads(meta).get("tenant", ""))
    except (ValueError, AttributeError):
        return ""
