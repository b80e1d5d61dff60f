"""Forgetting kept questions: by a step that runs, or where no service runs or no route asks.

The entry point "similar" of the group "lichen.forget" is `forget_kept`.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from lichen.calls.similar import erasing
from lichen.ledger.errors import StoreUnavailable

if TYPE_CHECKING:
    from lichen.calls.forget import Forget
    from lichen.calls.similar.looker import Looker
    from lichen.calls.steps import Place
    from lichen.text.embeddings import EmbedderThread

# How long to wait for a service that writes to the file. [s]
_PATIENCE_S = 10.0
# The longest rest between pages. [s]
_TURN_S = 0.1


async def forget_looked(thread: EmbedderThread, looker: Looker, which: Forget) -> int:
    """Erase what is meant in the thread of a step; looks and others go between two pages."""
    pages = looker.forget(which)
    gone = 0
    while (page := await thread.do(lambda _: next(pages, None))) is not None:
        gone += page
    return gone


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
            gone = _erase(db, which)
            if gone:
                db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise StoreUnavailable(
            str(path), str(error), "stop what uses it, or delete the file: it spares calls only"
        ) from error
    return gone


def _erase(db: sqlite3.Connection, which: Forget) -> int:
    gone, begun = 0, time.monotonic()
    for page in erasing.pages(db, which):
        db.execute("BEGIN IMMEDIATE")
        db.executemany("DELETE FROM questions WHERE key = ?", [(key,) for key in page.keys])
        db.executemany("DELETE FROM hits WHERE entry = ?", [(entry,) for entry in page.hits])
        db.executemany("DELETE FROM learners WHERE name = ?", [(name,) for name in page.learners])
        db.execute("COMMIT")
        gone += len(page.keys) + len(page.hits)
        time.sleep(min(time.monotonic() - begun, _TURN_S))  # as long again for those who write
        begun = time.monotonic()
    return gone
