"""Offers: items that were given to a provider as one of its own batches, on disk.

    making → running → ended
      └──→ ended       the provider has no batches: the items go alone

An offer is on disk, with its items, before anything of it is sent, and its id goes to the provider
as the batch's metadata: after a kill the batch is found by it, and not made twice. One process owns
it while it works on it, by a lease that it renews: only when that has run out does another take it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.calls.batch.holds import StoredHolds
from lichen.calls.batch.intake import new_id
from lichen.calls.batch.item import ALONE, OFFERED
from lichen.calls.batch.rows import ALL, chunks, item_of, marks, record, whose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.calls.batch.database import Cursor, Database
    from lichen.calls.batch.item import Item, Outcome

_COLUMNS = "id, tenant, target, remote, state, made_us, looked_us, failures"
# The pause between looks doubles with each that failed, so many times at most.
_DOUBLINGS = 6
_YEAR_US = 366 * 86_400 * 1_000_000
MAKING, RUNNING, ENDED = "making", "running", "ended"


class Holder(NamedTuple):
    """The process that works on offers, and how long without a sign of life it keeps them. [µs]"""

    owner: str
    lease_us: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider's batch; `remote` is its id there, empty until it has one. Times in µs.

    `failures` are looks in a row that failed. `again` says that it may have been sent before, and
    `taken` that it was another process that may have sent it.
    """

    id: str
    tenant: str
    target: str
    remote: str
    state: str
    made_us: int
    looked_us: int
    failures: int = 0
    again: bool = False
    taken: bool = False

    @property
    def holds(self) -> str:
        """The owner of its items."""
        return f"offer {self.id}"


