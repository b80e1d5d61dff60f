"""Checkup of what answers: the gateway's packages, the upstream, the model here, the service."""

from __future__ import annotations

import asyncio
import http.client
import os
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from lichen.cli.row import Row
from lichen.ledger.errors import LichenError, to_install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.settings import Settings

# What the gateway is built on; see the extra `serve`.
_SERVE = ("httptools", "orjson", "uvloop")
_PROBE_S = 1.0
# How long an upstream far away may take to be reached. [s]
_REACH_S = 5.0
OPENAI = "https://api.openai.com"


def gateway(_: Settings) -> Iterator[Row]:
    """Whether what the gateway is built on is installed."""
    missing = [name for name in _SERVE if find_spec(name) is None]
    if missing:
        told = f"{', '.join(missing)} not installed"
        yield Row("gateway", "broken", told, to_install("serve"))
    else:
        yield Row("gateway", "ok", f"{', '.join(_SERVE)} are installed")


def upstream(settings: Settings) -> Iterator[Row]:
    """Who answers what lichen cannot: the first set of URL, OpenAI's key, the embedded model."""
    local = list(_local(settings))
    if settings.upstream:
        whose = "lichen's own key" if settings.upstream_key else "the clients' keys"
        yield _tried(settings.upstream, f"{_bare(settings.upstream)}, shown {whose}")
    elif os.environ.get("OPENAI_API_KEY"):
        mend = "to have the embedded model answer: env -u OPENAI_API_KEY lichen serve"
        yield _tried(OPENAI, "OpenAI, since OPENAI_API_KEY is set", mend)
    elif any(row.state == "broken" for row in local):
        mend = "set OPENAI_API_KEY or --upstream, or install the embedded model"
        yield Row("upstream", "broken", "nothing is set that could answer", mend)
    else:
        yield Row("upstream", "ok", "the embedded model, since no provider is set")
        yield from local
        return
    for row in local:
        # It is not asked where another upstream is, so its absence breaks nothing.
        yield replace(row, state="unavailable") if row.state == "broken" else row


class _Reached(asyncio.Protocol):
    """Says nothing and leaves."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


def _tried(url: str, who: str, mend: str = "") -> Row:
    """Whether an upstream can be reached: connected to as a call would be, and asked nothing.

    No credential is sent, so it says nothing about the key.
    """
    from lichen.calls.proxy import Route

    async def connect() -> None:
        await Route(url).connect(asyncio.get_running_loop(), _Reached)

    try:
        asyncio.run(asyncio.wait_for(connect(), _REACH_S))
    except (OSError, TimeoutError) as error:
        why = str(error) or f"no answer within {_REACH_S:.0f} s"
        out = mend or "look at the address and the network, or set another with --upstream"
        return Row("upstream", "broken", f"{who}; cannot be reached: {why}", out)
    return Row("upstream", "ok", f"{who}; reached, the key not tried")


def _local(settings: Settings) -> Iterator[Row]:
    from lichen.calls.gguf import find_gguf

    if find_spec("xllamacpp") is None:
        mend = to_install("local")
        yield Row("embedded model", "broken", "xllamacpp (llama.cpp) is not installed", mend)
        return
    try:
        path = find_gguf(settings.gguf or None)
    except LichenError as error:
        yield Row("embedded model", "broken", str(error))
    else:
        yield Row("embedded model", "ok", f"{path.name}, {path.stat().st_size / 1e6:.0f} MB")


def service(settings: Settings) -> Iterator[Row]:
    """Whether lichen answers on its port now."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{settings.port}"
    try:
        connection = http.client.HTTPConnection(settings.host, settings.port, timeout=_PROBE_S)
        with closing(connection):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            ours = answer.status == http.HTTPStatus.OK and answer.read(8).strip() == b"ok"
    except ConnectionRefusedError:
        yield Row("service", "unavailable", f"not running at {base}", "lichen serve")
    except (OSError, http.client.HTTPException) as error:
        yield Row("service", "broken", f"{base}: {error}", "choose another port with --port")
    else:
        if ours:
            yield Row("service", "ok", f"answers at {base}; the dashboard is {base}/")
        else:
            mend = "choose another port with --port"
            yield Row("service", "broken", f"{base} is another program's", mend)


def _bare(url: str) -> str:
    """A URL without any credential in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
