"""StoredHolds: what budgets were charged for calls that wait, on disk beside them.

a call comes into the queue     its charge is written in the same commit
its answer is written down      what it took, in the same commit
it has ended, or is gone        its charge is over: given to one process, once, to be settled
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from lichen.calls.batch.rows import chunks, marks
from lichen.calls.gate.holds import KEPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.batch.database import Cursor, Database
    from lichen.calls.batch.item import Item


class Over(NamedTuple):
    """A charge that is over, and what was taken of it; see `lichen.calls.gate.holds`."""

    held: str
    took: str


class StoredHolds:
    """The charges of one queue. Not for two threads at once."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @staticmethod
    def with_held(cursor: Cursor, items: list[Item]) -> list[Item]:
        """The items with what they were charged."""
        held: dict[str, str] = {}
        for some in chunks([item.id for item in items]):
            cursor.execute(
                f"SELECT item, held FROM deferred_holds WHERE item IN ({marks(some)})", some
            )
            held.update(cursor.fetchall())
        return [replace(one, held=held[one.id]) if one.id in held else one for one in items]

    def over(self, most: int) -> list[Over]:
        """Charges of calls that have ended or are gone; none is given twice.

        What may have been sent, and brought no answer, stays charged as it was estimated.
        """
        with self._db.transaction() as cursor:
            cursor.execute(
                "SELECT h.item, h.held, h.took, coalesce(i.twice, 0) FROM deferred_holds h"
                " LEFT JOIN deferred_items i ON i.id = h.item"
                " WHERE i.id IS NULL OR i.ended_us > 0 LIMIT ?",
                (most,),
            )
            found = {item: (held, took, twice) for item, held, took, twice in cursor.fetchall()}
            mine: Sequence[str] = []
            for some in chunks(list(found)):
                cursor.execute(
                    f"DELETE FROM deferred_holds WHERE item IN ({marks(some)}) RETURNING item", some
                )
                mine = [*mine, *(row[0] for row in cursor.fetchall())]
        told = (found[item] for item in mine)
        return [Over(held, took or (KEPT if twice else "")) for held, took, twice in told]
