"""What can be set about a cache that services share: the table [shared], LICHEN_SHARED_…"""

from __future__ import annotations

from dataclasses import dataclass, field

from lichen.calls.option import MILLISECONDS, SIZES, unit


@dataclass(frozen=True, slots=True)
class SharedOptions:
    """How long a look-up may take [s], a lease lasts [s], the longest answer shared [byte].

    `memory` bounds a service's own copies, with which it goes on where the cache is lost [byte].
    """

    timeout: float = field(default=0.05, metadata=unit(MILLISECONDS, above_zero=True))
    lease: float = field(default=5.0, metadata=unit(MILLISECONDS, above_zero=True))
    entry_limit: float = field(default=1e6, metadata=unit(SIZES))
    memory: float = field(default=64e6, metadata=unit(SIZES))
