"""Outlook: what stands in the queue, for planning, for limits and for those who look on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lichen.calls.batch.rows import whose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.batch.database import Database


class Counts(NamedTuple):
    """How many wait, are under way, ended; when the next one runs, and the nearest deadline."""

    waiting: int
    sending: int
    ended: int
    keyless: int
    next_us: int
    deadline_us: int


class Outlook:
    """Reads of one queue; nothing changes by them. Not for two threads at once."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def waiting(self) -> dict[str, int]:
        """How many calls of each tenant wait; under "" those that need no key of their callers."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "SELECT CASE WHEN needs_key = 0 THEN '' ELSE tenant END AS share, count(*)"
                " FROM deferred_items WHERE state = 'waiting' GROUP BY share"
            )
            return {share: int(count) for share, count in cursor.fetchall()}

    def tenants(self) -> set[str]:
        """Tenants with items that need their credential."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "SELECT DISTINCT tenant FROM deferred_items"
                " WHERE needs_key = 1 AND state IN ('waiting', 'sending')"
            )
            return {row[0] for row in cursor.fetchall()}

    def counts(self, tenants: Sequence[str] | None) -> Counts:
        """What stands in the queue; `tenants` are those whose credential is at hand."""
        mine, values = whose(tenants)
        with self._db.transaction() as cursor:
            cursor.execute("SELECT state, count(*) FROM deferred_items GROUP BY state")
            by_state = {state: int(count) for state, count in cursor.fetchall()}
            cursor.execute(
                "SELECT count(*), min(run_us), min(deadline_us) FROM deferred_items"
                f" WHERE state = 'waiting' AND {mine}",
                values,
            )
            able, run_us, deadline_us = cursor.fetchall()[0]
        waiting, sending = by_state.get("waiting", 0), by_state.get("sending", 0)
        ended = sum(by_state.values()) - waiting - sending
        return Counts(
            waiting, sending, ended, waiting - int(able), int(run_us or 0), int(deadline_us or 0)
        )

    def next_run(self, tenants: Sequence[str] | None) -> int:
        """When the next item runs whose credential is at hand; 0 where none waits. [µs]"""
        mine, values = whose(tenants)
        with self._db.transaction() as cursor:
            cursor.execute(
                "SELECT min(run_us) FROM deferred_items WHERE state = 'waiting'"
                f" AND way = 'call' AND planned_us > 0 AND {mine}",
                values,
            )
            return int(cursor.fetchall()[0][0] or 0)

    def plans(self, most: int) -> list[tuple[str, int, int, int, int]]:
        """What waits, by reason: the reason, how many, their first and last run, last deadline."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "SELECT why, count(*), min(run_us), max(run_us), max(deadline_us)"
                " FROM deferred_items WHERE state = 'waiting' GROUP BY why"
                " ORDER BY min(run_us) LIMIT ?",
                (most,),
            )
            return [(w, int(n), int(a), int(b), int(d)) for w, n, a, b, d in cursor.fetchall()]
