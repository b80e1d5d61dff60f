"""SimilarOptions: what the section [similar] of the settings says."""

from __future__ import annotations

from dataclasses import dataclass, field

from lichen.calls.option import TIMES, choices, share, unit, whole


@dataclass(frozen=True, slots=True)
class SimilarOptions:
    """What holds for all routes that ask for similar answers.

    `keep` says where questions are kept: "file" (beside the ledger, as texts: see SECURITY.md; and
    in the cache that services share, if they do) or "memory" (of this process, and nowhere else).
    `entries` bounds how many. `explore` is the share of accepted answers that is verified with the
    upstream instead [1]. `window` is how long the step's own ledger is added up before it turns
    itself off, and how long it then stays so [s].
    """

    keep: str = field(default="file", metadata=choices("file", "memory"))
    entries: int = field(default=100_000, metadata=whole(1, 10_000_000))
    explore: float = field(default=0.05, metadata=share(least=0.001))
    window: float = field(default=3600.0, metadata=unit(TIMES, above_zero=True))
