"""The service: `lichen serve` puts gateway, dashboard and metrics on one port and runs until told.

SIGTERM or Ctrl-C stops it gracefully: no new connections, running answers and streams end, the
ledger is written, the embedded model is stopped. A second one ends the running answers at once.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from lichen.ledger.errors import LichenError, MissingExtra
from lichen.serve.guard import Guard

if TYPE_CHECKING:
    from lichen.serve.build import Parts
    from lichen.settings import Settings

# Addresses that are every address of this machine, and no client's way to it.
_ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 (compared with, not listened to)
# How often the service's own use is read and booked. [s]
_OVERHEAD_S = 5.0
# The same warning is not said again within this time. [s]
_QUIET_S = 60.0
# How long calls that were broken off may take to write what they used. [s]
_LAST_WORDS_S = 2.0


def run(settings: Settings) -> int:
    """Run the service until SIGTERM or Ctrl-C; 0 when it stopped well.

    Raises:
        LichenError: it could not start, with the way out.
    """
    Guard(settings)  # a wrong address or token is refused before anything is started
    try:
        import uvloop  # noqa: PLC0415 (an extra, imported on use)
    except ImportError:
        raise MissingExtra("lichen serve", "uvloop", "serve") from None
    return uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    from lichen.serve.build import Parts  # noqa: PLC0415 (heavy, imported on use)

    await _refuse_taken_port(settings)  # before a model is loaded or a ledger made
    parts = Parts(settings, Voice().warn)
    # Nearly all objects of a call die with it; looking for cycles among them after every 700 new
    # ones cost a quarter of a call's CPU time (benchmarks/gateway/README.md).
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)
    asked = _listen_for_stops()
    try:
        await parts.layers.start()
    except BaseException:
        await parts.close()
        raise
    try:
        port = await parts.server.start(settings.host, settings.port)
    except OSError as error:
        await parts.close()
        raise _cannot_listen(settings, error) from error
    parts.watch()
    _announce(settings, port, parts)
    keeper = asyncio.create_task(_keep_books(parts))
    heeder = asyncio.create_task(parts.heeding.run())
    await asked.get()
    _say("stopping: running answers may end (once more ends them now)")
    await _drain(parts, asked, settings.grace)
    keeper.cancel()
    heeder.cancel()
    parts.unwatch()
    await _last_words()
    await parts.close()
    return 0


async def _refuse_taken_port(settings: Settings) -> None:
    try:
        probe = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, settings.host, settings.port
        )
    except OSError as error:
        raise _cannot_listen(settings, error) from error
    probe.close()
    await probe.wait_closed()


def _cannot_listen(settings: Settings, error: OSError) -> LichenError:
    return LichenError(
        f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}; another "
        "service may hold the port: choose one with --port (0 takes any that is free)"
    )


def _listen_for_stops() -> asyncio.Queue[None]:
    """Signals that ask to stop, from now on."""
    asked: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.put_nowait, None)
    return asked


async def _drain(parts: Parts, asked: asyncio.Queue[None], grace: float) -> None:
    """Let running answers end, unless a second signal comes."""
    parts.service.leave()
    ending = asyncio.create_task(parts.server.stop(grace))
    impatient = asyncio.create_task(asked.get())
    await asyncio.wait((ending, impatient), return_when=asyncio.FIRST_COMPLETED)
    parts.server.abort()
    impatient.cancel()
    await ending


async def _last_words() -> None:
    """Wait for calls that were broken off: what they used is booked on their way out."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=_LAST_WORDS_S)


async def _keep_books(parts: Parts) -> None:
    """Book lichen's own use now and then."""
    parts.book.reads_own()
    while True:
        await asyncio.sleep(_OVERHEAD_S)
        parts.book_overhead()


def _announce(settings: Settings, port: int, parts: Parts) -> None:
    anywhere = settings.host in _ANY_ADDRESS
    name = socket.gethostname() if anywhere else settings.host
    base = f"http://{f'[{name}]' if ':' in name else name}:{port}"
    lines = [
        f"lichen listens on {base}{' and every other address of this machine' * anywhere}",
        f"  your code:  OPENAI_BASE_URL={base}/v1",
        f"              or ANTHROPIC_BASE_URL, GOOGLE_GEMINI_BASE_URL={base}",
        f"  dashboard:  {base}/",
        f"  upstream:   {parts.upstream_told}",
        f"  ledger:     {parts.ledger_told}",
    ]
    if parts.state_told:
        lines.append(f"  learnt:     {parts.state_told}")
    if settings.token:
        lines.append("  token:      clients show LICHEN_TOKEN's as their API key")
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def _say(message: object) -> None:
    """Say something to whoever runs the service; never anything that a tenant sent."""
    with suppress(OSError, ValueError):  # nobody may be listening any more
        sys.stderr.write(f"lichen: {message}\n")
        sys.stderr.flush()


class Voice:
    """Says warnings, each at most once a minute: a full disk is told of at every try to write."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def warn(self, message: object) -> None:
        """Say it, unless it was said just now."""
        text, now = str(message), time.monotonic()
        if now - self._said.get(text, -_QUIET_S) >= _QUIET_S:
            self._said = {t: at for t, at in self._said.items() if now - at < _QUIET_S}
            self._said[text] = now
            _say(text)
