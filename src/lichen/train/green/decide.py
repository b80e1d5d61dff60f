"""Decide: whether a job should be running now, and whether it may be paused.

    run     in a planned segment, past the last one, past the latest safe moment, or released
    pause   between two segments, where checkpoint, restart and the rest still fit in time; until
            the job has left a checkpoint, the rest is all that a failed pause would lose, too

Whether a command leaves a checkpoint is known when it has. So its first pause comes early enough to
do all of the work again, and no deadline hangs on a promise. From the moment a job has to run
whatever the grid, it is never paused: that is kept with the job, whatever the clock does later.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from lichen.train.green.record import Record

_NONE = timedelta(0)


def wants_to_run(record: Record, now: datetime) -> bool:
    """Whether the job should be running now."""
    if record.committed or now >= record.must_run_from(now):
        return True
    if now < record.order.release:
        return False
    if any(start <= now < end for start, end, _ in record.segments):
        return True
    return all(end <= now for _, end, _ in record.segments)


def may_pause(record: Record, now: datetime) -> bool:
    """Whether a running job can be paused and still be done in time."""
    pausing = record.order.pausing
    if pausing is None or record.committed:
        return False
    grace = _NONE if pausing.freeze else pausing.grace
    return now + grace < record.order.must_run_from(record.sure(now), resuming=not pausing.freeze)
