"""Build: a whole service from settings, and what must be closed with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lichen.assemble import open_answers, open_book, open_pipeline
from lichen.calls.booking import Booker
from lichen.calls.gateway import Gateway
from lichen.calls.local import LocalModel, LocalOptions
from lichen.calls.upstream import HttpUpstream
from lichen.operate.watch import Watch
from lichen.serve.guard import Guard
from lichen.serve.overhead import Overhead
from lichen.serve.service import Service, make_server
from lichen.serve.shares import LocalShare, OwnCpu

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Upstream
    from lichen.settings import Settings

_OPENAI = "https://api.openai.com"
# Entries waiting for the ledger beyond which the service is not ready: it cannot be written.
_STUCK = 100_000


class Parts:
    """A service put together; the embedded model is started where no upstream is given.

    Raises:
        LichenError: a part cannot be had, with the way out.
    """

    def __init__(self, settings: Settings, warn: Callable[[object], None]) -> None:
        self._upstream, self._local = open_upstream(settings)
        try:
            self.book = open_book(settings, on_error=warn)
            self._answers = open_answers(settings, warn)
        except BaseException:
            if self._local is not None:
                self._local.stop()
            raise
        onward, exact = open_pipeline(
            settings, self._upstream, Booker(self.book), self._answers, warn
        )
        self._own = Overhead(self.book, OwnCpu(), zone=self.book.zone, on_error=warn)
        self._idle: Overhead | None = None
        if self._local is not None:
            self._idle = Overhead(self.book, self._local, zone=self._upstream.zone, on_error=warn)
        service = Service(
            Gateway(onward, exact),
            Watch(self.book),
            Guard(settings),
            health=self.health,
            gauges=self.gauges,
        )
        self.server = make_server(service, limit=settings.body_limit)

    def health(self) -> list[str]:
        """What is wrong; empty where all is well."""
        gone = self._local is not None and not self._local.alive
        wrong = ["the embedded model has ended"] if gone else []
        waiting = self.book.writer.waiting if self.book.writer else 0
        if waiting > _STUCK:
            wrong.append(f"{waiting} entries wait for the ledger")
        return wrong

    def gauges(self) -> dict[str, float]:
        """What is now, for the metrics."""
        waiting = self.book.writer.waiting if self.book.writer else 0
        named = {f"lichen_{name}": value for name, value in self._answers.counts().items()}
        return {"lichen_ledger_waiting_entries": waiting, **named}

    def book_overhead(self) -> None:
        """Book what lichen itself used, and what the embedded model used outside any call."""
        self._own.book()
        if self._idle is not None:
            self._idle.book_idle()

    async def close(self) -> None:
        """Release everything, the ledger last."""
        await self._upstream.close()
        self.book_overhead()
        if self._local is not None:
            self._local.stop()
        self._answers.close()
        self.book.close()


def open_upstream(settings: Settings) -> tuple[Upstream, LocalShare | None]:
    """The configured upstream; else OpenAI where a key is set; else the embedded model."""
    url = settings.upstream or (_OPENAI if os.environ.get("OPENAI_API_KEY") else "")
    zone = settings.upstream_zone or "WORLD"
    local = None
    if not url:
        options = LocalOptions(threads=settings.threads)
        local = LocalShare(LocalModel(settings.gguf or None, options).start())
        url, zone = local.url, settings.zone or "WORLD"
    made = HttpUpstream(
        url,
        zone=zone,
        key=settings.upstream_key,
        timeout=settings.timeout,
        connect_timeout=settings.connect_timeout,
    )
    made.share = local
    return made, local
