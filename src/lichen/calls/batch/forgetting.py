"""Forgetting what waits, whether or not a service runs or waits for anything now.

The entry point "batch" of the group "lichen.forget".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.batch.database import open_database
from lichen.calls.batch.queue import Queue

if TYPE_CHECKING:
    from lichen.calls.forget import Forget
    from lichen.calls.steps import Place


def forget_waiting(place: Place, which: Forget) -> int:
    """Erase calls that wait, answers, batches and files in the ledger's database; how many."""
    if place.database == "memory:":
        return 0
    queue = Queue(open_database(place.database))
    try:
        return queue.forget(which)
    finally:
        queue.close()
