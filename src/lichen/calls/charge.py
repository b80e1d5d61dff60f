"""Charge: what budgets were charged for one call, for whoever lets that call wait."""

from __future__ import annotations

from typing import Protocol


class Charge(Protocol):
    """What budgets were charged for one call; `written` outlives the process."""

    @property
    def written(self) -> str:
        """The charge as text, by which it can be settled later."""

    def keep(self) -> None:
        """Leave it open: whoever has what is `written` settles it."""
