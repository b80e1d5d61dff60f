"""Erasing what is kept of questions: what is meant is found a page at a time, in order of keys.

Whoever erases does something else between two pages, and never holds more than one in memory. What
is written meanwhile under a key that was passed is newer than the asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from lichen.calls.forget import Forget

# Rows of one page: about a millisecond.
PAGE = 256


class Meant(NamedTuple):
    """Rows of one page that are to go: keys of questions, entries of hits, names of deciders."""

    keys: Sequence[bytes] = ()
    hits: Sequence[str] = ()
    learners: Sequence[str] = ()


def pages(db: sqlite3.Connection, which: Forget) -> Iterator[Meant]:
    """What is meant, page by page; pages without any, too.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    for keys in _meant(db, which, "SELECT key, owner, stored_us, text FROM questions", "key", b""):
        yield Meant(keys=keys)
    for hits in _meant(db, which, "SELECT entry, owner, at_us, text FROM hits", "entry", ""):
        yield Meant(hits=hits)
    names = [name for (name,) in db.execute("SELECT name FROM learners")]
    yield Meant(learners=[name for name in names if is_meant(which, *name.split("\n")[:2])])


def is_meant(which: Forget, owner: str, model: str) -> bool:
    """Whether what was learnt of a tenant's calls to a model is meant: numbers, and these names.

    It has no one time, so that no moment means it; what a route shares names no tenant.
    """
    if which.before is not None or (which.tenant and owner != which.tenant):
        return False
    return not which.contains or which.is_in(model)


def _meant(
    db: sqlite3.Connection, which: Forget, select: str, key: str, last: Any
) -> Iterator[list[Any]]:
    while rows := db.execute(
        f"{select} WHERE {key} > ? ORDER BY {key} LIMIT ?", (last, PAGE)
    ).fetchall():
        last = rows[-1][0]
        yield [
            name
            for name, owner, at_us, text in rows
            # What a route shares is anybody's.
            if which.covers(tenant="" if owner == "*" else owner, at_us=at_us, texts=(text,))
        ]