class Offers:
    """The offers of one queue. Not for two threads at once."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def make(
        self,
        holder: Holder,
        tenants: Sequence[str] | None,
        most: int,
        largest: Callable[[str], float] = lambda _target: inf,
    ) -> Offer | None:
        """An offer of what waits for one, of one tenant and target; None where nothing does.

        It has so many calls at most, whose bodies are as `largest` as their target takes [byte].
        """
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
                f"SELECT id, length(body) FROM deferred_items WHERE {waiting}"
                " AND tenant = ? AND target = ? AND headers = ?"
                f" ORDER BY deadline_us, id LIMIT ?{self._db.locking}",
                (*values, tenant, target, headers, most),
            )
            ids = _within(cursor.fetchall(), largest(target))
            offer = Offer(new_id("offer_"), tenant, target, "", MAKING, now, now)
            for some in chunks(ids):
                cursor.execute(
                    "UPDATE deferred_items SET state = 'sending', attempts = attempts + 1,"
                    f" owner = ?, lease_us = ? WHERE id IN ({marks(some)})",
                    (offer.holds, now + _YEAR_US, *some),
                )
            cursor.execute(
                f"INSERT INTO deferred_offers ({_COLUMNS}, owner, lease_us)"
                " VALUES (?, ?, ?, '', ?, ?, ?, 0, ?, ?)",
                (offer.id, tenant, target, MAKING, now, now, holder.owner, now + holder.lease_us),
            )
        return offer

    def due(self, holder: Holder, tenants: Sequence[str] | None, every_us: int) -> list[Offer]:
        """Offers not looked at for so long that no other process holds; now this one does. [µs]"""
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            cursor.execute(
                f"SELECT {_COLUMNS}, owner FROM deferred_offers WHERE state != '{ENDED}'"
                f" AND looked_us < ? AND (owner = ? OR lease_us < ?){self._db.locking}",
                (now - every_us, holder.owner, now),
            )
            found = [(_offer(row[:-1]), row[-1]) for row in cursor.fetchall()]
            able = [
                replace(one, looked_us=now, again=True, taken=owner != holder.owner)
                for one, owner in found
                if (tenants is None or one.tenant in tenants)
                and one.looked_us < now - every_us * 2 ** min(one.failures, _DOUBLINGS)
            ]
            for one in able:
                cursor.execute(
                    "UPDATE deferred_offers SET looked_us = ?, owner = ?, lease_us = ?"
                    " WHERE id = ?",
                    (now, holder.owner, now + holder.lease_us, one.id),
                )
        return able

    def renew(self, cursor: Cursor, owner: str, lease_us: int) -> None:
        """Their owner lives: what it holds stays its own until then. [µs since 1970]"""
        cursor.execute(
            "UPDATE deferred_offers SET lease_us = ? WHERE owner = ?"
            f" AND state IN ('{MAKING}', '{RUNNING}')",
            (lease_us, owner),
        )

    def rest(self, offer: Offer, owner: str, *, failed: bool) -> None:
        """Looked at, and to be looked at again: at the provider's by whichever process is first."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "UPDATE deferred_offers SET failures = ?,"
                f" owner = CASE WHEN state = '{RUNNING}' THEN '' ELSE owner END,"
                f" lease_us = CASE WHEN state = '{RUNNING}' THEN 0 ELSE lease_us END"
                " WHERE id = ? AND owner = ?",
                (offer.failures + 1 if failed else 0, offer.id, owner),
            )

    def items(self, offer: Offer) -> list[Item]:
        """The items of an offer."""
        with self._db.transaction() as cursor:
            cursor.execute(
                f"SELECT {ALL} FROM deferred_items WHERE owner = ? AND state = 'sending'"
                " ORDER BY id",
                (offer.holds,),
            )
            items = [item_of(row) for row in cursor.fetchall()]
            return StoredHolds.with_held(cursor, items)

    def runs(self, offer: Offer, owner: str, remote: str) -> Offer | None:
        """The provider has it under an id; None: another process has taken it over."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "UPDATE deferred_offers SET remote = ?, state = ?, failures = 0"
                f" WHERE id = ? AND owner = ? AND state = '{MAKING}' RETURNING id",
                (remote, RUNNING, offer.id, owner),
            )
            mine = cursor.fetchall()
        return replace(offer, remote=remote, state=RUNNING, failures=0) if mine else None

    def books(self, offer: Offer) -> int:
        """Its results are about to be booked; when that began before, 0 for never. [µs since 1970]

        On disk before the first is in the ledger.
        """
        with self._db.transaction() as cursor:
            cursor.execute("SELECT booked_us FROM deferred_offers WHERE id = ?", (offer.id,))
            begun = max((int(row[0]) for row in cursor.fetchall()), default=0)
            if not begun:
                now = self._db.now_us(cursor)
                cursor.execute(
                    "UPDATE deferred_offers SET booked_us = ? WHERE id = ?", (now, offer.id)
                )
        return begun

    def mark(self, offer: Offer) -> None:
        """Its items may have been sent: whether its batch was made before a kill is not known."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "UPDATE deferred_items SET twice = 1 WHERE owner = ? AND state = 'sending'",
                (offer.holds,),
            )

    def end(self, offer: Offer, outcomes: Sequence[Outcome]) -> None:
        """Write down what came back; what came back with nothing goes alone, and soon."""
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            for outcome in outcomes:
                record(cursor, offer.holds, outcome, now)
            cursor.execute(
                f"UPDATE deferred_items SET state = 'waiting', owner = '', way = '{ALONE}',"
                " planned_us = ?, run_us = ?, why = 'the provider''s batch left it out'"
                " WHERE owner = ? AND state = 'sending'",
                (now, now, offer.holds),
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


def _within(rows: Sequence[tuple[str, int]], largest: float) -> list[str]:
    """The ids of the first whose bodies are no larger together, one at least. [byte]"""
    sizes = accumulate(int(size) for _, size in rows)
    return [row[0] for row, size in zip(rows, sizes, strict=True) if size <= largest] or [
        rows[0][0]
    ]


def _offer(row: Sequence[Any]) -> Offer:
    offer_id, tenant, target, remote, state, made_us, looked_us, failures = row
    times = int(made_us), int(looked_us)
    return Offer(offer_id, tenant, target, remote, state, *times, failures=int(failures))
