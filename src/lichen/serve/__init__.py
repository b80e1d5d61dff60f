"""The service: `lichen serve` puts gateway, dashboard and metrics on one port and runs until told.

SIGTERM or Ctrl-C stops it gracefully: no new connections, running answers and streams end, the
ledger is written, the embedded model is stopped.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from lichen.ledger.errors import LichenError, MissingExtra
from lichen.serve.guard import Guard

if TYPE_CHECKING:
    from lichen.serve.build import Parts
    from lichen.settings import Settings

# How often the service's own use is read and booked. [s]
_OVERHEAD_S = 5.0


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

    parts = Parts(settings, _warn)
    # Nearly all objects of a call die with it; looking for cycles among them after every 700 new
    # ones cost a quarter of a call's CPU time (benchmarks/gateway/README.md).
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        port = await parts.server.start(settings.host, settings.port)
    except OSError as error:
        await parts.close()
        raise LichenError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}; another "
            "service may hold the port: choose one with --port (0 takes any that is free)"
        ) from error
    _announce(settings, port)
    keeper = asyncio.create_task(_keep_books(parts))
    await stop.wait()
    _warn("stopping: running answers may end")
    await parts.server.stop(settings.grace)
    keeper.cancel()
    with suppress(asyncio.CancelledError):
        await keeper
    await parts.close()
    return 0


async def _keep_books(parts: Parts) -> None:
    """Book lichen's own use now and then."""
    while True:
        await asyncio.sleep(_OVERHEAD_S)
        parts.book_overhead()


def _announce(settings: Settings, port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{port}"
    lines = (
        f"lichen listens on {base}",
        f"  your code:  OPENAI_BASE_URL={base}/v1",
        f"  dashboard:  {base}/",
    )
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def _warn(message: object) -> None:
    """Say something to whoever runs the service; never anything that a tenant sent."""
    sys.stderr.write(f"lichen: {message}\n")
    sys.stderr.flush()
