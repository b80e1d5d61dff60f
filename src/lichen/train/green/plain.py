"""Plain: estimates and moments as JSON can hold them, in base units: W, J, gCO₂e."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lichen.ledger.estimate import Basis, Estimate, Q


def estimate_to_plain(known: Estimate[Q]) -> dict[str, Any]:
    """An estimate in its base unit."""
    return {
        "value": known.value.amount,
        "low": known.low.amount,
        "high": known.high.amount,
        "basis": known.basis.name.lower(),
    }


def estimate_from_plain(kind: type[Q], said: dict[str, Any]) -> Estimate[Q]:
    """The estimate that `estimate_to_plain` wrote."""
    value, low, high = (kind(said[end]) for end in ("value", "low", "high"))
    return Estimate(value, low, high, Basis[said["basis"].upper()])


def moment_to_plain(moment: datetime | None) -> str | None:
    """A moment in ISO 8601, None for none."""
    return None if moment is None else moment.isoformat()


def moment_from_plain(text: str | None) -> datetime | None:
    """The moment that `moment_to_plain` wrote."""
    return None if text is None else datetime.fromisoformat(text)
