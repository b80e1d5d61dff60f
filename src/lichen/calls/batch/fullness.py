"""Fullness: how many calls wait, of all and of one tenant, and whether more may.

Counted by the database at each sweep, and by this process in between: what other processes accept
meanwhile is seen a sweep later.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING

from lichen.calls.batch.intake import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.batch.options import BatchOptions

_BUSY, _TOO_MANY = 503, 429


class Fullness:
    """Says whether calls may still come; safe among threads."""

    def __init__(self, options: BatchOptions) -> None:
        self._most, self._most_of_one = options.queue_limit, options.tenant_limit
        self._waiting: Counter[str] = Counter()
        self._all = 0
        self._lock = Lock()

    def seen(self, waiting: Mapping[str, int]) -> None:
        """So many calls of each tenant wait, by the database."""
        with self._lock:
            self._waiting = Counter(waiting)
            self._all = self._waiting.total()

    def came(self, tenant: str, many: int = 1) -> None:
        """So many more of a tenant wait."""
        with self._lock:
            self._waiting[tenant] += many
            self._all += many

    def check(self, tenant: str, many: int = 1) -> None:
        """Nothing, where so many more of a tenant may wait.

        Raises:
            Refused: the queue is full, or the tenant has its share of it.
        """
        with self._lock:
            mine, everyones = self._waiting[tenant], self._all
        if mine + many > self._most_of_one:
            raise Refused(
                f"{mine} calls of this credential wait, and {self._most_of_one} may "
                "(LICHEN_BATCH_TENANT_LIMIT): fetch or cancel some, or send this later",
                "queue_full",
                _TOO_MANY,
            )
        if everyones + many > self._most:
            raise Refused(
                f"no more than {self._most} calls may wait at once (LICHEN_BATCH_QUEUE_LIMIT): "
                "send it later",
                "queue_full",
                _BUSY,
            )
