"""Build: a whole service from settings, and what must be closed with it."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.assemble import (
    learnt_in_memory,
    open_answers,
    open_book,
    open_http,
    open_layers,
    open_upstreams,
)
from lichen.calls.coding.choosing import Coding
from lichen.calls.gateway import Gateway
from lichen.calls.local import LocalModel, LocalOptions
from lichen.calls.proxy import shown
from lichen.calls.resilience.admission import Admission
from lichen.ledger.errors import LichenError
from lichen.ledger.pricing import WORLD
from lichen.operate.watch import Watch
from lichen.serve.descriptors import most_connections
from lichen.serve.embedded import EmbeddedUpstream
from lichen.serve.guard import Guard
from lichen.serve.heeding import Heeding
from lichen.serve.lookout import GridLookout
from lichen.serve.overhead import Overhead
from lichen.serve.server import Limits
from lichen.serve.service import Service, make_server
from lichen.serve.shares import OwnCpu

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.learning import Learning
    from lichen.calls.resilience.resilient import Resilient
    from lichen.settings import Settings

_OPENAI = "https://api.openai.com"
# Entries waiting for the ledger beyond which the service is not ready: it cannot be written.
_STUCK = 100_000
# The gap in the book where the embedded model took its last reading with it.
MODEL_ENDED = "the embedded model ended: energy since its last reading"


class Parts:
    """A service put together; the embedded model is started where no upstream is given.

    Raises:
        LichenError: a part cannot be had, with the way out.
    """

    def __init__(self, settings: Settings, warn: Callable[[object], None]) -> None:
        self._settings = settings
        self.ledger_told = _told_of_ledger(settings.ledger)
        self.book = open_book(settings, on_error=warn)
        try:
            self._upstream = open_upstream(settings, warn)
        except BaseException:
            self.book.close()
            raise
        self._model = self._upstream if isinstance(self._upstream, EmbeddedUpstream) else None
        try:
            self._upstreams = open_upstreams(settings, self._upstream, warn)
            self._answers = open_answers(settings, warn)
            self._make(settings, warn)
        except BaseException:
            if self._model is not None:
                self._model.stop()
            self.book.close()
            raise

    def _make(self, settings: Settings, warn: Callable[[object], None]) -> None:
        self.layers = open_layers(settings, self._upstreams, self.book, self._answers, warn)
        self.state_told = told_of_state(settings, self.layers.learning)
        self.heeding = Heeding(self.book.store, self._answers, self.layers, warn)
        own = OwnCpu(self.layers.booker.steps.claimed)
        self._own = Overhead(self.book, own, zone=self.book.zone, on_error=warn)
        self._admission = Admission(settings.limits.calls, settings.limits.held)
        self._idle: Overhead | None = None
        if self._model is not None:
            self._model.on_end = self._note_end
            self._idle = Overhead(
                self.book, self._model.meter, zone=self._model.zone, on_error=warn
            )
        self.service = Service(
            Gateway(self.layers, self._admission, Coding(settings.coding, settings.body_limit)),
            Watch(
                self.book,
                lookout=GridLookout(settings, self.book.store),
                panels=self.layers.panels,
            ),
            Guard(settings),
            health=self.health,
            gauges=self.gauges,
        )
        self.server = make_server(self.service, _limits(settings))

    def _note_end(self) -> None:
        with suppress(LichenError):
            self.book.store.note_gap(MODEL_ENDED, 1, datetime.now(UTC))

    @property
    def upstream_told(self) -> str:
        """Who answers, on which grid, and what decided so: for whoever starts the service."""
        upstream = self._upstream
        who = f"the embedded model {upstream.model}" if self._model else shown(upstream.url)
        why = "" if self._model or self._settings.upstream else ", since OPENAI_API_KEY is set"
        way_out = "LICHEN_ZONE" if self._model else "LICHEN_UPSTREAM_ZONE"
        unknown = f", not told: set {way_out}" if upstream.zone == WORLD else ""
        return f"{who}{why} · grid zone {upstream.zone}{unknown}"

    def watch(self) -> None:
        """Keep the embedded model running, where there is one."""
        if self._model is not None:
            self._model.watch()

    def unwatch(self) -> None:
        """The service stops: let the embedded model end."""
        if self._model is not None:
            self._model.unwatch()

    def health(self) -> list[str]:
        """What is wrong; empty where all is well."""
        wrong = self._model.wrong if self._model is not None else []
        waiting = self.book.writer.waiting if self.book.writer else 0
        wrong = [*wrong, *self.layers.wrong()]
        if waiting > _STUCK:
            return [*wrong, f"{waiting} entries wait for the ledger, which cannot be written"]
        return wrong

    def gauges(self) -> dict[str, float]:
        """What is now, for the metrics."""
        waiting = self.book.writer.waiting if self.book.writer else 0
        named = {f"lichen_{name}": value for name, value in self._answers.counts().items()}
        return {
            "lichen_ledger_waiting_entries": waiting,
            **named,
            **self._upstreams.gauges(),
            **self._admission.gauges(),
            **self.server.gauges(),
            **self.layers.gauges(),
        }

    def book_overhead(self) -> None:
        """Book what lichen itself used, and what the embedded model used outside any call."""
        self._own.book()
        if self._idle is not None:
            self._idle.book_idle()

    async def close(self) -> None:
        """Release everything, the ledger last."""
        await self.layers.close()
        await self._upstreams.close()
        self.book_overhead()
        if self._model is not None:
            self._model.stop()
        self._answers.close()
        self.book.close()


def _told_of_ledger(where: str) -> str:
    """Which ledger, for whoever starts the service: a slip in a path begins a new one."""
    is_file = ":" not in where
    return f"{shown(where)}{' (new)' if is_file and not Path(where).exists() else ''}"


def told_of_state(settings: Settings, learning: Learning | None = None) -> str:
    """Where what steps learn is kept, where that is not beside the ledger; else empty."""
    if learning is not None and learning.elsewhere:
        return "in memory, lost at a stop: another service learns there"
    if settings.state:
        return settings.state
    lost = learnt_in_memory(settings)
    return f"in memory, lost at a stop ({', '.join(lost)}): set LICHEN_STATE" if lost else ""


def open_upstream(
    settings: Settings, warn: Callable[[object], None]
) -> Resilient | EmbeddedUpstream:
    """The configured upstream; else OpenAI where a key is set; else the embedded model."""
    url = settings.upstream or (_OPENAI if os.environ.get("OPENAI_API_KEY") else "")
    if not url:
        return EmbeddedUpstream(
            LocalModel(
                settings.gguf or None,
                LocalOptions(threads=settings.threads, context=settings.context),
            ),
            zone=settings.zone or WORLD,
            timeout=settings.timeout,
            warn=warn,
        )
    return open_http(settings, url, warn)


def _limits(settings: Settings) -> Limits:
    """What clients may take of the service."""
    told = settings.limits
    return Limits(
        body=settings.body_limit,
        held=told.held,
        connections=most_connections(told.connections),
        idle_s=told.idle,
        request_s=told.request_time,
        pace=told.pace,
    )
