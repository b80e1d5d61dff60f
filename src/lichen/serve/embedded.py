"""Embedded: the model on this machine as an upstream, which is started again when it ends.

A model that ended (the kernel took its memory, somebody killed it) comes back after a pause that
doubles; one that keeps ending is given up, and `/readyz` says so. Calls under way break off, which
the official clients try again by themselves; those that come meanwhile wait a little for it.

It reads text and nothing else. What only a provider has is refused in lichen's words, which name
the way to one.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from lichen.calls.exchange import Answer
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.upstream import HttpUpstream, Wire
from lichen.ledger.errors import LichenError, UpstreamError
from lichen.serve.shares import LocalShare

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Exchange, Share
    from lichen.calls.local import LocalModel

# Pauses before each new start; after the last the model is given up. [s]
_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)
# A model that ran this long counts as sound again. [s]
_SOUND_S = 60.0
# How long a call waits for a model that is started again. [s]
_WAIT_S = 5.0
# Parts of a message that are no text. Source: OpenAI API reference, chat completions and responses.
_NOT_TEXT = frozenset(
    ("image_url", "input_audio", "file", "input_image", "input_file", "video_url", "audio_url")
)
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
        weights = model.gguf.stat()
        # Another file under the same name is another model.
        self.name = f"local:{model.gguf}:{weights.st_size}:{weights.st_mtime_ns}"
        self.meter = LocalShare(model)
        self.share: Share | None = self.meter
        self.zone = zone
        # It asks for no credential.
        self.holds_key = True
        self.on_end = on_end
        # Its server drops a connection now and then, and a model here answers twice at no harm.
        wire = Wire(resends=True)
        self._http = HttpUpstream(model.url, zone=zone, timeout=timeout, wire=wire)
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
        if (kind := _not_text(exchange)) is not None:
            return _refused(400, f"the embedded model reads text only, got {kind!r}", "text_only")
        try:
            return await self._answer(exchange)
        except UpstreamError as error:
            # Nothing but the model's end keeps a server on loopback from taking a new connection.
            if self.local.alive and error.code != "upstream_unreachable":
                raise
            raise UpstreamError(
                "; ".join(self.wrong or ["the embedded model has just ended"])
                + "; send the call again in a moment",
                status=503,
                code="local_model_ended",
            ) from error

    async def _answer(self, exchange: Exchange) -> Answer:
        answer = await self._http.send(exchange)
        if answer.status != HTTPStatus.NOT_FOUND or exchange.call is not None:
            return answer
        if answer.stream is not None:
            await answer.stream.aclose()
        path = exchange.target.partition("?")[0]
        return _refused(404, f"the embedded model has no {path}", "not_embedded")

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


def _not_text(exchange: Exchange) -> str | None:
    """The kind of the first part of a message that is no text; None where all is."""
    call = exchange.call
    messages = (call.fields.get("messages") or call.fields.get("input")) if call else None
    if type(messages) is not list:
        return None
    contents = (m.get("content") for m in messages if type(m) is dict)
    parts = (part for content in contents if type(content) is list for part in content)
    kinds = (part.get("type") for part in parts if type(part) is dict)
    return next((kind for kind in kinds if kind in _NOT_TEXT), None)


def _refused(status: int, what: str, code: str) -> Answer:
    message = (
        f"{what}; only a provider has that: set LICHEN_UPSTREAM where lichen serve starts, such as "
        "https://api.openai.com/v1"
    )
    return Answer(
        status, [(b"content-type", b"application/json")], OPENAI.error_body(status, message, code)
    )


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
