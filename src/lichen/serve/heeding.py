"""Heeding: what `lichen forget` erased in the ledger, a running service lets go of as well.

The ledger notes each time (see lichen.ledger.forgetting). A service looks every few seconds and
drops what it holds in memory, in files of this machine and in its steps. Words that were looked for
are told to nobody, so that it then drops every copy it can read again from where they were erased.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lichen.calls.forget import Forget
from lichen.ledger.errors import LichenError
from lichen.ledger.window import from_microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.answers import AnswerStore
    from lichen.calls.steps import Layers
    from lichen.ledger.forgetting import Forgotten

# How often a service looks. [s]
HEED_S = 2.0


class Heeding:
    """Looks into the ledger's store for what was forgotten since the start."""

    def __init__(
        self,
        store: object,
        answers: AnswerStore,
        layers: Layers,
        warn: Callable[[object], None],
    ) -> None:
        self._told: Any = getattr(store, "forgotten", None)
        self._answers = answers
        self._layers = layers
        self._warn = warn
        # What was forgotten before the start is in nothing that this process holds.
        self._last: int | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while self._told is not None:
            with suppress(LichenError):  # a ledger that is away says nothing: look again
                await self.look()
            await asyncio.sleep(HEED_S)

    async def look(self) -> None:
        """Look once, and let go of what was forgotten.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        found: list[Forgotten] = await asyncio.to_thread(self._told, self._last or 0)
        if self._last is not None:
            for each in found:
                await self._heed(each)
        self._last = max([self._last or 0, *(each.number for each in found)])

    async def _heed(self, each: Forgotten) -> None:
        which = _which(each)
        try:
            await self._answers.heed(which)
            if which is None:
                await self._layers.reread()
            else:
                await self._layers.forget(which)
        except Exception as error:  # noqa: BLE001 (the service goes on, and says what it still holds)
            self._warn(f"what was to be forgotten may still be held by this service: {error}")


def _which(each: Forgotten) -> Forget | None:
    """What was meant; None where it is told no more, or was told to nobody."""
    if each.contained or not (each.tenant or each.before_us is not None):
        return None
    before = None if each.before_us is None else from_microseconds(each.before_us)
    return Forget(tenant=each.tenant, before=before)
