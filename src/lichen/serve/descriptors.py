"""Descriptors: how many connections this process may really have.

Each connection takes a file descriptor; beyond the system's limit nothing can be opened any more,
not even the ledger. The soft limit is raised as far as the hard one allows, and what is left after
the upstream's connections and files bounds the clients'.

Source: getrlimit(2), RLIMIT_NOFILE.
"""

from __future__ import annotations

import resource

# Connections to the upstream (`lichen.calls.pool`), its fallback, and files of all kinds.
_OTHERS = 1024 + 256


def most_connections(wanted: int) -> int:
    """As many clients' connections as are wanted, or as there is room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # some systems allow less than they say
        most = soft
    return max(most - _OTHERS, most // 2)
