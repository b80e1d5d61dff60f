"""Queue: the calls that wait, each sent by one process, none lost.

    add      on disk when it returns; the same key of the same tenant is the same item
    turn     in one commit: write down what came back, say that one lives, take back what the dead
             held, take what is due
    plan     when each runs
    finish   cancel, expire, deliver, forget

An item is `sending`, on disk, before it is sent, with its holder's lease. If the holder dies, the
lease runs out and the item waits again, marked: it may have been sent. A holder that comes back
late writes nothing: the item is no longer its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from lichen.calls.batch.claims import StoredClaims
from lichen.calls.batch.erasing import erase
from lichen.calls.batch.holds import StoredHolds
from lichen.calls.batch.item import State
from lichen.calls.batch.offers import Offers
from lichen.calls.batch.outlook import Outlook
from lichen.calls.batch.rows import (
    ALL,
    EMPTY,
    chunks,
    insert,
    item_of,
    marks,
    record,
    whose,
)
from lichen.calls.batch.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lichen.calls.batch.database import Cursor, Database
    from lichen.calls.batch.item import Item, Outcome
    from lichen.calls.batch.rows import Kept
    from lichen.calls.forget import Forget

SECOND_US = 1_000_000


class Unplanned(NamedTuple):
    """What planning needs of an item."""

    id: str
    arrived_us: int
    deadline_us: int
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a sender: who it is, what came back, how many more it takes, and of whom.

    `delivered` are items whose answers went out: they are deleted a while later.
    `tenants` are those whose credential it holds; None: the upstream needs none.
    """

    owner: str
    outcomes: Sequence[Outcome] = ()
    room: int = 0
    lease_us: int = 30 * SECOND_US
    tenants: Sequence[str] | None = ()
    delivered: Sequence[str] = ()


