"""Refusal: a live source that is of no use for a while, and a chain that has none at all."""

from __future__ import annotations

from lichen.ledger.errors import SignalUnavailable


class Refused(SignalUnavailable):
    """The source is down, does not let us in, or lies: asking it again soon is no use."""


class Unconfigured(SignalUnavailable):
    """No source is configured that could be asked: it says nothing of the zone."""

    def __init__(self, asked: str) -> None:
        """Refuse what was asked, with the settings that name a source."""
        super().__init__(asked, "no source is configured", CONFIGURE)


# What names a source of hours: the settings, which are flags of the command line too.
CONFIGURE = "set LICHEN_GRID (live sources) or LICHEN_TRACE (a recording)"
