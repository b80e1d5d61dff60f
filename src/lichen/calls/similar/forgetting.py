"""Forgetting kept questions, whether or not a service runs or a route asks for similar answers now.

The entry point "similar" of the group "lichen.forget".
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from lichen.ledger.errors import StoreUnavailable

if TYPE_CHECKING:
    from lichen.calls.forget import Forget
    from lichen.calls.steps import Place

# How long to wait for a service that writes to the file. [s]
_PATIENCE_S = 10.0


def forget_kept(place: Place, which: Forget) -> int:
    """Erase questions, their vectors and hits that are meant; how many.

    Raises:
        StoreUnavailable: the file cannot be read or written.
    """
    path = place.file("similar")
    if path is None or not path.is_file():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)) as db:
            db.execute("PRAGMA secure_delete = ON")
            gone = sum(_erase(db, which, *about) for about in _TABLES)
            if gone:
                db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise StoreUnavailable(
            str(path), str(error), "stop what uses it, or delete the file: it spares calls only"
        ) from error
    return gone


# What is kept, its key and its time; both have an owner and a text.
_TABLES = (("questions", "key", "stored_us"), ("hits", "entry", "at_us"))


def _erase(db: sqlite3.Connection, which: Forget, table: str, key: str, time: str) -> int:
    rows = db.execute(f"SELECT {key}, owner, {time}, text FROM {table}").fetchall()  # noqa: S608 (our own names)
    meant = [
        (name,)
        for name, owner, at_us, text in rows
        # What a route shares is anybody's.
        if which.covers(tenant="" if owner == "*" else owner, at_us=at_us, texts=(text,))
    ]
    db.executemany(f"DELETE FROM {table} WHERE {key} = ?", meant)  # noqa: S608 (our own names)
    return len(meant)
