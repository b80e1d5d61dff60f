"""Rows: items as the database keeps them, for the queue and the shelf of batches."""

from __future__ import annotations

from dataclasses import fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.calls.batch.item import Item, State, headers_from_text, headers_to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lichen.calls.batch.database import Cursor
    from lichen.calls.batch.item import Outcome

COLUMNS = tuple(one.name for one in fields(Item) if one.metadata.get("column", True))
ALL = ", ".join(COLUMNS)
EMPTY = b""
# Rows of one statement, below what SQLite takes as values.
_MANY = 500


class Kept(NamedTuple):
    """The id under which an item stands, and whether what stands there asks the same."""

    id: str
    same: bool


def insert(cursor: Cursor, item: Item) -> Kept:
    """Insert an item; where its key came before, the older one stands."""
    values = [_plain(name, getattr(item, name)) for name in COLUMNS]
    asks = _asks(item)
    cursor.execute(
        f"INSERT INTO deferred_items ({ALL}, delivered_us, owner, lease_us, asks)"
        f" VALUES ({marks(values)}, 0, '', 0, ?)"
        " ON CONFLICT (tenant, batch, key) DO NOTHING RETURNING id",
        (*values, asks),
    )
    if cursor.fetchall():
        if item.held:
            cursor.execute("INSERT INTO deferred_holds VALUES (?, ?, '')", (item.id, item.held))
        return Kept(item.id, same=True)
    cursor.execute(
        "SELECT id, asks FROM deferred_items WHERE tenant = ? AND batch = ? AND key = ?",
        (item.tenant, item.batch, item.key),
    )
    [(older, asked)] = cursor.fetchall()
    # What an older lichen wrote does not say what it asks.
    return Kept(str(older), same=asked in ("", asks))


def _asks(item: Item) -> str:
    """A hash of what an item asks: its body goes when it has ended, this stays."""
    return blake2b(item.target.encode() + b"\0" + item.body, digest_size=16).hexdigest()


def record(cursor: Cursor, owner: str, outcome: Outcome, now: int) -> None:
    """Write down what became of an attempt, if the item is still its holder's. [µs]"""
    mine = " WHERE id = ? AND owner = ? AND state = 'sending'"
    if outcome.state.ended:
        cursor.execute(
            "UPDATE deferred_items SET state = ?, status = ?, answer_headers = ?, answer = ?,"
            f" error = ?, ended_us = ?, body = ?, owner = ''{mine} RETURNING id",
            (
                outcome.state.value,
                outcome.status,
                headers_to_text(outcome.headers),
                outcome.body,
                outcome.error,
                now,
                EMPTY,
                outcome.id,
                owner,
            ),
        )
        if cursor.fetchall() and outcome.took:
            cursor.execute(
                "UPDATE deferred_holds SET took = ? WHERE item = ?", (outcome.took, outcome.id)
            )
        return
    cursor.execute(
        "UPDATE deferred_items SET state = 'waiting', owner = '', run_us = ?, error = ?, why = ?,"
        f" twice = CASE WHEN ? = 1 THEN 1 ELSE twice END{mine}",
        (
            outcome.again_us,
            outcome.error,
            f"tried again: {outcome.error}",
            int(outcome.unsure),
            outcome.id,
            owner,
        ),
    )


def _plain(name: str, value: Any) -> Any:
    if name in ("headers", "answer_headers"):
        return headers_to_text(value)
    if name == "state":
        return value.value
    return int(value) if isinstance(value, bool) else value


def item_of(row: Sequence[Any]) -> Item:
    """The item of a row of `ALL`."""
    made = dict(zip(COLUMNS, row, strict=True))
    for name in ("headers", "answer_headers"):
        made[name] = headers_from_text(made[name])
    for name in ("needs_key", "twice"):
        made[name] = bool(made[name])
    return Item(**{**made, "state": State(made["state"])})


def whose(tenants: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    """What a query says to leave out items whose credential is not at hand."""
    if tenants is None:
        return "1 = 1", ()
    if not tenants:
        return "needs_key = 0", ()
    return f"(needs_key = 0 OR tenant IN ({marks(tenants)}))", tenants


def marks(values: Sequence[Any]) -> str:
    """A `?` for each value."""
    return ",".join("?" * len(values))


def chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """Values in pieces that one statement takes."""
    return (values[at : at + _MANY] for at in range(0, len(values), _MANY))
