"""Erasing kept questions and hits: what is meant is found a page at a time, in order of their keys.

Whoever erases does something else between two pages, and never holds more than one in memory. What
is written meanwhile under a key that was passed is newer than the asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from lichen.calls.forget import Forget

# Rows of one page: about a millisecond.
PAGE = 256


class Meant(NamedTuple):
    """Rows of one page that are to go: keys of questions, and entries of hits."""

    keys: list[bytes]
    hits: list[str]


def pages(db: sqlite3.Connection, which: Forget) -> Iterator[Meant]:
    """What is meant, page by page; pages without any, too.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    for keys in _meant(db, which, "SELECT key, owner, stored_us, text FROM questions", "key", b""):
        yield Meant(keys, [])
    for hits in _meant(db, which, "SELECT entry, owner, at_us, text FROM hits", "entry", ""):
        yield Meant([], hits)


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
