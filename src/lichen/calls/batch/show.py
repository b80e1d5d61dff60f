"""Show: the queue of calls that wait, for Prometheus and the dashboard."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lichen.ledger.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.calls.batch.gathering import Gathering
    from lichen.calls.batch.outlook import Counts

_SECOND_US = 1_000_000


def gauges(counts: Counts, now_us: int, gather: Gathering | None) -> Mapping[str, float]:
    """What waits; times in seconds from now."""
    made: dict[str, float] = {
        "lichen_deferred_waiting_calls": counts.waiting,
        "lichen_deferred_sending_calls": counts.sending,
        "lichen_deferred_undelivered_calls": counts.ended,
        "lichen_deferred_keyless_calls": counts.keyless,
    }
    if counts.deadline_us:
        left = (counts.deadline_us - now_us) / _SECOND_US
        made["lichen_deferred_nearest_deadline_seconds"] = left
    if gather is not None:
        made["lichen_gathered_calls_total"] = gather.together
        made["lichen_gathered_upstream_calls_total"] = gather.calls
    return made


def panels(counts: Counts, plans: Sequence[tuple[str, int, int, int, int]]) -> list[Panel]:
    """What waits, by when it runs and why."""
    rows = [
        (f"{many:,}", _when(first, last), why, _at(deadline))
        for why, many, first, last, deadline in plans
    ]
    note = (
        f"Waiting: {counts.waiting:,}; being sent: {counts.sending:,}; ended and still kept, "
        f"answered, failed or cancelled: {counts.ended:,}."
    )
    if counts.keyless:
        note += (
            f" {counts.keyless:,} wait for their caller's key: it is kept in memory alone, and any "
            "call with it lets them go on."
        )
    columns = ("calls", "run at (UTC)", "why", "last deadline (UTC)")
    return [Panel("Calls that wait", columns, tuple(rows), note)]


def _when(first_us: int, last_us: int) -> str:
    first, last = _at(first_us), _at(last_us)
    return first if first == last else f"{first} to {last}"


def _at(moment_us: int) -> str:
    if not moment_us:
        return "not planned yet"
    return datetime.fromtimestamp(moment_us / _SECOND_US, UTC).strftime("%F %R")
