"""Claims: which batches' results have been booked, so that none are booked twice.

    claim    this process books them: nobody else does        on disk before the first is booked
    renew    it still does
    done     they are in the ledger                           on disk after the last is
    left     its holder has died: a process that starts counts it as a gap, once

A claim whose holder has died runs out. Who takes it over looks in the ledger which lines had been
booked, and books the others; until then, and if that never comes, there is the counted gap. Only a
hash of where the results are is kept: no id, tenant or text. Rows stay for good, since results may
be fetched for as long as their provider keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from lichen.calls.batch.item import OFFERED
from lichen.calls.batch.rows import marks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.batch.database import Cursor, Database
    from lichen.calls.batch.offers import Holder


# The owner of a claim that was left and has been counted as a gap.
_COUNTED = "-"


class Claim(NamedTuple):
    """What became of a claim.

    `mine` says that the caller books the results. `begun_us` is when an earlier process began to, 0
    where none did [µs since 1970]; `wait_us` how long another process may still be at it, 0 where
    nothing is left to be done.
    """

    mine: bool
    begun_us: int = 0
    wait_us: int = 0


class Claims(Protocol):
    """Remembers what was booked, in a database or in memory."""

    def claim(self, key: str, holder: Holder, ours: Sequence[str] = ()) -> Claim:
        """Claim results; not where lichen itself gave the calls with the ids `ours` to the batch.

        Raises:
            StoreUnavailable: it cannot be remembered.
        """
        ...

    def renew(self, key: str, holder: Holder) -> bool:
        """Say that they are still being booked; whether the claim is still the holder's."""
        ...

    def done(self, key: str) -> None:
        """They are in the ledger, or another way brings them there."""
        ...


class InMemory:
    """Keeps `Claims` where the ledger is in memory too: there is one process, and it does not die.

    Beyond `most` the oldest are forgotten.
    """

    def __init__(self, most: int = 100_000) -> None:
        self._known: dict[str, None] = {}
        self._most = most

    def claim(self, key: str, holder: Holder, ours: Sequence[str] = ()) -> Claim:
        """Claim results."""
        del holder, ours
        if key in self._known:
            return Claim(mine=False)
        self.done(key)
        return Claim(mine=True)

    def renew(self, key: str, holder: Holder) -> bool:
        """Nobody else can have it."""
        del key, holder
        return True

    def done(self, key: str) -> None:
        """Remember them."""
        self._known[key] = None
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]


class StoredClaims:
    """Keeps `Claims` in the queue's database. Not for two threads at once."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def claim(self, key: str, holder: Holder, ours: Sequence[str] = ()) -> Claim:
        """Claim results: on disk when this returns."""
        with self._db.transaction() as cursor:
            if ours and _waits(cursor, ours):
                return Claim(mine=False)
            now = self._db.now_us(cursor)
            until = now + holder.lease_us
            cursor.execute(
                "INSERT INTO deferred_fetched (id, begun_us, ended_us, owner, lease_us)"
                " VALUES (?, ?, 0, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING id",
                (key, now, holder.owner, until),
            )
            if cursor.fetchall():
                return Claim(mine=True)
            # One statement, so that of two processes that find it run out one takes it over.
            cursor.execute(
                "UPDATE deferred_fetched SET owner = ?, lease_us = ?"
                " WHERE id = ? AND ended_us = 0 AND lease_us < ? RETURNING begun_us",
                (holder.owner, until, key, now),
            )
            if taken := cursor.fetchall():
                return Claim(mine=True, begun_us=int(taken[0][0]))
            cursor.execute("SELECT ended_us, lease_us FROM deferred_fetched WHERE id = ?", (key,))
            [(ended, lease)] = cursor.fetchall()
        return Claim(mine=False, wait_us=0 if ended else max(1, int(lease) - now + 1))

    def renew(self, key: str, holder: Holder) -> bool:
        """Keep a claim."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "UPDATE deferred_fetched SET lease_us = ? WHERE id = ? AND owner = ?"
                " AND ended_us = 0 RETURNING id",
                (self._db.now_us(cursor) + holder.lease_us, key, holder.owner),
            )
            return bool(cursor.fetchall())

    def left(self, holder: Holder) -> tuple[list[str], int]:
        """Take what others claimed and left to be counted, and how long others may still be at it.

        The second is 0 where no other is. [µs]
        """
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            cursor.execute(
                "UPDATE deferred_fetched SET owner = ?, lease_us = ? WHERE ended_us = 0"
                f" AND owner NOT IN ('{_COUNTED}', ?) AND lease_us < ? RETURNING id",
                (holder.owner, now + holder.lease_us, holder.owner, now),
            )
            taken = [str(key) for (key,) in cursor.fetchall()]
            cursor.execute(
                "SELECT min(lease_us) FROM deferred_fetched WHERE ended_us = 0"
                f" AND owner NOT IN ('{_COUNTED}', ?)",
                (holder.owner,),
            )
            [(lease,)] = cursor.fetchall()
        return taken, 0 if lease is None else max(1, int(lease) - now + 1)

    def counted(self, keys: Sequence[str], holder: Holder) -> None:
        """Those that were left are counted in the ledger; they are free for who fetches them."""
        with self._db.transaction() as cursor:
            for key in keys:
                cursor.execute(
                    f"UPDATE deferred_fetched SET owner = '{_COUNTED}', lease_us = 0"
                    " WHERE id = ? AND owner = ? AND ended_us = 0",
                    (key, holder.owner),
                )

    def done(self, key: str) -> None:
        """Remember them, whether or not anybody claimed them."""
        with self._db.transaction() as cursor:
            now = self._db.now_us(cursor)
            cursor.execute(
                "INSERT INTO deferred_fetched (id, begun_us, ended_us, owner, lease_us)"
                " VALUES (?, ?, ?, '', 0) ON CONFLICT (id) DO UPDATE SET ended_us = ?, owner = ''",
                (key, now, now, now),
            )


def _waits(cursor: Cursor, ids: Sequence[str]) -> bool:
    """Whether a call with such an id was given to a batch: it is booked when that is read here."""
    cursor.execute(
        f"SELECT count(*) FROM deferred_items WHERE way = '{OFFERED}' AND id IN ({marks(ids)})",
        ids,
    )
    return bool(cursor.fetchall()[0][0])