class Queue:
    """The items of one ledger. Not for two threads at once."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.where = database.where
        self.shelf = Shelf(database)
        self.offers = Offers(database)
        self.claims = StoredClaims(database)
        self.outlook = Outlook(database)
        self.holds = StoredHolds(database)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def now_us(self) -> int:
        """The time by the database's clock. [µs since 1970]"""
        with self._db.transaction() as cursor:
            return self._db.now_us(cursor)

    def add(self, items: Sequence[Item]) -> list[Kept]:
        """How they are kept: as an older one where its key came before."""
        with self._db.transaction() as cursor:
            return [insert(cursor, item) for item in items]

    def get(self, item_id: str, tenant: str) -> Item | None:
        """An item of a tenant; None where the tenant has none of that id."""
        with self._db.transaction() as cursor:
            cursor.execute(
                f"SELECT {ALL} FROM deferred_items WHERE id = ? AND tenant = ? AND batch = ''",
                (item_id, tenant),
            )
            rows = cursor.fetchall()
        return item_of(rows[0]) if rows else None

    def of_tenant(self, tenant: str, most: int) -> list[Item]:
        """A tenant's items outside batches, the newest first."""
        with self._db.transaction() as cursor:
            cursor.execute(
                f"SELECT {ALL} FROM deferred_items WHERE tenant = ? AND batch = ''"
                " ORDER BY id DESC LIMIT ?",
                (tenant, most),
            )
            return [item_of(row) for row in cursor.fetchall()]

    def turn(self, turn: Turn) -> list[Item]:
        """Write down, say that one lives, and take what is due, the nearest deadline first."""
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            for outcome in turn.outcomes:
                record(cursor, turn.owner, outcome, now)
            for some in chunks(turn.delivered):
                cursor.execute(
                    "UPDATE deferred_items SET delivered_us = ?"
                    f" WHERE delivered_us = 0 AND id IN ({marks(some)})",
                    (now, *some),
                )
            cursor.execute(
                "UPDATE deferred_items SET lease_us = ? WHERE state = 'sending' AND owner = ?",
                (now + turn.lease_us, turn.owner),
            )
            self.offers.renew(cursor, turn.owner, now + turn.lease_us)
            # Their holders gave no sign of life: what they held may have been sent.
            cursor.execute(
                "UPDATE deferred_items SET state = 'waiting', owner = '', twice = 1, run_us = ?"
                " WHERE state = 'sending' AND lease_us < ?",
                (now, now),
            )
            return self._take(cursor, turn, now) if turn.room > 0 else []

    def _take(self, cursor: Cursor, turn: Turn, now: int) -> list[Item]:
        mine, values = whose(turn.tenants)
        cursor.execute(
            f"SELECT {ALL} FROM deferred_items WHERE state = 'waiting' AND run_us <= ?"
            f" AND way = 'call' AND planned_us > 0 AND deadline_us > ? AND {mine}"
            f" ORDER BY deadline_us, id LIMIT ?{self._db.locking}",
            (now, now, *values, turn.room),
        )
        taken = [item_of(row) for row in cursor.fetchall()]
        for some in chunks([item.id for item in taken]):
            cursor.execute(
                "UPDATE deferred_items SET state = 'sending', attempts = attempts + 1, owner = ?,"
                f" lease_us = ? WHERE id IN ({marks(some)})",
                (turn.owner, now + turn.lease_us, *some),
            )
        return self.holds.with_held(cursor, taken)

    def release(self, owner: str, ids: Sequence[str]) -> None:
        """Give back what was taken and surely not sent."""
        with self._db.transaction() as cursor:
            for some in chunks(ids):
                cursor.execute(
                    "UPDATE deferred_items SET state = 'waiting', owner = ''"
                    f" WHERE state = 'sending' AND owner = ? AND id IN ({marks(some)})",
                    (owner, *some),
                )

    def unplanned(self, before_us: int, most: int) -> list[Unplanned]:
        """Items that wait and were last planned before that time."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "SELECT id, arrived_us, deadline_us, target FROM deferred_items WHERE"
                " state = 'waiting' AND way = 'call' AND planned_us < ? AND attempts = 0"
                " ORDER BY planned_us, deadline_us LIMIT ?",
                (before_us, most),
            )
            return [Unplanned(i, int(a), int(d), t) for i, a, d, t in cursor.fetchall()]

    def plan(self, planned: Iterable[tuple[str, int, str]], now_us: int) -> None:
        """Set when items run and why; those under way meanwhile stay as they are."""
        with self._db.transaction() as cursor:
            for item_id, run_us, why in planned:
                cursor.execute(
                    "UPDATE deferred_items SET run_us = ?, why = ?, planned_us = ?"
                    " WHERE id = ? AND state = 'waiting' AND attempts = 0",
                    (run_us, why, now_us, item_id),
                )

    def cancel(self, item_id: str, tenant: str) -> State | None:
        """Cancel what waits; what is under way or ended is told as it stands; None: none there."""
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            cursor.execute(
                "UPDATE deferred_items SET state = 'cancelled', body = ?, ended_us = ?"
                " WHERE id = ? AND tenant = ? AND batch = '' AND state = 'waiting'",
                (EMPTY, now, item_id, tenant),
            )
            cursor.execute(
                "SELECT state FROM deferred_items WHERE id = ? AND tenant = ? AND batch = ''",
                (item_id, tenant),
            )
            rows = cursor.fetchall()
        return State(rows[0][0]) if rows else None

    def sweep(self, kept_us: int, unclaimed_us: int) -> int:
        """Expire what missed its deadline; delete what was delivered, unclaimed, or offered."""
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            cursor.execute(
                "UPDATE deferred_items SET state = 'expired', body = ?, ended_us = ?,"
                " error = 'deadline_passed' WHERE state = 'waiting' AND deadline_us <= ?"
                " RETURNING id",
                (EMPTY, now, now),
            )
            expired = len(cursor.fetchall())
            cursor.execute(
                "DELETE FROM deferred_offers WHERE state = 'ended' AND looked_us < ?",
                (now - kept_us,),
            )
            cursor.execute(
                "DELETE FROM deferred_items WHERE batch = '' AND ended_us > 0 AND"
                " ((delivered_us > 0 AND delivered_us < ?) OR ended_us < ?)",
                (now - kept_us, now - unclaimed_us),
            )
            return expired

    def forget(self, which: Forget) -> int:
        """Erase what is meant, page by page; how many calls, batches and files went."""
        return erase(self._db, which)
