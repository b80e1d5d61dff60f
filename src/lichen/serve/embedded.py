"""Embedded: the model on this machine as an upstream, which is started again when it ends.

A model that ended (the kernel took its memory, somebody killed it) comes back after a pause that
doubles; one that keeps ending is given up, and `/readyz` says so. Calls under way break off, which
the official clients try again by themselves; those that come meanwhile wait a little for it.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from lichen.calls.upstream import HttpUpstream
from lichen.ledger.errors import LichenError, UpstreamError
from lichen.serve.shares import LocalShare

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Answer, Exchange, Share
    from lichen.calls.local import LocalModel

# Pauses before each new start; after the last the model is given up. [s]
_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)
# A model that ran this long counts as sound again. [s]
_SOUND_S = 60.0
# How long a call waits for a model that is started again. [s]
_WAIT_S = 5.0
# How often to look where the kernel cannot tell of a process's end (Linux before 5.3). [s]
_LOOK_S = 1.0


class EmbeddedUpstream:
    """A `LocalModel` behind the `Upstream` port, with the energy of its calls in `share`.

    `on_end` hears of each end of the model, whose last energy nobody could read.
    """

    def __init__(
        self,
        model: LocalModel,
        *,
        zone: str,
        timeout: float,
        warn: Callable[[object], None],
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.local = model.start()
        self.model = model.model
        self.meter = LocalShare(model)
        self.share: Share | None = self.meter
        self.zone = zone
        self.on_end = on_end
        self._http = HttpUpstream(model.url, zone=zone, timeout=timeout)
        self.url = self._http.url
        self._warn = warn
        self._given_up = False
        self._up = asyncio.Event()
        self._up.set()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def wrong(self) -> list[str]:
        """What is wrong with it; empty where it answers."""
        if self._given_up:
            return ["the embedded model kept ending and is not started again: restart lichen"]
        if self._up.is_set() and self.local.alive:
            return []
        return ["the embedded model has ended and is started again"]

    async def send(self, exchange: Exchange) -> Answer:
        """The model's answer.

        Raises:
            UpstreamError: it is not running just now, or it broke off.
        """
        if not self._up.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._up.wait(), 0 if self._given_up else _WAIT_S)
        try:
            return await self._http.send(exchange)
        except UpstreamError as error:
            # Nothing but the model's end makes a server on loopback unreachable.
            if self.local.alive and error.code != "upstream_unreachable":
                raise
            raise UpstreamError(
                "; ".join(self.wrong or ["the embedded model has just ended"])
                + "; send the call again in a moment",
                status=503,
                code="local_model_ended",
            ) from error

    def watch(self) -> None:
        """From now on start the model again when it ends."""
        self._keeper = asyncio.create_task(self._keep_running())

    def unwatch(self) -> None:
        """From now on let it end."""
        if self._keeper is not None:
            self._keeper.cancel()

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        ends = 0
        while ends <= len(_PAUSES):
            if ends:
                await asyncio.sleep(_PAUSES[ends - 1])
                await self._start_again()
            began = loop.time()
            await _end_of(self.local)
            self._up.clear()
            ends = 1 if loop.time() - began > _SOUND_S else ends + 1
            said = self.local.last_output()[-500:]
            self._warn("the embedded model has ended" + (f": {said}" if said else ""))
            await asyncio.to_thread(self.on_end)
        self._given_up = True
        self._warn("the embedded model kept ending: it is not started again")

    async def _start_again(self) -> None:
        try:
            await asyncio.to_thread(self.local.start)
            self.meter.renew()
            self._http.go_to(self.local.url)
            self.url = self._http.url
        except LichenError as error:
            self._warn(error)
        else:
            self._up.set()
            self._warn("the embedded model answers again")

    async def close(self) -> None:
        """Close the connections; the model itself is stopped with `stop`."""
        self.unwatch()
        await self._http.close()

    def stop(self) -> None:
        """Stop the model."""
        self.local.stop()


async def _end_of(model: LocalModel) -> None:
    """Wait until the model's process has ended, at once where it has."""
    try:
        watched = os.pidfd_open(model.pid)
    except (AttributeError, OSError, UpstreamError):
        while model.alive:  # noqa: ASYNC110 (no one would set an event)
            await asyncio.sleep(_LOOK_S)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(watched, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(watched)
        os.close(watched)
