"""Refusal: a live source that is of no use for a while."""

from __future__ import annotations

from lichen.ledger.errors import SignalUnavailable


class Refused(SignalUnavailable):
    """The source is down, does not let us in, or lies: asking it again soon is no use."""
