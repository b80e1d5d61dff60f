"""Fullness: how many calls wait, of all and of one tenant, and whether more may.

Where an upstream wants no key of its callers, nobody checks what they show: they have one share.

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

    from lichen.calls.batch.item import Item
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.batch.shelf import Batch

_BUSY, _TOO_MANY = 503, 429
# The share of those whose credential nobody checks.
UNCHECKED = ""


def share_of(waits: Item | Batch) -> str:
    """Whose share of the queue a call, or those of a batch, count against."""
    return waits.tenant if waits.needs_key else UNCHECKED


class Fullness:
    """Says whether calls may still come; safe among threads."""

    def __init__(self, options: BatchOptions) -> None:
        self._most, self._most_of_one = options.queue_limit, options.tenant_limit
        self._waiting: Counter[str] = Counter()
        self._all = 0
        self._lock = Lock()

    def seen(self, waiting: Mapping[str, int]) -> None:
        """So many calls of each share (see `share_of`) wait, by the database."""
        with self._lock:
            self._waiting = Counter(waiting)
            self._all = self._waiting.total()

    def came(self, share: str, many: int = 1) -> None:
        """So many more of a share wait."""
        with self._lock:
            self._waiting[share] += many
            self._all += many

    def check(self, share: str, many: int = 1) -> None:
        """Nothing, where so many more of a share may wait.

        Raises:
            Refused: the queue is full, or this share of it.
        """
        with self._lock:
            mine, everyones = self._waiting[share], self._all
        if mine + many > self._most_of_one:
            whose = "of this credential wait" if share else "wait that need no key of their callers"
            raise Refused(
                f"{mine} calls {whose}, and {self._most_of_one} may "
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
