"""Row: one finding of a checkup."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One finding: `state` is ok, measured, modelled, assumed, gap, unavailable or broken."""

    what: str
    state: str
    says: str
    mend: str = ""
