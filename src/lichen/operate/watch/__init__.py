"""watch: the book for the eye and for monitoring.

    /             overview: used, avoided, net and SCI with their intervals, live
    /grid         the grid now, its last day and next two, and the jobs that wait for it
    /entry/<id>   one entry explained: formula, inputs, sources
    /assets/...   one style sheet and one script, kept for ever under the hash of their contents
    /events       changes of the overview, while somebody looks (server-sent events)
    /metrics      counters for Prometheus

It reads roll-ups, never the whole table, and knows nothing of HTTP beyond `Page`: `lichen.serve`
puts it on a port. Reading takes the store's lock, so an event loop calls `page` and `metrics` in a
thread; `events` sees to that itself.
"""

from __future__ import annotations

from lichen.operate.watch.page import Page
from lichen.operate.watch.watch import Watch

__all__ = ["Page", "Watch"]
