"""Offers: items that were given to a provider as one of its own batches, on disk.

    making → running → ended
      └──→ ended       the provider has no batches: the items go alone

An offer is on disk, with its items, before anything of it is sent, and its id goes to the provider
as the batch's metadata: after a kill the batch is found by it, and not made twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lichen.calls.batch.intake import new_id
from lichen.calls.batch.item import ALONE, OFFERED
from lichen.calls.batch.rows import ALL, chunks, item_of, marks, record, whose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.batch.database import Database
    from lichen.calls.batch.item import Item, Outcome

_COLUMNS = "id, tenant, target, remote, state, made_us, looked_us"
_YEAR_US = 366 * 86_400 * 1_000_000
MAKING, RUNNING, ENDED = "making", "running", "ended"


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider's batch; `remote` is its id there, empty until it has one. Times in µs."""

    id: str
    tenant: str
    target: str
    remote: str
    state: str
    made_us: int
    looked_us: int

    @property
    def owner(self) -> str:
        """Who holds its items."""
        return f"offer {self.id}"


class Offers:
    """The offers of one queue. Not for two threads at once."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def make(self, tenants: Sequence[str] | None, most: int) -> Offer | None:
        """An offer of what waits for one, of one tenant and target; None where nothing does."""
        mine, values = whose(tenants)
        waiting = f"state = 'waiting' AND way = '{OFFERED}' AND {mine}"
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            cursor.execute(
                f"SELECT tenant, target, headers FROM deferred_items WHERE {waiting}"
                " ORDER BY deadline_us LIMIT 1",
                values,
            )
            rows = cursor.fetchall()
            if not rows:
                return None
            tenant, target, headers = rows[0]
            cursor.execute(
                f"SELECT id FROM deferred_items WHERE {waiting} AND tenant = ? AND target = ?"
                f" AND headers = ? ORDER BY deadline_us, id LIMIT ?{self._db.locking}",
                (*values, tenant, target, headers, most),
            )
            ids = [row[0] for row in cursor.fetchall()]
            offer = Offer(new_id("offer_"), tenant, target, "", MAKING, now, now)
            for some in chunks(ids):
                cursor.execute(
                    "UPDATE deferred_items SET state = 'sending', attempts = attempts + 1,"
                    f" owner = ?, lease_us = ? WHERE id IN ({marks(some)})",
                    (offer.owner, now + _YEAR_US, *some),
                )
            cursor.execute(
                "INSERT INTO deferred_offers VALUES (?, ?, ?, ?, ?, ?, ?)",
                (offer.id, tenant, target, "", MAKING, now, now),
            )
        return offer

    def due(self, tenants: Sequence[str] | None, every_us: int) -> list[Offer]:
        """Offers not looked at for so long; each is due to one process alone. [µs]"""
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            cursor.execute(
                f"SELECT {_COLUMNS} FROM deferred_offers WHERE state != '{ENDED}'"
                f" AND looked_us < ?{self._db.locking}",
                (now - every_us,),
            )
            found = [_offer(row) for row in cursor.fetchall()]
            able = [one for one in found if tenants is None or one.tenant in tenants]
            for one in able:
                cursor.execute(
                    "UPDATE deferred_offers SET looked_us = ? WHERE id = ?", (now, one.id)
                )
        return able

    def items(self, offer: Offer) -> list[Item]:
        """The items of an offer."""
        with self._db.transaction() as cursor:
            cursor.execute(
                f"SELECT {ALL} FROM deferred_items WHERE owner = ? AND state = 'sending'"
                " ORDER BY id",
                (offer.owner,),
            )
            return [item_of(row) for row in cursor.fetchall()]

    def runs(self, offer: Offer, remote: str) -> Offer:
        """The provider has it under an id."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "UPDATE deferred_offers SET remote = ?, state = ? WHERE id = ?",
                (remote, RUNNING, offer.id),
            )
        return replace(offer, remote=remote, state=RUNNING)

    def mark(self, offer: Offer) -> None:
        """Its items may have been sent: whether its batch was made before a kill is not known."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "UPDATE deferred_items SET twice = 1 WHERE owner = ? AND state = 'sending'",
                (offer.owner,),
            )

    def end(self, offer: Offer, outcomes: Sequence[Outcome]) -> None:
        """Write down what came back; what came back with nothing goes alone, and soon."""
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            for outcome in outcomes:
                record(cursor, offer.owner, outcome, now)
            cursor.execute(
                f"UPDATE deferred_items SET state = 'waiting', owner = '', way = '{ALONE}',"
                " planned_us = ?, run_us = ?, why = 'the provider''s batch left it out'"
                " WHERE owner = ? AND state = 'sending'",
                (now, now, offer.owner),
            )
            cursor.execute("UPDATE deferred_offers SET state = ? WHERE id = ?", (ENDED, offer.id))

    def alone(self, before_us: int) -> int:
        """What still waits for an offer near its deadline goes alone; how many. [µs since 1970]"""
        with self._db.transaction() as cursor:
            cursor.execute(
                f"UPDATE deferred_items SET way = '{ALONE}' WHERE state = 'waiting'"
                f" AND way = '{OFFERED}' AND deadline_us < ? RETURNING id",
                (before_us,),
            )
            return len(cursor.fetchall())


def _offer(row: Sequence[Any]) -> Offer:
    offer_id, tenant, target, remote, state, made_us, looked_us = row
    return Offer(offer_id, tenant, target, remote, state, int(made_us), int(looked_us))
