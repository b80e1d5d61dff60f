"""Erasing what waits: calls and their answers, batches, files and offers, a page at a time.

    items     a call that goes lowers its batch's `total`, so that the batch still comes to its end
    batches   what a batch's record holds (`metadata`) goes with it and all its calls
    files     a batch that is not read yet fails where its input is gone
    offers    go with the last call they hold

Each page is a commit of its own, and at most `_PAGE_BYTES` of texts are in memory, however much
waits: others write in between. Half done it is done again: what is gone is not there any more.
A batch that was touched has a new version, so that whoever works on it begins anew.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from lichen.calls.batch.rows import marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lichen.calls.batch.database import Cursor, Database
    from lichen.calls.forget import Forget

# Texts in memory at once. [byte]
_PAGE_BYTES = 1_000_000
# Texts that go in one commit, where none is read. [byte]
_UNREAD_BYTES = 8_000_000
# Rows of one page.
_PAGE = 256
# The longest rest between pages. [s]
_TURN_S = 0.1


class _Table(NamedTuple):
    """A table: the column of its time, those with long texts, the others with text, its end."""

    name: str
    at: str
    long: tuple[str, ...]
    short: tuple[str, ...]
    delete: Callable[[Cursor, Sequence[str]], None]


def erase(database: Database, which: Forget) -> int:
    """Erase what is meant; how many calls, batches and files went.

    Raises:
        StoreUnavailable: the database cannot be read or written; say it again then.
    """
    gone = sum(_erase_from(database, table, which) for table in _TABLES)
    with database.transaction() as cursor:
        _drop_empty_offers(cursor, which)
    return gone


def _erase_from(database: Database, table: _Table, which: Forget) -> int:
    gone, last = 0, ""
    while True:
        begun = time.monotonic()
        with database.transaction() as cursor:
            page = _page(cursor, table, which, last)
            if not page:
                return gone
            meant = _meant(cursor, table, which, page)
            if meant:
                table.delete(cursor, meant)
        gone, last = gone + len(meant), list(page)[-1]
        time.sleep(min(time.monotonic() - begun, _TURN_S))  # as long again for those who write


def _page(cursor: Cursor, table: _Table, which: Forget, last: str) -> dict[str, int]:
    """The next that may be meant, by tenant and time, and their lengths; one at least if any."""
    mine, values = _whose(which)
    lengths = " + ".join(f"length({column})" for column in table.long)
    cursor.execute(
        f"SELECT id, {lengths} FROM {table.name} WHERE id > ? AND {table.at} < ? AND {mine}"
        " ORDER BY id LIMIT ?",
        (last, which.before_us, *values, _PAGE),
    )
    most = _PAGE_BYTES if which.contains else _UNREAD_BYTES
    page: dict[str, int] = {}
    for row_id, length in cursor.fetchall():
        if page and sum(page.values()) + length > most:
            break
        page[row_id] = int(length)
    return page


def _whose(which: Forget) -> tuple[str, tuple[str, ...]]:
    """What a query says of a tenant; what does not say whose it is may be anyone's."""
    return ("tenant IN ('', ?)", (which.tenant,)) if which.tenant else ("1 = 1", ())


def _meant(cursor: Cursor, table: _Table, which: Forget, page: dict[str, int]) -> list[str]:
    """Those of a page that hold the words, or all where no words are asked for."""
    ids = list(page)
    if not which.contains:
        return ids
    columns = ", ".join(("id", *table.short))
    cursor.execute(f"SELECT {columns} FROM {table.name} WHERE id IN ({marks(ids)})", ids)
    meant = {row_id for row_id, *texts in cursor.fetchall() if which.is_in(*texts)}
    for column in table.long:
        for row_id, piece in _pieces(cursor, f"{table.name} {column}", which.reach, page):
            if piece and which.is_in(piece):  # of nothing, SQLite gives nothing
                meant.add(row_id)
    return sorted(meant)


def _pieces(
    cursor: Cursor, where: str, reach: int, page: dict[str, int]
) -> Iterator[tuple[str, str | bytes | None]]:
    """The texts of a column, in pieces that overlap by as much as the words can reach."""
    table, column = where.split()
    for start in range(0, max(1, *page.values()), _PAGE_BYTES):
        cursor.execute(
            f"SELECT id, substr({column}, ?, ?) FROM {table} WHERE id IN ({marks(list(page))})",
            (start + 1, _PAGE_BYTES + reach, *page),
        )
        yield from cursor.fetchall()


def _delete_items(cursor: Cursor, ids: Sequence[str]) -> None:
    here = f"id IN ({marks(ids)})"
    # Batches first, as whoever brings one on does: two processes never wait for one another.
    cursor.execute(
        "UPDATE deferred_batches SET version = version + 1 WHERE id IN"
        f" (SELECT batch FROM deferred_items WHERE {here})",
        ids,
    )
    cursor.execute(f"DELETE FROM deferred_items WHERE {here} RETURNING batch", ids)
    for batch, lines in Counter(row[0] for row in cursor.fetchall()).items():
        _shrink(cursor, batch, lines)


def _shrink(cursor: Cursor, batch: str, lines: int) -> None:
    """A batch has so many lines fewer."""
    cursor.execute("SELECT record FROM deferred_batches WHERE id = ?", (batch,))
    for (record,) in cursor.fetchall():
        told = json.loads(record)
        told["total"] = max(0, told["total"] - lines)
        cursor.execute(
            "UPDATE deferred_batches SET record = ? WHERE id = ?", (json.dumps(told), batch)
        )


def _delete_batches(cursor: Cursor, ids: Sequence[str]) -> None:
    cursor.execute(f"DELETE FROM deferred_batches WHERE id IN ({marks(ids)})", ids)
    cursor.execute(f"DELETE FROM deferred_items WHERE batch IN ({marks(ids)})", ids)


def _delete_files(cursor: Cursor, ids: Sequence[str]) -> None:
    # Whoever has read one of them as a batch's input, and not written its calls yet, reads again.
    cursor.execute("UPDATE deferred_batches SET version = version + 1 WHERE state = 'validating'")
    cursor.execute(f"DELETE FROM deferred_files WHERE id IN ({marks(ids)})", ids)


def _drop_empty_offers(cursor: Cursor, which: Forget) -> None:
    """Delete the offers that hold nothing any more."""
    mine, values = _whose(which)
    cursor.execute(
        "DELETE FROM deferred_offers WHERE NOT EXISTS (SELECT 1 FROM deferred_items"
        f" WHERE deferred_items.owner = 'offer ' || deferred_offers.id) AND {mine}",
        values,
    )


_TABLES = (
    _Table(
        "deferred_items",
        "arrived_us",
        ("body", "answer"),
        ("target", "headers", "key", "name", "why", "answer_headers", "error"),
        _delete_items,
    ),
    _Table("deferred_batches", "created_us", ("record",), (), _delete_batches),
    _Table("deferred_files", "created_us", ("content",), ("name",), _delete_files),
)
